/** Small JPEG files are decoded without libvips: the values have to be those that libvips gives. */
import sharp, { type JpegOptions, type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodePixels } from '../../src/data/image/pixels.js';
import { decodeBySharp } from '../../src/data/image/readers/by-sharp.js';
import { jpegReader } from '../../src/data/image/readers/jpeg.js';
import { decodeSmallJpeg } from '../../src/data/image/readers/small-jpeg.js';

const SIDES = [
  [64, 64],
  [1, 1],
  [7, 5],
  [17, 33],
  [255, 3],
  [200, 150],
] as const;

const WAYS: readonly (readonly [string, JpegOptions])[] = [
  ['4:2:0', { quality: 80 }],
  ['4:4:4', { quality: 95, chromaSubsampling: '4:4:4' }],
  ['progressive', { quality: 60, progressive: true }],
  ['of mozjpeg', { quality: 30, mozjpeg: true }],
];

function picture(width: number, height: number, channels: 1 | 3): Sharp {
  let state = 7;
  const data = Uint8Array.from({ length: width * height * channels }, (_, at) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const pixel = Math.floor(at / channels);
    return ((pixel % width) * (3 + (at % channels)) + Math.floor(pixel / width) * 2 + (state >>> 27)) & 255;
  });
  return sharp(data, { raw: { width, height, channels } });
}

async function both(bytes: Buffer) {
  const header = (await jpegReader.header(bytes, true))!;
  const warnings: string[] = [];
  const small = await decodeSmallJpeg(bytes, header);
  const large = await decodeBySharp(bytes, { header, page: 0, warn: (why) => warnings.push(why) }).catch(
    (error: Error) => error,
  );
  return { header, small, large, warnings };
}

describe('small JPEG files', () => {
  for (const [name, options] of WAYS) {
    for (const channels of [1, 3] as const) {
      test(`${name}, ${channels === 1 ? 'grey' : 'in colour'}, have the values that libvips gives`, async () => {
        for (const [width, height] of SIDES) {
          let image = picture(width, height, channels);
          if (channels === 1) image = image.toColourspace('b-w');
          const bytes = await image.jpeg(options).toBuffer();
          const { header, small, large } = await both(bytes);
          expect(header.channels).toBe(channels);
          expect(small).toBeDefined();
          expect(large).toEqual({ ...small, data: expect.anything() });
          expect(Buffer.compare(small!.data as Uint8Array, (large as typeof small)!.data as Uint8Array)).toBe(0);
        }
      });
    }
  }

  test('are left to libvips where they are large, CMYK, truncated or damaged', async () => {
    const fine = await picture(64, 64, 3).jpeg().toBuffer();
    const cmyk = await picture(64, 64, 3).toColourspace('cmyk').jpeg().toBuffer();
    const large = await picture(400, 300, 3).jpeg().toBuffer();
    const noisy = Buffer.from(fine);
    noisy.fill(0xff, 700, 760);
    for (const bytes of [cmyk, large, fine.subarray(0, fine.length - 300), noisy]) {
      expect((await both(bytes)).small).toBeUndefined();
    }
    expect((await both(cmyk)).large).toMatchObject({ colour: 'cmyk', channels: 4 });
    // What libvips says of the damage is said as ever.
    await expect(decodePixels({ bytes: fine.subarray(0, fine.length - 300), name: 'cut.jpg' })).rejects.toThrow(
      /^cut\.jpg: .*premature end/,
    );
    const odd = Buffer.concat([fine.subarray(0, -2), Buffer.from([1, 2, 3, 4]), fine.subarray(-2)]);
    const pixels = await decodePixels({ bytes: odd, name: 'odd.jpg' });
    const straight = await decodePixels({ bytes: fine, name: 'fine.jpg' });
    expect(Buffer.compare(pixels.data as Uint8Array, straight.data as Uint8Array)).toBe(0);
  });

  test('go on being decoded after many that were damaged', async () => {
    const fine = await picture(16, 16, 3).jpeg().toBuffer();
    const header = (await jpegReader.header(fine, true))!;
    for (let bad = 0; bad < 70; bad += 1) {
      expect(await decodeSmallJpeg(fine.subarray(0, fine.length - 20), header)).toBeUndefined();
    }
    expect(await decodeSmallJpeg(fine, header)).toMatchObject({ width: 16, height: 16 });
  });
});
