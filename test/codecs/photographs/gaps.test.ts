/** Tiles whose values have gaps, by the model that ships; and tiles of the first release, which told less of them. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_PHOTO_MODEL } from '../../../src/codecs/photographs/models.js';
import { isListed, PhotoCodec } from '../../../src/codecs/photographs/photo-codec.js';
import { decodeTile, encodeTile, needsModel } from '../../../src/codecs/photographs/tile-coders.js';
import type { TileShape } from '../../../src/codecs/photographs/tile-shape.js';
import { randomNumbers } from '../random-spec.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let codec: PhotoCodec;
beforeAll(async () => {
  codec = await PhotoCodec.load(`${root}models/${DEFAULT_PHOTO_MODEL}`);
});
afterAll(async () => {
  await codec?.close();
});

interface Size {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

interface Shape extends Size {
  readonly bits: number;
}

/** Waves with noise, from 0 to `top` in each channel: all of its values occur. */
function waves({ width, height, channels }: Size, top: number, noise = 0.02): number[] {
  const random = randomNumbers(11);
  return Array.from({ length: width * height * channels }, (_, index) => {
    const [x, y] = [Math.floor(index / channels) % width, Math.floor(index / channels / width)];
    const wave = 0.5 + 0.3 * Math.sin(x / 17 + (index % channels)) + 0.25 * Math.cos(y / 11 + x / 40);
    return Math.max(0, Math.min(top, Math.round(top * (wave + noise * random()))));
  });
}

const typed = (values: readonly number[], bits: number) =>
  bits > 8 ? Uint16Array.from(values) : Uint8Array.from(values);

async function sizeOf(values: readonly number[], shape: Shape): Promise<number> {
  const samples = typed(values, shape.bits);
  const bytes = await codec.encodeTile(samples, shape);
  expect(await codec.decodeTile(bytes, shape)).toEqual(samples);
  return bytes.length;
}

describe('values with gaps', () => {
  const picture = { width: 220, height: 160, channels: 3 };

  it('cost what they cost without: contrast that was stretched, of each channel by itself', async () => {
    const dull = waves(picture, 180);
    const plain = await sizeOf(dull, { ...picture, bits: 8 });
    const stretched = dull.map((value, index) => Math.floor(value * [1.4, 1.15, 1.3][index % 3]!));
    expect(await sizeOf(stretched, { ...picture, bits: 8 })).toBeLessThan(1.01 * plain + 100);
  });

  it('cost what they cost without: 10 bits in 16, at the top or scaled', async () => {
    const values = waves(picture, 1023);
    const plain = await sizeOf(values, { ...picture, bits: 10 });
    for (const wide of [
      values.map((value) => value << 6),
      values.map((value) => Math.round((value * 65_535) / 1023)),
    ]) {
      expect(await sizeOf(wide, { ...picture, bits: 16 })).toBeLessThan(1.005 * plain + 1000);
    }
    expect(await sizeOf(values, { ...picture, bits: 16 })).toBeLessThan(1.005 * plain + 100);
  });

  it('of a few samples are not told where that costs more than it saves', async () => {
    // As scans are: 14 bits of noise, whose rare values are missing here and there.
    const small = { width: 64, height: 64, channels: 1 };
    const values = waves(small, 2100, 0.1);
    expect(new Set(values).size).toBeLessThan(1600);
    const wide = await codec.encodeTile(Uint16Array.from(values), { ...small, bits: 16 });
    const exact = await codec.encodeTile(Uint16Array.from(values), { ...small, bits: 12 });
    expect(wide.length).toBeLessThan(exact.length + 30);
  });

  it('come back from every kind of tile', async () => {
    const kinds: [shape: TileShape, step: number][] = [
      [{ width: 50, height: 40, channels: 4, bits: 8 }, 5],
      [{ width: 50, height: 40, channels: 2, bits: 16 }, 257],
      [{ width: 1, height: 700, channels: 1, bits: 16 }, 4096],
      [{ width: 90, height: 3, channels: 3, bits: 1 }, 1],
      [{ width: 120, height: 130, channels: 1, bits: 13 }, 3],
    ];
    for (const [shape, step] of kinds) {
      const values = waves(shape, 2 ** shape.bits - 1).map((value) => value - (value % step));
      // One channel of a single value among others.
      const partly = values.map((value, index) => (index % shape.channels === 1 ? 1 : value));
      for (const some of [values, partly]) {
        const samples = typed(some, shape.bits);
        const coded = await encodeTile(samples, shape, true, { codec });
        expect(needsModel(coded)).toBe([5, 7].includes(coded[0]! & 0x7f));
        expect(await decodeTile(coded, shape, { codec })).toEqual(samples);
        for (const effort of ['fast', 'best'] as const) {
          const bytes = await codec.encodeTile(samples, shape, { effort });
          expect(await codec.decodeTile(bytes, shape)).toEqual(samples);
        }
      }
    }
  });

  it('have a way of coding of their own in archives, so that earlier releases say that they do not know it', async () => {
    const shape = { ...picture, bits: 8 } as const;
    const even = typed(waves(picture, 255), 8);
    const gaps = even.map((value) => value - (value % 3));
    expect(isListed(await codec.encodeTile(even, shape))).toBe(false);
    expect(isListed(await codec.encodeTile(gaps, shape))).toBe(true);
    const [first, second] = [
      await encodeTile(even, { ...shape, channels: 3 }, true, { codec }),
      await encodeTile(gaps, { ...shape, channels: 3 }, true, { codec }),
    ];
    expect([first[0], second[0]]).toEqual([5, 7]);
  });
});

it('tiles of the first release decode', async () => {
  const tiles: { shape: Shape; step: number; bytes: string }[] = JSON.parse(
    await readFile(`${root}test/golden/photographs/first-tiles.json`, 'utf8'),
  );
  expect(tiles.length).toBe(14);
  for (const { shape, step, bytes } of tiles) {
    expect(await codec.decodeTile(Buffer.from(bytes, 'base64'), shape)).toEqual(firstTile(shape, step));
  }
});

/** What the first release coded there: slopes with noise, in multiples of a step. */
function firstTile({ width, height, channels, bits }: Shape, step: number) {
  let state = 7;
  const top = 2 ** bits - 1;
  const samples = Array.from({ length: width * height * channels }, (_, index) => {
    // A linear congruential generator (Numerical Recipes).
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const [x, y] = [Math.floor(index / channels) % width, Math.floor(index / channels / width)];
    const slope = Math.floor((top * (x + 2 * y)) / (width + 2 * height));
    const noise = ((state >>> 24) * top) >>> 13;
    return Math.min(top, Math.floor((slope + noise) / step) * step);
  });
  return typed(samples, bits);
}
