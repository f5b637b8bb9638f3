/** Sound that wastes bits, channels or values: what wastes nothing is the measure, and FLAC where it is installed. */
import { spawnSync } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compress, decompress, openSounds } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { decodeSound, encodeSound } from '../../src/codecs/sound/segment.js';
import { read } from '../jobs/trees.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomNumbers } from './random-spec.js';

const folder = temporaryFolder('sound-waste');
const FRAMES = 90_000;
const hasFlac = spawnSync('flac', ['--version']).status === 0;
let codec: Codec;
beforeAll(async () => {
  codec = await Codec.load(fileURLToPath(new URL('../../models/sound-codec', import.meta.url)));
});
afterAll(() => codec.close());

type Sample = (frame: number, channel: number) => number;

/** Two tones that fade and some noise, within 16 bits. */
function tone(seed: number): Sample {
  const random = randomNumbers(seed);
  return (i, c) =>
    Math.round(6000 * Math.sin(i / (20 + c)) * Math.cos(i / 30_000) + 2000 * Math.sin(i * 0.21) + 300 * random());
}

function wav(channels: number, bits: number, sample: Sample, frames = FRAMES): Buffer {
  const bytes = bits / 8;
  const out = Buffer.alloc(44 + frames * channels * bytes);
  out.write('RIFF', 0);
  out.writeUInt32LE(out.length - 8, 4);
  out.write('WAVEfmt ', 8);
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(1, 20);
  out.writeUInt16LE(channels, 22);
  out.writeUInt32LE(44_100, 24);
  out.writeUInt32LE(44_100 * channels * bytes, 28);
  out.writeUInt16LE(channels * bytes, 32);
  out.writeUInt16LE(bits, 34);
  out.write('data', 36);
  out.writeUInt32LE(out.length - 44, 40);
  for (let i = 0; i < frames; i += 1) {
    for (let c = 0; c < channels; c += 1) {
      const place = 44 + (i * channels + c) * bytes;
      if (bits === 8) out.writeUInt8(sample(i, c) + 128, place);
      else out.writeIntLE(sample(i, c), place, bytes);
    }
  }
  return out;
}

/** Bytes of an archive of one file, which comes out as it went in. */
async function sizeOf(name: string, bytes: Buffer): Promise<number> {
  await writeFile(join(folder, name), bytes);
  const output = join(folder, 'x.vaez');
  const { bytesOut } = await compress(join(folder, name), { model: codec, output, force: true });
  await decompress(output, { model: codec, output: join(folder, 'out'), force: true });
  expect((await read(join(folder, 'out'))).get(name)!.equals(bytes)).toBe(true);
  return bytesOut;
}

async function flacOf(name: string): Promise<number> {
  const out = join(folder, 'x.flac');
  expect(spawnSync('flac', ['-8', '-s', '-f', '--channel-map=none', '-o', out, join(folder, name)]).status).toBe(0);
  return (await stat(out)).size;
}

/** A second channel that is a copy of the first. */
function twice(sample: Sample): Sample {
  let last = 0;
  return (i, c) => {
    if (c === 0) last = sample(i, 0);
    return last;
  };
}

const WASTEFUL: Readonly<Record<string, () => Buffer>> = {
  '16 bits in 24': () => {
    const sample = tone(1);
    return wav(1, 24, (i, c) => sample(i, c) * 256);
  },
  '16 bits in 32': () => {
    const sample = tone(1);
    return wav(1, 32, (i, c) => sample(i, c) * 65_536);
  },
  '16 bits in 24, stereo of one channel': () => {
    const sample = tone(1);
    return wav(
      2,
      24,
      twice((i, c) => sample(i, c) * 256),
    );
  },
  'two equal channels': () => wav(2, 16, twice(tone(1))),
  'a silent channel': () => {
    const sample = tone(1);
    return wav(2, 16, (i, c) => (c === 0 ? sample(i, 0) : 0));
  },
  'a channel that never changes': () => {
    const sample = tone(1);
    return wav(3, 16, (i, c) => (c === 1 ? sample(i, 0) : -77));
  },
};

