import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RECORD_BYTES } from '../../src/archive/format.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { compress, decompress, openArchive, openPictures, openSounds, soundItems } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { fromItems, type SampleFormat, toItems } from '../../src/codecs/sound/residuals.js';
import { decodeSegment, encodeSegment, encodeSegmentName, SEGMENT_BYTES } from '../../src/codecs/sound/segment.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { randomNumbers } from './random-spec.js';

let folder: string;
let codec: Codec;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  codec = await Codec.load(fileURLToPath(new URL('../../models/sound-codec', import.meta.url)));
});
afterAll(() => codec.close());
beforeEach(async () => {
  folder = temporaryFolderOfTest('sound');
});

interface Wav extends SampleFormat {
  readonly frames: number;
  readonly noise?: number;
  readonly loudness?: number;
  /** Chunks before and after the sound. */
  readonly before?: Buffer;
  readonly after?: Buffer;
}

const chunk = (name: string, body: Uint8Array) => {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
};

/** Two tones that fade, with some noise: the same for the same numbers. */
function samplesOf({ channels, bytesPerSample, frames, noise = 0.002, loudness = 0.5 }: Wav): Buffer {
  const random = randomNumbers(frames + channels);
  const out = Buffer.alloc(frames * channels * bytesPerSample);
  const top = 2 ** (8 * bytesPerSample - 1) - 1;
  for (let frame = 0; frame < frames; frame += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const tone = Math.sin(frame * 0.03 + channel) + 0.4 * Math.sin(frame * 0.21) * Math.cos(frame / 9000);
      const value = loudness * 0.7 * tone + noise * (2 * random() - 1);
      const level = Math.max(-top - 1, Math.min(top, Math.round(top * value)));
      const place = (frame * channels + channel) * bytesPerSample;
      if (bytesPerSample === 1) out.writeUInt8(level + 128, place);
      else out.writeIntLE(level, place, bytesPerSample);
    }
  }
  return out;
}

function wavOf(wav: Wav, samples = samplesOf(wav), bits = 8 * wav.bytesPerSample): Buffer {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0);
  format.writeUInt16LE(wav.channels, 2);
  format.writeUInt32LE(44100, 4);
  format.writeUInt32LE((44100 * wav.channels * bits) / 8, 8);
  format.writeUInt16LE((wav.channels * bits) / 8, 12);
  format.writeUInt16LE(bits, 14);
  const parts = [
    chunk('fmt ', format),
    wav.before ?? Buffer.alloc(0),
    chunk('data', samples),
    wav.after ?? Buffer.alloc(0),
  ];
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...parts]));
}

async function roundTrip(name: string, bytes: Uint8Array): Promise<{ bytesOut: number; coded: boolean }> {
  await writeFile(at(name), bytes);
  const { bytesOut, bytesIn } = await compress(at(name), { model: codec, output: at('x.vaez'), force: true });
  expect(bytesIn).toBe(bytes.length);
  expect((await stat(at('x.vaez'))).size).toBe(bytesOut);
  const { path } = await decompress(at('x.vaez'), { model: codec, output: at('out'), force: true });
  expect(path).toBe(at('out', name));
  expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
  return { bytesOut, coded: bytesOut < bytes.length };
}

