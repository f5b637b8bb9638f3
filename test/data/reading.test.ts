/** Pictures and sounds of many kinds beside what Pillow, tifffile and soundfile read; see test/golden/reading. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openSound } from '../../src/data/audio/open.js';
import { fileAt } from '../../src/data/find-files.js';
import { decodePicture } from '../../src/data/image/decode.js';
import { decodePixels } from '../../src/data/image/pixels.js';
import { hasFfmpeg } from '../support/ffmpeg.js';

const FOLDER = fileURLToPath(new URL('../golden/reading', import.meta.url));
const at = (name: string) => join(FOLDER, 'files', name);

interface Golden {
  readonly pictures: Readonly<
    Record<string, { shape: readonly number[]; values: readonly number[]; sum: number; grey?: readonly number[] }>
  >;
  readonly sounds: Readonly<Record<string, { length: number; values: readonly number[] }>>;
}
const golden = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8')) as Golden;

describe('pictures have the values that reference readers give', () => {
  it.each(Object.entries(golden.pictures))('%s', async (name, { shape, values, sum }) => {
    const pixels = await decodePixels(fileAt(at(name)));
    const [height, width, channels = 1] = shape;
    expect([pixels.height, pixels.width, pixels.channels]).toEqual([height, width, channels]);
    expect(Array.from(pixels.data.subarray(0, values.length))).toEqual(values);
    let total = 0;
    for (const value of pixels.data) total += value;
    expect(total).toBeCloseTo(sum, 3);
  });

  const coloured = Object.entries(golden.pictures).filter(([, { grey }]) => grey);
  it.each(coloured)('%s in grey, within one of Pillow', async (name, { grey }) => {
    const { data } = await decodePicture(fileAt(at(name)), { colour: 'grey', depth: 8, values: 'stored' });
    expect(coloured.length).toBeGreaterThan(5);
    for (const [index, value] of data.entries()) expect(Math.abs(value - grey![index]!)).toBeLessThanOrEqual(1);
  });
});

/** Coded in ways that are left to ffmpeg. */
const BY_FFMPEG = ['ima.wav', 'ms.wav'];

describe('sounds have the values that soundfile gives', () => {
  const own = Object.entries(golden.sounds).filter(([name]) => !BY_FFMPEG.includes(name));
  it.each(own)('%s', async (name, { length, values }) => {
    const sound = await openSound(fileAt(at(name)), {});
    const { channels } = sound.info;
    expect(sound.info.length * channels).toBe(length);
    const read = await sound.use((source) => source.read(0, sound.info.length));
    for (const [index, value] of values.entries()) {
      const place = (index % channels) * sound.info.length + Math.floor(index / channels);
      expect(Math.abs(read[place]! - value)).toBeLessThan(1e-6);
    }
  });

  // Without ffmpeg such files are refused by name; .ci/run installs it.
  it.skipIf(!hasFfmpeg).each(BY_FFMPEG)('%s, through ffmpeg', async (name) => {
    const { values } = golden.sounds[name]!;
    const sound = await openSound(fileAt(at(name)), {});
    const read = await sound.use((source) => source.read(0, values.length));
    for (const [index, value] of values.entries()) expect(Math.abs(read[index]! - value)).toBeLessThan(1e-6);
  });
});