describe('sound that wastes', () => {
  it.each(Object.keys(WASTEFUL))('%s comes out at the size of what it says', async (what) => {
    const plain = await sizeOf('plain.wav', wav(1, 16, tone(1)));
    const bytes = await sizeOf('wasteful.wav', WASTEFUL[what]!());
    expect(bytes).toBeLessThan(1.01 * plain);
    if (hasFlac) expect(bytes).toBeLessThan(1.02 * (await flacOf('wasteful.wav')));
  });

  it('values that never occur cost nothing: 12 bits made louder', async () => {
    const sample = tone(1);
    const quiet = await sizeOf(
      'quiet.wav',
      wav(1, 16, (i, c) => sample(i, c) >> 4),
    );
    const again = tone(1);
    const loud = await sizeOf(
      'loud.wav',
      wav(1, 16, (i, c) => Math.round((again(i, c) >> 4) * 13.7)),
    );
    expect(loud).toBeLessThan(1.02 * quiet);
    if (hasFlac) expect(loud).toBeLessThan(await flacOf('loud.wav'));
  });

  it('24 bits in 32 are coded, and 32 real bits are kept', async () => {
    const [sample, low] = [tone(1), randomNumbers(4)];
    const within = await sizeOf(
      's24.wav',
      wav(1, 32, (i, c) => (sample(i, c) * 200 + Math.floor(100 * low())) * 256),
    );
    expect(within).toBeLessThan(0.6 * FRAMES * 4);
    if (hasFlac) expect(within).toBeLessThan(1.02 * (await flacOf('s24.wav')));
    const random = randomNumbers(5);
    const all = wav(2, 32, () => Math.floor(2 ** 32 * random()) - 2 ** 31, 20_000);
    expect(await sizeOf('s32.wav', all)).toBeLessThan(1.01 * all.length);
  });

  it('silence of any kind is a few hundred bytes', async () => {
    for (const bits of [8, 16, 24, 32])
      expect(
        await sizeOf(
          'silence.wav',
          wav(2, bits, () => 0),
        ),
      ).toBeLessThan(1500);
    expect(
      await sizeOf(
        'constant.wav',
        wav(2, 16, (_, c) => 77 - 400 * c),
      ),
    ).toBeLessThan(1500);
  });

  it('edges of the range come out: the loudest samples, with a zero bit below', async () => {
    for (const [bits, least] of [
      [8, -128],
      [16, -32_768],
      [24, -8_388_608],
      [32, -(2 ** 31)],
    ] as const) {
      for (const step of [1, 2, 16]) {
        const values = [least, -least - step, 0, -step, step, least + step];
        await sizeOf(
          'edges.wav',
          wav(2, bits, (i, c) => values[(i * 7 + c * (i % 3)) % values.length]!, 3000),
        );
      }
    }
  });

  it('small sounds that share a record waste nothing either', async () => {
    const short = (bits: number, factor: number) => {
      const sample = tone(3);
      return Array.from({ length: 40 }, () => wav(1, bits, (i, c) => sample(i, c) * factor, 400));
    };
    const sizes: number[] = [];
    for (const [name, files] of [
      ['s16', short(16, 1)],
      ['s24', short(24, 256)],
    ] as const) {
      await mkdir(join(folder, name), { recursive: true });
      for (const [index, file] of files.entries()) await writeFile(join(folder, name, `${index}.wav`), file);
      const { archive } = await compress(join(folder, name), { model: codec });
      await using sounds = await openSounds(archive!, { model: codec });
      expect(Buffer.from(await sounds.read('7.wav')).equals(files[7]!)).toBe(true);
      sizes.push(archive!.length);
    }
    expect(sizes[1]!).toBeLessThan(1.02 * sizes[0]! + 200);
  });

  it('damage of what puts it back is told', async () => {
    const sample = tone(1);
    const bytes = wav(
      2,
      24,
      twice((i, c) => sample(i, c) * 256),
      2000,
    );
    const part = { channels: 2, bytesPerSample: 3, start: 44, frames: 2000 } as const;
    const coded = await encodeSound(codec, bytes, part, { verify: true });
    expect(Buffer.compare(await decodeSound(codec, coded!), bytes)).toBe(0);
    const refused = { code: 'ERR_VAE_FORMAT' };
    for (const [at, value] of [
      [2, 4],
      [3, 0],
      [3, 4],
      [4, 32],
      [5, 33],
    ] as const) {
      const broken = Buffer.from(coded!);
      broken[at] = value;
      await expect(decodeSound(codec, broken)).rejects.toMatchObject(refused);
    }
  });
});

it.runIf(!hasFlac)('FLAC is not installed: sizes are held against plain 16 bits only', () => {
  expect(hasFlac).toBe(false);
});