describe('toItems and fromItems', () => {
  const formats = [1, 2, 3].flatMap((channels) =>
    ([1, 2, 3] as const).map((bytesPerSample): SampleFormat => ({ channels, bytesPerSample })),
  );
  it.each(formats)('are each other’s reverse on noise, extremes and steps: %o', async (format) => {
    const random = randomNumbers(7);
    for (const frames of [1, 31, 32, 33, 3000]) {
      const size = frames * format.channels * format.bytesPerSample;
      const kinds: Record<string, (i: number) => number> = {
        noise: () => Math.floor(256 * random()),
        silence: () => 0,
        // Square waves at both ends of the range: every residual wraps around.
        steps: (i) => (Math.floor(i / 14) % 2 === 0 ? (i % 2 === 0 ? 255 : 127) : i % 2 === 0 ? 0 : 128),
      };
      for (const value of Object.values(kinds)) {
        const samples = Uint8Array.from({ length: size }, (_, i) => value(i));
        const coded = await toItems(samples, format, 32);
        expect(coded.items.length).toBe(Math.ceil(frames / 32) * format.channels * 32);
        expect(Buffer.compare(await fromItems(coded, frames, format, 32), samples)).toBe(0);
        const { items, bits } = coded;
        const longer = { items, bits: Buffer.concat([bits, Buffer.from([1])]) };
        await expect(fromItems(longer, frames, format, 32)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
        if (bits.length === 0) continue;
        const shorter = { items, bits: bits.subarray(0, -1) };
        await expect(fromItems(shorter, frames, format, 32)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
      }
    }
  });

  it('look alike however loud the sound is', async () => {
    const format = { channels: 1, bytesPerSample: 2 } as const;
    const spreads: number[] = [];
    for (const noise of [0.002, 0.02, 0.2]) {
      const { items, bits } = await toItems(samplesOf({ ...format, frames: 20_000, noise }), format, 128);
      const late = Array.from(items.subarray(2000), (value) => Math.ceil(value / 2));
      spreads.push(late.reduce((sum, value) => sum + value, 0) / late.length);
      // What stands outside of the items is far from the 16 bits of a sample.
      expect((8 * bits.length) / 20_000).toBeLessThan(Math.log2(noise * 32767));
    }
    for (const spread of spreads) {
      expect(spread).toBeGreaterThan(6);
      expect(spread).toBeLessThan(20);
    }
  });
});

describe('sound files in archives', () => {
  it.each([
    ['16-bit mono', { channels: 1, bytesPerSample: 2, frames: 200_000 }],
    ['16-bit stereo', { channels: 2, bytesPerSample: 2, frames: 80_001 }],
    ['8-bit mono', { channels: 1, bytesPerSample: 1, frames: 50_001 }],
    ['8-bit stereo', { channels: 2, bytesPerSample: 1, frames: 30_000 }],
    ['16-bit, 3 channels', { channels: 3, bytesPerSample: 2, frames: 50_000 }],
    ['24-bit stereo', { channels: 2, bytesPerSample: 3, frames: 30_000 }],
  ] as const)('come out byte for byte and smaller than by Brotli: %s', async (_, format) => {
    const wav = wavOf({
      ...format,
      before: chunk('LIST', Buffer.from('INFOISFTtest')),
      after: chunk('id3 ', Buffer.alloc(33, 7)),
    });
    const { bytesOut } = await roundTrip('tone.wav', wav);
    await using archive = await openSounds(at('x.vaez'), { model: codec });
    const { brotliCompressSync } = await import('node:zlib');
    expect(bytesOut).toBeLessThan(0.9 * brotliCompressSync(wav).length);
    expect(archive.sounds).toEqual([{ name: 'tone.wav', chunks: archive.sounds[0]!.chunks }]);
    expect(archive.chunkCount).toBe(Math.ceil(wav.length / SEGMENT_BYTES));
    expect(Buffer.compare(await archive.read('tone.wav'), wav)).toBe(0);
  });

  it('come out byte for byte where they are odd', async () => {
    const plain = wavOf({ channels: 1, bytesPerSample: 2, frames: 3000 });
    const samples32 = Buffer.alloc(12_000, 5);
    const cases: Record<string, Buffer> = {
      'no samples': wavOf({ channels: 1, bytesPerSample: 2, frames: 0 }),
      'one sample': wavOf({ channels: 1, bytesPerSample: 2, frames: 1 }),
      truncated: plain.subarray(0, 3001),
      'half a frame': Buffer.concat([plain, Buffer.from([1])]),
      '32 bits': wavOf({ channels: 1, bytesPerSample: 2, frames: 3000 }, samples32, 32),
      'no WAV at all': Buffer.from('not a sound, but somebody called it so'),
      'a large header': wavOf({
        channels: 1,
        bytesPerSample: 2,
        frames: 3000,
        before: chunk('pic ', Buffer.alloc(SEGMENT_BYTES + 5, 9)),
      }),
    };
    for (const [name, bytes] of Object.entries(cases)) await roundTrip(`${name}.wav`, bytes);
  });

  it('are never more than 1 % larger, or 64 bytes where they are short', async () => {
    const random = randomNumbers(3);
    for (const frames of [10, 1000, 150_000]) {
      const noise = Buffer.from(Array.from({ length: 2 * frames }, () => Math.floor(256 * random())));
      const wav = wavOf({ channels: 1, bytesPerSample: 2, frames }, noise);
      const { bytesOut } = await roundTrip('noise.wav', wav);
      expect(bytesOut).toBeLessThanOrEqual(Math.max(1.01 * wav.length, wav.length + 64));
    }
  });

  it('go in as folders, with their paths', async () => {
    await mkdir(at('in', 'deep'), { recursive: true });
    const files = ['a.wav', 'deep/b.WAV', 'deep/c.wav'];
    for (const [index, name] of files.entries()) {
      await writeFile(at('in', name), wavOf({ channels: 1, bytesPerSample: 2, frames: 14_000 + 500 * index }));
    }
    await writeFile(at('in', 'notes.txt'), 'recorded on Sunday');
    const progress: number[] = [];
    const result = await compress(at('in'), {
      ...{ model: codec, output: at('x.vaez'), embedModel: true },
      onProgress: ({ bytesIn }) => progress.push(bytesIn),
    });
    expect(result).toMatchObject({ items: 3, chunks: 3 });
    expect(progress.at(-1)).toBe(result.bytesIn);
    const unpacked = await decompress(at('x.vaez'), { output: at('out') });
    expect(unpacked).toMatchObject({ items: 3, path: at('out'), bytesOut: result.bytesIn, damaged: [] });
    for (const name of files) {
      expect(Buffer.compare(await readFile(at('out', name)), await readFile(at('in', name)))).toBe(0);
    }
  });

  it('refuse what does not go together', async () => {
    await writeFile(at('a.wav'), wavOf({ channels: 1, bytesPerSample: 2, frames: 100 }));
    await writeFile(at('b.png'), 'picture');
    await mkdir(at('other'));
    await writeFile(at('other', 'A.WAV'), wavOf({ channels: 1, bytesPerSample: 2, frames: 100 }));
    await expect(compress(at('a.wav'), { model: 'mnist-codec' })).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('sound-codec'),
    });
    await expect(compress([at('a.wav'), at('b.png')], { model: codec, others: 'fail' })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
    });
    await writeFile(at('other', 'a.wav'), wavOf({ channels: 1, bytesPerSample: 2, frames: 101 }));
    await expect(compress([at('a.wav'), at('other')], { model: codec })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
    });
    const { archive } = await compress(at('a.wav'), { model: codec });
    await expect(openArchive(archive!)).rejects.toThrow('openSounds()');
    await expect(openPictures(archive!)).rejects.toThrow('openSounds()');
    const digit = { data: new Uint8Array(784), shape: [1, 28, 28] };
    const { archive: digits } = await compress(digit, { model: 'mnist-codec' });
    await expect(openSounds(digits!)).rejects.toThrow('openArchive()');
  });
});

