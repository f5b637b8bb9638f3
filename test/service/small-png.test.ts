/** Small plain PNG files are read as the general decoder reads them, or left to it. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePixels } from '../../src/data/image/pixels.js';
import { decodeSmallPng, encodeSmallPng } from '../../src/entries/service/small-png.js';

const pixels = (width: number, height: number, channels: 1 | 3) => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: width * height * channels }, (_, at) => (at * at * 31 + (at % 7) * 19) & 255),
});
const raw = ({ width, height, channels }: ReturnType<typeof pixels>) => ({ raw: { width, height, channels } });

describe.each([
  [1, 1, 1],
  [28, 28, 1],
  [33, 7, 3],
  [64, 64, 3],
  [1, 200, 3],
] as const)('%d×%d of %d channels', (width, height, channels) => {
  const picture = pixels(width, height, channels);

  it('is decoded to the values that the general decoder gives, whatever filters it has', async () => {
    for (const options of [{}, { compressionLevel: 0 }, { compressionLevel: 9, adaptiveFiltering: true }]) {
      const image = sharp(picture.data, raw(picture));
      const file = await (channels === 1 ? image.toColourspace('b-w') : image).png(options).toBuffer();
      const ours = decodeSmallPng(file)!;
      const general = await decodePixels({ bytes: file, name: 'x.png' });
      expect(ours).toMatchObject({ width, height, channels });
      expect(Buffer.from(ours.data)).toEqual(Buffer.from(picture.data));
      expect(Buffer.from(general.data as Uint8Array)).toEqual(Buffer.from(picture.data));
    }
  });

  it('is encoded to a file that others read', async () => {
    const file = encodeSmallPng(picture)!;
    const image = channels === 1 ? sharp(file).toColourspace('b-w') : sharp(file);
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([width, height, channels]);
    expect(data).toEqual(Buffer.from(picture.data));
  });
});

it('whatever is otherwise is left to the general decoder', async () => {
  const picture = sharp(pixels(20, 20, 3).data, raw(pixels(20, 20, 3)));
  const plain = await picture.clone().png().toBuffer();
  const others = [
    await picture.clone().ensureAlpha().png().toBuffer(),
    await picture.clone().png({ progressive: true }).toBuffer(),
    await picture.clone().png({ palette: true, colours: 8 }).toBuffer(),
    await picture.clone().toColourspace('rgb16').png().toBuffer(),
    await picture.clone().withMetadata({ orientation: 6 }).png().toBuffer(),
    await picture.clone().jpeg().toBuffer(),
    await sharp({ create: { width: 400, height: 400, channels: 3, background: 'red' } })
      .png()
      .toBuffer(),
    Buffer.alloc(0),
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'.padEnd(100)),
  ];
  for (const file of others) expect(decodeSmallPng(file)).toBeUndefined();
  // Damage anywhere: never other values, never an exception.
  for (let at = 0; at < plain.length; at += 1) {
    const damaged = Buffer.from(plain);
    damaged[at]! ^= 1 << (at % 8);
    expect(decodeSmallPng(damaged)).toBeUndefined();
  }
  for (let length = 0; length < plain.length; length += 1)
    expect(decodeSmallPng(plain.subarray(0, length))).toBeUndefined();
});
