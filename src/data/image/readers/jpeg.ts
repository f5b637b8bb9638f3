/** JPEG (ITU-R T.81): what its markers say, without decoding. The pixels are libjpeg-turbo's, with or without libvips. */
import { decodeBySharp } from './by-sharp.js';
import { exifOrientation } from './exif.js';
import { decodeSmallJpeg } from './small-jpeg.js';
import type { PictureReader, StoredHeader } from './stored.js';

export const jpegReader: PictureReader = {
  header: jpegHeader,
  async decode(bytes, options) {
    const small = options.size ? undefined : await decodeSmallJpeg(bytes, options.header);
    return small ?? decodeBySharp(bytes, options);
  },
};

/** Frames with other coefficients than these (lossless, hierarchical, arithmetic) libvips refuses by itself. */
const FRAMES = [0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf];
const PROGRESSIVE = 0xc2;

function jpegHeader(bytes: Uint8Array, whole: boolean): StoredHeader | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let orientation = 1;
  let profile = false;
  for (let at = 2; ; ) {
    // Some cameras pad with whatever: the next marker is looked for.
    while (at < view.length && view[at] !== 0xff) at += 1;
    while (at < view.length && view[at + 1] === 0xff) at += 1;
    if (at + 4 > view.length) {
      if (!whole) return undefined;
      throw new Error('it ends before its pixels begin');
    }
    const marker = view[at + 1]!;
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    if (marker === 0xd9 || marker === 0xda) throw new Error('it tells no size');
    const length = view.readUInt16BE(at + 2);
    const body = view.subarray(at + 4, at + 2 + length);
    if (FRAMES.includes(marker)) {
      if (body.length < 6) {
        if (!whole) return undefined;
        throw new Error('it ends before its pixels begin');
      }
      const components = body[5]!;
      return {
        width: body.readUInt16BE(3),
        height: body.readUInt16BE(1),
        channels: components,
        colour: components === 1 ? 'grey' : components === 4 ? 'cmyk' : 'rgb',
        alpha: false,
        sample: body[0] === 8 ? 'uint8' : 'uint16',
        pages: 1,
        ...{ orientation, profile },
        sequential: marker !== PROGRESSIVE,
      };
    }
    if (marker === 0xe1 && body.toString('latin1', 0, 6) === 'Exif\0\0')
      orientation = exifOrientation(body.subarray(6));
    if (marker === 0xe2 && body.toString('latin1', 0, 12) === 'ICC_PROFILE\0') {
      profile ||= !/s ?RGB|I ?E ?C ?6 ?1 ?9 ?6 ?6/.test(body.toString('latin1').replaceAll('\0', ' '));
    }
    at += 2 + length;
  }
}
