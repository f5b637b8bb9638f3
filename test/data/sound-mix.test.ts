/** Many channels to few, sounds that are not what they are called, and values that are no numbers. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resampled } from '../../src/data/audio/resample.js';
import { readAudio } from '../../src/data/index.js';
import { temporaryFolder } from '../support/temporary.js';

const golden = (name: string) => fileURLToPath(new URL(`../golden/reading/files/${name}`, import.meta.url));
const folder = temporaryFolder('mix');
const at = (name: string) => join(folder, name);

/** One sample of each channel. */
const source = (values: readonly number[], mask: number) => ({
  ...{ sampleRate: 8000, channels: values.length, length: 1, mask },
  read: async () => Float32Array.from(values),
});
const mixed = async (values: readonly number[], mask: number, channels: number) =>
  Array.from(await resampled(source(values, mask), 8000, channels).read(0, 1));

function wav(samples: Float32Array, channels: number): Buffer {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(3, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(32000 * channels, 28);
  head.writeUInt16LE(4 * channels, 32);
  head.writeUInt16LE(32, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}

describe('mixing', () => {
  it.each([
    ['5.1, left', [1, 0, 0, 0, 0, 0], [1, 0]],
    ['5.1, centre', [0, 0, 1, 0, 0, 0], [Math.SQRT1_2, Math.SQRT1_2]],
    ['5.1, low frequencies', [0, 0, 0, 1, 0, 0], [0, 0]],
    ['5.1, left surround', [0, 0, 0, 0, 1, 0], [Math.SQRT1_2, 0]],
    ['5.1, right surround', [0, 0, 0, 0, 0, 1], [0, Math.SQRT1_2]],
  ])('of %s is that of ITU-R BS.775', async (_, values, expected) => {
    for (const mask of [0x3f, 0x60f, 0]) {
      const both = await mixed(values, mask, 2);
      for (const [index, value] of both.entries()) expect(value).toBeCloseTo(expected[index]!, 6);
      expect((await mixed(values, mask, 1))[0]).toBeCloseTo((expected[0]! + expected[1]!) / 2, 6);
    }
  });

  it('follows the mask where it says another order', async () => {
    // Centre alone, back left, back right: bits 2, 4 and 5.
    expect((await mixed([1, 0, 0], 0x34, 2)).map((value) => value.toFixed(4))).toEqual(['0.7071', '0.7071']);
    expect((await mixed([0, 1, 0], 0x34, 2)).map((value) => value.toFixed(4))).toEqual(['0.7071', '0.0000']);
  });

  it('of one and two channels is as ever', async () => {
    expect(await mixed([0.5], 0, 2)).toEqual([0.5, 0.5]);
    expect((await mixed([0.5, 0.25], 0, 1))[0]).toBeCloseTo(0.375, 6);
  });

  it('is told, and so is sound that cancels', async () => {
    const { notes } = await readAudio(golden('surround.wav'), { channels: 2, frame: 64 });
    expect(notes).toEqual([
      expect.stringMatching(/6 channels are mixed to 2, as ITU-R BS\.775 has it: .*surround\.wav/),
    ]);
    const both = Float32Array.from({ length: 4000 }, (_, index) => Math.sin((index >> 1) / 5) * (index % 2 ? 1 : -1));
    await writeFile(at('cancels.wav'), wav(both, 2));
    expect((await readAudio(at('cancels.wav'))).notes).toEqual([
      expect.stringMatching(/left and right cancel .*--channels 2 keeps both.*cancels\.wav/),
    ]);
    expect((await readAudio(at('cancels.wav'), { channels: 2 })).notes).toEqual([]);
  });
});

it('names the sample of a float file that is no number, and skips such files when asked', async () => {
  const samples = Float32Array.from({ length: 9000 }, (_, index) => Math.sin(index / 7));
  await writeFile(at('good.wav'), wav(samples, 1));
  samples[4321] = Number.NaN;
  await writeFile(at('nan.wav'), wav(samples, 1));
  await expect(readAudio(at('nan.wav'))).rejects.toMatchObject({
    code: 'ERR_VAE_DATA',
    message: expect.stringMatching(/nan\.wav: sample 4321 \(at 0\.5401 s\) is NaN/),
  });
  const skipped: string[] = [];
  const options = { skipBad: true, onSkip: (name: string) => skipped.push(name) };
  expect((await readAudio([at('good.wav'), at('nan.wav')], options)).length).toBeGreaterThan(5);
  expect(skipped).toEqual([at('nan.wav')]);
});

it('tells a pointer of Git LFS from a sound', async () => {
  await writeFile(at('pointer.wav'), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n');
  await expect(readAudio(at('pointer.wav'))).rejects.toThrow(/pointer\.wav: a pointer of Git LFS.*git lfs pull/);
});
