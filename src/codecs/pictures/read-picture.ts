/** Picture files, and pictures as PNG. */
import { VaeError } from '../../core/errors.js';
import { fileAt } from '../../data/find-files.js';
import { encodePng } from '../../data/image/encode.js';
import { decodePixels, type PictureSource } from '../../data/image/pixels.js';
import type { Picture } from './picture.js';

/**
 * An 8-bit grey or colour picture, turned as its EXIF says.
 *
 * @throws VaeError ERR_VAE_FORMAT for what is no picture, ERR_VAE_DATA for more than 8 bits or
 *   transparent parts, or for one that is too large to be decoded.
 */
export async function readPicture(path: string): Promise<Picture> {
  if (typeof path !== 'string') {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'readPicture(): expected a path; the bytes of a picture file go to readPictureBytes().',
    );
  }
  return decodeOpaque(fileAt(path));
}

/**
 * As readPicture(), of the bytes of a picture file.
 *
 * @param bytes a whole file, such as an upload; not changed, not kept.
 */
export async function readPictureBytes(bytes: Uint8Array): Promise<Picture> {
  if (!(bytes instanceof Uint8Array)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'readPictureBytes(): expected the bytes of a picture file as Uint8Array; a path goes to readPicture().',
    );
  }
  return decodeOpaque({ bytes, name: 'readPictureBytes()' });
}

/** @throws VaeError as readPicture(). */
export async function decodeOpaque(source: PictureSource): Promise<Picture> {
  const { width, height, channels, data, pages, colour } = await decodePixels(source);
  const { name } = source;
  if (!(data instanceof Uint8Array) || (colour !== 'grey' && colour !== 'rgb')) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name} has ${colour} values of type ${data.constructor.name}; lossy compression is for grey and RGB of 8 bits.`,
    );
  }
  if (pages > 1) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name} has ${pages} pages or frames; lossy compression is for single pictures.`,
    );
  }
  if (channels === 1 || channels === 3) return { width, height, channels, data };
  return { width, height, channels: channels === 2 ? 1 : 3, data: withoutAlpha(data, channels, name) };
}

function withoutAlpha(data: Uint8Array, channels: number, name: string): Uint8Array {
  const kept = channels - 1;
  const out = new Uint8Array((data.length / channels) * kept);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    if (data[from + kept] !== 255) {
      throw new VaeError('ERR_VAE_DATA', `${name} has transparent parts, which lossy compression does not keep.`);
    }
    for (let channel = 0; channel < kept; channel += 1) out[to++] = data[from + channel]!;
  }
  return out;
}

export function pictureToPng(picture: Picture): Promise<Buffer> {
  return encodePng(picture);
}
