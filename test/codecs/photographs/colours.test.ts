/** Tiles of few colours: every shape comes back, what is drawn takes less than by general compressors, damage is told. */
import { createHash } from 'node:crypto';
import { brotliCompressSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeColours, encodeColours } from '../../../src/codecs/photographs/colours.js';
import { decodeTile, encodeTile } from '../../../src/codecs/photographs/tile-coders.js';
import type { TileShape } from '../../../src/codecs/photographs/tile-shape.js';

type Value = (x: number, y: number, channel: number) => number;

function samplesOf({ width, height, channels, bits }: TileShape, value: Value): Uint8Array {
  const most = 2 ** bits - 1;
  return Uint8Array.from({ length: width * height * channels }, (_, index) => {
    const pixel = Math.floor(index / channels);
    return value(pixel % width, Math.floor(pixel / width), index % channels) & most;
  });
}

const hash = (x: number, y: number, channel: number): number =>
  Math.imul(Math.imul(x * 7919 + y * 104_729 + channel * 31 + 1, 0x9e3779b1) ^ 0x5bd1e995, 0x85ebca6b) >>> 24;

/** Letters of a kind on lines, in two colours with edges between them. */
const page: Value = (x, y, channel) => {
  const letter = hash(Math.floor(x / 7), Math.floor(y / 12), 9) % 24;
  const [left, top] = [x % 7, y % 12];
  const inside = top < 9 && left < 6 && (hash(left >> 1, top >> 1, letter) & 1) === 1;
  const edge = inside && (hash(left, top, letter) & 7) === 0;
  return [edge ? 120 : inside ? 20 : 240, edge ? 130 : inside ? 30 : 245, edge ? 160 : 60, 255][channel]!;
};

const VALUES: Readonly<Record<string, Value>> = {
  page,
  noise: hash,
  'few colours': (x, y, channel) => (hash(x >> 2, y >> 2, 5) % 5) * (40 + channel),
  slope: (x, y, channel) => x * 3 + y * 5 + channel * 17,
  nothing: () => 0,
};
const SIDES = [
  [1, 1],
  [1, 70],
  [70, 1],
  [2, 2],
  [5, 3],
  [61, 47],
] as const;

describe('tiles of few colours', () => {
  for (const channels of [1, 2, 3, 4] as const) {
    it(`come back with ${channels} channels of 1 to 8 bits`, async () => {
      for (const bits of channels === 1 ? [1, 2, 3, 4, 8] : [8]) {
        for (const [width, height] of SIDES) {
          for (const [name, value] of Object.entries(VALUES)) {
            const shape = { width, height, channels, bits };
            const samples = samplesOf(shape, value);
            const bytes = await encodeColours(samples, shape);
            const back = await decodeColours(bytes, shape);
            expect(Buffer.compare(back, samples), `${name} ${width}×${height}, ${bits} bits`).toBe(0);
          }
        }
      }
    }, 60_000);
  }

  it('come back where they end with one colour: those bytes are zeros, and not cut off', async () => {
    const shape = { width: 900, height: 700, channels: 1, bits: 8 };
    const samples = samplesOf(shape, (x, y, channel) => (y < 8 ? hash(x, y, channel) : 0));
    expect(Buffer.compare(await decodeColours(await encodeColours(samples, shape), shape), samples)).toBe(0);
  });

  it('take less than Brotli, by far', async () => {
    for (const channels of [1, 3, 4] as const) {
      const shape = { width: 480, height: 300, channels, bits: 8 };
      const samples = samplesOf(shape, page);
      const general = brotliCompressSync(samples, {
        params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: samples.length },
      });
      const bytes = await encodeColours(samples, shape);
      expect(bytes.length).toBeLessThan(0.85 * general.length);
      const tile = await encodeTile(samples, shape, true, { codec: undefined });
      expect(tile[0]).toBe(8);
      expect(tile).toHaveLength(bytes.length + 1);
      expect(Buffer.compare((await decodeTile(tile, shape, { codec: undefined })) as Uint8Array, samples)).toBe(0);
    }
  });

  it('are the same bytes as ever, everywhere', async () => {
    const sum = createHash('sha256');
    for (const channels of [1, 2, 3, 4] as const) {
      for (const value of Object.values(VALUES)) {
        const shape = { width: 97, height: 61, channels, bits: 8 };
        sum.update(await encodeColours(samplesOf(shape, value), shape));
      }
    }
    const bits = { width: 97, height: 61, channels: 1, bits: 1 } as const;
    sum.update(await encodeColours(samplesOf(bits, page), bits));
    expect(sum.digest('hex')).toBe('20282e8697753c8cf1e13667d83d1f7f8812b4740ec26fae869700e2922b2272');
  });

  it('that are damaged are told or decode to something, and never to more than they say', async () => {
    const shape = { width: 24, height: 20, channels: 4, bits: 8 } as const;
    const samples = samplesOf(shape, hash);
    const bytes = await encodeColours(samples, shape);
    // What is told here is what ends too early; the checksum of the rows tells of all others.
    const expectOther = async (damaged: Uint8Array, what: string): Promise<void> => {
      try {
        const found = await decodeColours(damaged, shape);
        expect(found).toHaveLength(samples.length);
        expect(Buffer.compare(found, samples), what).not.toBe(0);
      } catch (error) {
        expect(error, what).toMatchObject({ code: 'ERR_VAE_FORMAT' });
      }
    };
    for (let at = 0; at < bytes.length - 8; at += 3) {
      const flipped = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte));
      await expectOther(flipped, `another byte at ${at}`);
      await expectOther(bytes.subarray(0, at), `cut at ${at}`);
    }
  }, 60_000);

  it('end where their bytes do: a few cannot keep a reader busy for millions of pixels', async () => {
    const shape = { width: 1280, height: 13_107, channels: 3, bits: 8 } as const;
    for (const bytes of [new Uint8Array(0), Uint8Array.of(255, 255, 255, 255), new Uint8Array(20)])
      await expect(decodeTile(Buffer.concat([Buffer.of(8), bytes]), shape, { codec: undefined })).rejects.toMatchObject(
        {
          code: 'ERR_VAE_FORMAT',
          message: expect.stringContaining('ends too early'),
        },
      );
  });

  it('of more than 8 bits are refused', async () => {
    const shape = { width: 4, height: 4, channels: 1, bits: 12 } as const;
    await expect(decodeTile(Buffer.of(8, 1, 2, 3), shape, { codec: undefined })).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
    });
  });

  it('stop when they are told to', async () => {
    const shape = { width: 1000, height: 1000, channels: 1, bits: 8 } as const;
    const reason = new Error('enough');
    await expect(encodeColours(samplesOf(shape, hash), shape, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