describe('interruption and damage', () => {
  const long = wavOf({ channels: 1, bytesPerSample: 2, frames: 300_000 });

  it('goes on where it stopped, both ways', async () => {
    await writeFile(at('long.wav'), long);
    const stop = new AbortController();
    const options = { model: codec, output: at('x.vaez'), threads: 1 };
    await expect(
      compress(at('long.wav'), { ...options, signal: stop.signal, onProgress: () => stop.abort(new Error('stop')) }),
    ).rejects.toThrow('stop');
    const { resumedChunks, chunks } = await compress(at('long.wav'), options);
    expect(chunks).toBe(3);
    expect(resumedChunks).toBeGreaterThan(0);
    const again = new AbortController();
    await expect(
      decompress(at('x.vaez'), {
        ...{ model: codec, output: at('out'), threads: 1, signal: again.signal },
        onProgress: () => again.abort(new Error('stop')),
      }),
    ).rejects.toThrow('stop');
    expect(await readdir(at('out'))).toEqual(['.long.wav.partial']);
    const unpacked = await decompress(at('x.vaez'), { model: codec, output: at('out') });
    expect(unpacked.resumedChunks).toBeGreaterThan(0);
    expect(unpacked.resumedChunks).toBeLessThan(3);
    expect(Buffer.compare(await readFile(at('out', 'long.wav')), long)).toBe(0);
    // And once more there is nothing to do.
    expect((await decompress(at('x.vaez'), { model: codec, output: at('out') })).resumedChunks).toBe(3);
    // Unless the file is another by now.
    const changed = Buffer.from(long);
    changed[300_000]! ^= 1;
    await writeFile(at('out', 'long.wav'), changed);
    await expect(decompress(at('x.vaez'), { model: codec, output: at('out') })).rejects.toThrow('--force');
    expect(Buffer.compare(await readFile(at('out', 'long.wav')), changed)).toBe(0);
    await decompress(at('x.vaez'), { model: codec, output: at('out'), force: true });
    expect(Buffer.compare(await readFile(at('out', 'long.wav')), long)).toBe(0);
  });

  it('adds to an archive', async () => {
    await writeFile(at('a.wav'), wavOf({ channels: 1, bytesPerSample: 2, frames: 40_000 }));
    await writeFile(at('b.wav'), wavOf({ channels: 2, bytesPerSample: 1, frames: 40_000 }));
    await compress(at('a.wav'), { model: codec, output: at('x.vaez') });
    await compress(at('b.wav'), { model: codec, output: at('x.vaez'), append: true });
    await using archive = await openSounds(at('x.vaez'), { model: codec });
    expect(archive.sounds.map(({ name }) => name)).toEqual(['a.wav', 'b.wav']);
    expect(await archive.verify()).toEqual([]);
    for (const name of ['a.wav', 'b.wav']) {
      expect(Buffer.compare(await archive.read(name), await readFile(at(name)))).toBe(0);
    }
  });

  it('reports a damaged chunk by its number; the others decode', async () => {
    await writeFile(at('long.wav'), long);
    const { archive } = await compress(at('long.wav'), { model: codec });
    const offsets = chunkOffsets(archive!);
    for (const place of [offsets[1]! + RECORD_BYTES + 200, offsets[1]! + RECORD_BYTES + 2, offsets[1]! + 5]) {
      const broken = Uint8Array.from(archive!);
      broken[place]! ^= 64;
      await rm(at('out'), { recursive: true, force: true });
      await expect(decompress(broken, { model: codec, output: at('out') })).rejects.toMatchObject({
        code: 'ERR_VAE_FORMAT',
      });
      expect(await readdir(at('out'))).toEqual([]);
      const { damaged } = await decompress(broken, { model: codec, output: at('out'), salvage: true });
      expect(damaged.map((each) => each.chunk)).toEqual([1]);
      const rescued = await readFile(at('out', 'long.wav'));
      const expected = Buffer.from(long);
      expected.fill(0, SEGMENT_BYTES, 2 * SEGMENT_BYTES);
      expect(Buffer.compare(rescued, expected)).toBe(0);
      await using opened = await openSounds(broken, { model: codec });
      expect((await opened.verify()).map((each) => each.chunk)).toEqual([1]);
      await expect(opened.read('long.wav')).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    }
  });

  it('never gives other bytes, wherever a bit of a part is turned', async () => {
    const random = randomNumbers(5);
    const bytes = wavOf({ channels: 2, bytesPerSample: 2, frames: 2000 });
    const name = encodeSegmentName({ file: 'a.wav', index: 0, count: 1 });
    const sound = { channels: 2, bytesPerSample: 2, start: 44, frames: 2000 } as const;
    const { header, bytes: record } = await encodeSegment(codec, { items: bytes, count: 1, names: [name] }, sound, {
      verify: true,
    });
    expect(header.method).toBe('coded');
    const payload = record.subarray(RECORD_BYTES);
    for (let turn = 0; turn < 150; turn += 1) {
      const broken = Uint8Array.from(payload);
      // The numbers before the coded items more often than their share.
      const place = turn % 3 === 0 ? header.namesBytes + (turn % 30) : Math.floor(random() * broken.length);
      broken[place]! ^= 1 << Math.floor(random() * 8);
      const decoded = await decodeSegment(codec, header, broken).then(
        (found) => Buffer.compare(found.bytes, bytes) === 0,
        (error: { code: string }) => error.code === 'ERR_VAE_FORMAT',
      );
      expect(decoded).toBe(true);
    }
  });

  it('leaves no folder, and believes no counts', async () => {
    const write = async (name: string): Promise<Uint8Array> => {
      const pieces: Uint8Array[] = [];
      const writer = new ArchiveWriter(async (bytes) => {
        pieces.push(bytes);
      });
      await writer.header({ kind: 'sounds' });
      await writer.chunk(
        await encodeSegment(codec, { items: Buffer.from('abc'), count: 1, names: [name] }, undefined, { verify: true }),
      );
      await writer.end();
      return new Uint8Array(Buffer.concat(pieces));
    };
    for (const name of ['1/1 ../out.wav', '1/1 /tmp/x.wav', '1/1 ', '2/1 a.wav', 'a.wav', '1/900000000 a.wav']) {
      const archive = await write(name);
      await expect(decompress(archive, { output: at('out') }), name).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
      expect(await readdir(folder)).toEqual(['out']);
      expect(await readdir(at('out'))).toEqual([]);
    }
    const good = await write('1/1 a.wav');
    await expect(decompress(good, { output: at('out'), maxOutputBytes: 2 })).rejects.toThrow('maxOutputBytes');
    await decompress(good, { output: at('out') });
    expect(await readFile(at('out', 'a.wav'), 'utf8')).toBe('abc');
  });
});

describe('soundItems', () => {
  it('gives what a model of sound is trained on', async () => {
    const wav = { channels: 2, bytesPerSample: 2, frames: 10_000 } as const;
    await writeFile(at('a.wav'), wavOf(wav));
    const items = await soundItems(folder, { width: 64 });
    expect(items.rowShape).toEqual([1, 1, 64]);
    expect(items.length).toBe(2 * Math.ceil(10_000 / 64));
    expect(Buffer.compare(items.memory as Uint8Array, (await toItems(samplesOf(wav), wav, 64)).items)).toBe(0);
    expect((await soundItems(folder, { width: 64, maxItems: 9 })).length).toBe(9);
    await expect(soundItems(at('none'))).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await mkdir(at('empty'));
    await expect(soundItems(at('empty'))).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  });
});

/** Where the chunks of an archive without a model record begin. */
function chunkOffsets(archive: Uint8Array): number[] {
  const view = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const offsets: number[] = [];
  let offset = 16 + view.readUInt32LE(12) + 4;
  while (view[offset] === 1) {
    offsets.push(offset);
    offset += RECORD_BYTES + Number(view.readBigUInt64LE(offset + 16));
  }
  return offsets;
}
