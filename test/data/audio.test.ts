import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Fourier, inverseShortTimeFourier, shortTimeFourier } from '../../src/data/audio/fourier.js';
import { SoundFramer, SoundJoiner } from '../../src/data/audio/frames.js';
import { rebuildSound, writeSound } from '../../src/data/audio/rebuild.js';
import { resampled, type SoundSource } from '../../src/data/audio/resample.js';
import { fileAt } from '../../src/data/find-files.js';
import { type AudioRecipe, readAudio, readDataset, SoundMeasure, WavFile, WavWriter } from '../../src/data/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('audio');
const at = (...names: string[]) => join(folder, ...names);

/** A chord that swells and fades, with a little of everything. */
const note = (hertz: number, rate: number) => (index: number) =>
  0.4 * Math.sin((2 * Math.PI * hertz * index) / rate) * (0.6 + 0.4 * Math.sin((2 * Math.PI * 3 * index) / rate)) +
  0.1 * Math.sin((2 * Math.PI * 2.5 * hertz * index) / rate);

async function writeWav(
  path: string,
  wave: (index: number, channel: number) => number,
  {
    length,
    sampleRate = 8000,
    channels = 1,
    bits = 16,
  }: { length: number; sampleRate?: number; channels?: number; bits?: 8 | 16 | 24 | 32 },
): Promise<void> {
  const writer = await WavWriter.create(path, { sampleRate, channels, bits });
  await writer.write(
    Float32Array.from({ length: length * channels }, (_, i) => wave(i % length, Math.floor(i / length))),
  );
  await writer.close();
}

const hasFfmpeg = (() => {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

beforeAll(async () => {
  await mkdir(at('notes/low'), { recursive: true });
  await mkdir(at('notes/high'));
  await writeWav(at('notes/low/a.wav'), note(110, 8000), { length: 8000 });
  await writeWav(at('notes/low/b.wav'), note(130, 8000), { length: 4100 });
  await writeWav(at('notes/high/c.wav'), note(880, 8000), { length: 900 });
});

describe('WAV files', () => {
  it.each([8, 16, 24, 32] as const)('give back what was written in %i bits', async (bits) => {
    const path = at(`bits${bits}.wav`);
    const wave = (index: number, channel: number) => Math.sin(index / 7 + channel) * 0.99;
    await writeWav(path, wave, { length: 500, channels: 2, bits, sampleRate: 44100 });
    const wav = await WavFile.open(path);
    expect(wav.info).toEqual({ sampleRate: 44100, channels: 2, bits, float: bits === 32, length: 500 });
    const samples = await wav.read(0, 500);
    const step = bits === 32 ? 1e-7 : 2 ** (1 - bits);
    for (let i = 0; i < 1000; i += 1)
      expect(Math.abs(samples[i]! - wave(i % 500, Math.floor(i / 500)))).toBeLessThan(0.51 * step + 6e-8);
    const part = await wav.read(490, 20);
    expect(part.subarray(0, 10)).toEqual(samples.subarray(490, 500));
    expect(Array.from(part.subarray(10, 20))).toEqual(Array(10).fill(0));
    await wav.close();
  });

  it('count what was too loud', async () => {
    const writer = await WavWriter.create(at('loud.wav'), { sampleRate: 8000, channels: 1 });
    await writer.write(Float32Array.of(1, -1, 1.5, -2, 0));
    await writer.close();
    expect(writer.clipped).toBe(2);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('are read past other chunks, of odd length too, in the extensible form, and without a length', async () => {
    const header = Buffer.alloc(12 + 8 + 3 + 1 + 8 + 40 + 8 + 4);
    header.write('RIFF', 0, 'latin1');
    header.write('WAVEjunk', 8, 'latin1');
    header.writeUInt32LE(3, 16);
    header.write('fmt ', 24, 'latin1');
    header.writeUInt32LE(40, 28);
    header.writeUInt16LE(0xfffe, 32);
    header.writeUInt16LE(1, 34);
    header.writeUInt32LE(8000, 36);
    header.writeUInt16LE(16, 46);
    header.writeUInt16LE(1, 56);
    header.write('data', 72, 'latin1');
    header.writeUInt32LE(0xffffffff, 76);
    header.writeInt16LE(16384, 80);
    header.writeInt16LE(-32768, 82);
    await writeFile(at('chunks.wav'), header);
    const wav = await WavFile.open(at('chunks.wav'));
    expect(Array.from(await wav.read(0, 2))).toEqual([0.5, -1]);
    await wav.close();
  });

  it('refuses what is damaged, and says what it is', async () => {
    const open = (path: string, options = {}) => WavFile.open(path, path, options);
    await writeFile(at('empty.wav'), '');
    await expect(open(at('empty.wav'))).rejects.toThrow(/the file is empty \(0 bytes\)/);
    await writeFile(at('text.wav'), 'this is not a sound at all');
    await expect(open(at('text.wav'))).rejects.toThrow(/does not begin with RIFF/);
    await writeWav(at('cut.wav'), note(200, 8000), { length: 1000 });
    await truncate(at('cut.wav'), 1044);
    await expect(open(at('cut.wav'))).rejects.toThrow(
      /truncated: its header tells of 2000 bytes of sound, 1000 are there \(50 %\)/,
    );
    const kept = await open(at('cut.wav'), { acceptTruncated: true });
    expect(kept.info.length).toBe(500);
    await kept.close();
    const bytes = await readFile(at('bits16.wav'));
    bytes.writeUInt16LE(0x55, 20);
    await writeFile(at('mp3inside.wav'), bytes);
    await expect(open(at('mp3inside.wav'))).rejects.toThrow(/its sound is compressed \(format 85\).*ffmpeg/);
  });

  it('answers hundreds of damaged headers with a VaeError or a sound, never otherwise', async () => {
    const bytes = await readFile(at('chunks.wav'));
    let state = 1;
    const draw = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let round = 0; round < 500; round += 1) {
      const changed = Buffer.from(bytes.subarray(0, draw(4) === 0 ? draw(bytes.length) : bytes.length));
      for (let change = 0; change <= draw(3) && changed.length > 0; change += 1)
        changed[draw(changed.length)] = draw(256);
      await writeFile(at('fuzz.wav'), changed);
      try {
        const wav = await WavFile.open(at('fuzz.wav'));
        await wav.read(0, Math.min(wav.info.length, 100)).finally(() => wav.close());
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^ERR_VAE_/);
      }
    }
  });
});

describe('resampling', () => {
  const source = (wave: (index: number) => number, sampleRate: number, length: number): SoundSource => ({
    sampleRate,
    channels: 1,
    length,
    read: async (start, count) =>
      Float32Array.from({ length: count }, (_, i) => (start + i >= 0 && start + i < length ? wave(start + i) : 0)),
  });

  it.each([
    [44100, 16000],
    [8000, 22050],
    [48000, 8000],
  ])('from %i to %i keeps a tone and its place', async (from, to) => {
    const tone = (rate: number) => (index: number) => Math.sin((2 * Math.PI * 1000 * index) / rate + 0.3);
    const out = await resampled(source(tone(from), from, from), to, 1).read(to / 4, 500);
    for (const [i, value] of out.entries()) expect(Math.abs(value - tone(to)(to / 4 + i))).toBeLessThan(1e-3);
  });

  it('lets nothing through above half of the new rate', async () => {
    const out = await resampled(
      source((i) => Math.sin((2 * Math.PI * 7000 * i) / 44100), 44100, 44100),
      8000,
      1,
    ).read(2000, 500);
    expect(Math.max(...out.map(Math.abs))).toBeLessThan(1e-3);
  });

  it('gives the same samples wherever reading starts', async () => {
    const sound = resampled(source(note(300, 44100), 44100, 44100), 16000, 1);
    const whole = await sound.read(0, 2000);
    const part = await sound.read(777, 100);
    for (const [i, value] of part.entries()) expect(value).toBeCloseTo(whole[777 + i]!, 5);
  });
});

describe('Fourier transforms', () => {
  it('agree with the sum they stand for, and go back', () => {
    const fourier = new Fourier(16);
    const x = Float64Array.from({ length: 16 }, (_, i) => Math.sin(i * i));
    const [re, im] = [x.slice(), new Float64Array(16)];
    fourier.transform(re, im);
    for (let k = 0; k < 16; k += 1) {
      let [a, b] = [0, 0];
      for (let n = 0; n < 16; n += 1) {
        a += x[n]! * Math.cos((2 * Math.PI * k * n) / 16);
        b -= x[n]! * Math.sin((2 * Math.PI * k * n) / 16);
      }
      expect(re[k]).toBeCloseTo(a, 10);
      expect(im[k]).toBeCloseTo(b, 10);
    }
    fourier.transform(re, im, true);
    for (let n = 0; n < 16; n += 1) expect(re[n]).toBeCloseTo(x[n]!, 12);
  });

  it('of short times give the sound back', () => {
    const fourier = new Fourier(256);
    const sound = Float64Array.from({ length: 64 * 40 }, (_, i) => note(440, 8000)(i));
    const back = inverseShortTimeFourier(shortTimeFourier(sound, fourier, 64, 41), fourier, 64, sound.length);
    for (let i = 0; i < sound.length; i += 1) expect(back[i]).toBeCloseTo(sound[i]!, 8);
  });
});

describe('readAudio', () => {
  it('cuts files into rows that overlap, with labels, names and one deviation', async () => {
    const data = await readAudio(at('notes'));
    const recipe = data.recipe as AudioRecipe;
    expect(recipe).toMatchObject({ form: 'waveform', sampleRate: 8000, channels: 1, frame: 1024, hop: 896, mean: 0 });
    // 900 samples fit in one row, 8000 need 1 + ⌈6976 / 896⌉, 4100 need 1 + ⌈3076 / 896⌉.
    expect(data.length).toBe(1 + 9 + 5);
    expect(data.labels!.classes).toEqual(['high', 'low']);
    expect(data.names![2]).toBe(`${at('notes/low/a.wav')} 0.11 s`);
    const squares = (data.memory as Float32Array).reduce((sum, value) => sum + value * value, 0) / data.memory!.length;
    expect(squares).toBeCloseTo(1, 3);
    const second = data.memory!.subarray(2 * 1024, 3 * 1024);
    const first = data.memory!.subarray(1024, 2 * 1024);
    expect(second.subarray(0, 128)).toEqual(first.subarray(896, 1024));
    expect(first[100]! * recipe.deviation).toBeCloseTo(note(110, 8000)(100), 3);
  });

  it('reads the same rows from memory and from the files', async () => {
    const kept = await readAudio(at('notes'));
    const streamed = await readAudio(at('notes'), { memoryBytes: 0 });
    expect(streamed.memory).toBeUndefined();
    expect(await streamed.read([14, 0, 7])).toEqual(await kept.read([14, 0, 7]));
  });

  it('makes spectrograms in which a tone stands in its band', async () => {
    await writeWav(at('tone.wav'), (i) => 0.5 * Math.sin((2 * Math.PI * 1000 * i) / 16000), {
      length: 32000,
      sampleRate: 16000,
    });
    const data = await readAudio(at('tone.wav'), { form: 'mel', bands: 40, fftSize: 512 });
    const recipe = data.recipe as AudioRecipe;
    expect(data.rowShape).toEqual([1, 40, 64]);
    const middle = Array.from(
      { length: 40 },
      (_, band) => data.memory![band * 64 + 32]! * recipe.deviation + recipe.mean,
    );
    const loudest = middle.indexOf(Math.max(...middle));
    // The centre of band b (from 0) lies at (b + 1) / 41 of the way to 8000 Hz, in mel.
    const mel = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
    expect(Math.abs(loudest - (mel(1000) / mel(8000)) * 41 + 1)).toBeLessThan(1);
    expect(middle[loudest]).toBeGreaterThan(-25);
    expect(middle[loudest]).toBeLessThan(-6);
    expect(middle[39]).toBeLessThan(-60);
  });

  it('skips what cannot be read when asked, and names it otherwise', async () => {
    await mkdir(at('mixed'));
    await writeWav(at('mixed/good.wav'), note(300, 8000), { length: 3000 });
    await writeFile(at('mixed/bad.wav'), 'noise');
    await expect(readAudio(at('mixed'))).rejects.toThrow(/mixed\/bad\.wav: not a WAV file/);
    const skipped: string[] = [];
    const data = await readDataset(at('mixed'), { audio: { skipBad: true }, onSkip: (name) => skipped.push(name) });
    expect(data.length).toBe(4);
    expect(skipped).toEqual([at('mixed/bad.wav')]);
    await expect(readAudio(at('mixed/good.wav'), { form: 'mel', frame: 1000 })).rejects.toThrow(/multiples of fftHop/);
    await expect(readAudio(at('mixed/good.wav'), { overlap: 800 })).rejects.toThrow(/hop from half of the frame/);
  });

  it('needs ffmpeg for other formats, and says so where there is none', async () => {
    await writeFile(at('song.mp3'), 'x');
    const before = process.env['NODE_VAE_FFMPEG'];
    process.env['NODE_VAE_FFMPEG'] = at('no-such-program');
    try {
      await expect(readAudio(at('song.mp3'))).rejects.toMatchObject({
        code: 'ERR_VAE_IO',
        message: expect.stringMatching(
          /song\.mp3 is no WAV file, and needs ffmpeg, which was not found.*convert it to WAV/,
        ),
      });
    } finally {
      if (before === undefined) delete process.env['NODE_VAE_FFMPEG'];
      else process.env['NODE_VAE_FFMPEG'] = before;
    }
  });

  it.skipIf(!hasFfmpeg)('reads other formats through ffmpeg', async () => {
    execFileSync('ffmpeg', ['-loglevel', 'error', '-y', '-i', at('notes/low/a.wav'), at('a.flac')]);
    const [wav, flac] = [await readAudio(at('notes/low/a.wav')), await readAudio(at('a.flac'))];
    expect(flac.length).toBe(wav.length);
    for (let i = 0; i < 5000; i += 1) expect(flac.memory![i]).toBeCloseTo(wav.memory![i]!, 4);
    await expect(readAudio(at('song.mp3'))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
  });
});

describe('whole files through a model', () => {
  it('come out as they went in where rows do, whatever their length, in two channels', async () => {
    for (const [length, hop] of [
      [5000, 896],
      [900, 896],
      [1024, 512],
      [4097, 1024],
    ] as const) {
      await writeWav(at('in.wav'), (i, c) => note(200 + 100 * c, 8000)(i), { length, channels: 2 });
      const recipe: AudioRecipe = {
        kind: 'audio',
        sampleRate: 8000,
        channels: 2,
        form: 'waveform',
        frame: 1024,
        hop,
        mean: 0,
        deviation: 0.25,
      };
      const result = await rebuildSound(fileAt(at('in.wav')), at('out.wav'), recipe, async (rows) => rows);
      expect(result.snr).toBeGreaterThan(100);
      expect(result.spectralDistance).toBeLessThan(1e-4);
      expect(result.clipped).toBe(0);
      expect(await readFile(at('out.wav'))).toEqual(await readFile(at('in.wav')));
    }
  });

  it('fade from row to row where neighbours disagree', async () => {
    const recipe: AudioRecipe = {
      kind: 'audio',
      sampleRate: 8000,
      channels: 1,
      form: 'waveform',
      frame: 100,
      hop: 75,
      mean: 0,
      deviation: 1,
    };
    const joiner = new SoundJoiner(recipe);
    const first = joiner.push(new Float32Array(100).fill(1));
    const second = joiner.push(new Float32Array(100));
    expect(Array.from(first)).toEqual(Array(75).fill(1));
    for (let i = 1; i < 25; i += 1) expect(second[i]! - second[i - 1]!).toBeCloseTo(-1 / 26, 5);
    expect(second[25]).toBe(0);
  });

  it('sound alike after a spectrogram and back', async () => {
    const rate = 16000;
    await writeWav(at('speech.wav'), (i) => note(220, rate)(i) * (i % 8000 < 5000 ? 1 : 0.1), {
      length: 24000,
      sampleRate: rate,
    });
    const data = await readAudio(at('speech.wav'), { form: 'mel', bands: 80, fftSize: 512, overlap: 1024 });
    const recipe = data.recipe as AudioRecipe;
    const result = await rebuildSound(fileAt(at('speech.wav')), at('back.wav'), recipe, async (rows) => rows);
    // White noise of the same loudness stands at about 4, silence at 3.
    expect(result.spectralDistance).toBeLessThan(1.2);
    const wav = await WavFile.open(at('back.wav'));
    expect(wav.info.length).toBe(24000);
    await wav.close();
  });

  it('need no more memory for an hour than for a minute', { timeout: 120_000 }, async () => {
    const minutes = 60;
    const path = at('hour.wav');
    const writer = await WavWriter.create(path, { sampleRate: 8000, channels: 1 });
    const second = Float32Array.from({ length: 8000 }, (_, i) => note(200, 8000)(i));
    for (let s = 0; s < 60 * minutes; s += 1) await writer.write(second);
    await writer.close();
    const recipe: AudioRecipe = {
      kind: 'audio',
      sampleRate: 8000,
      channels: 1,
      form: 'waveform',
      frame: 4096,
      hop: 3584,
      mean: 0,
      deviation: 0.25,
    };
    const used: number[] = [];
    const result = await rebuildSound(
      fileAt(path),
      at('hour-out.wav'),
      recipe,
      async (rows) => {
        used.push(process.memoryUsage().rss);
        return rows;
      },
      { measure: false },
    );
    expect(result.seconds).toBe(60 * minutes);
    expect((await readFile(at('hour-out.wav'))).equals(await readFile(path))).toBe(true);
    // As floats the file is 115 MB; two thirds of it passed after the middle third began.
    const rise = Math.max(...used) - used[Math.floor(used.length / 3)]!;
    expect(rise).toBeLessThan(40e6);
    await Promise.all([rm(path), rm(at('hour-out.wav'))]);
  });

  it('are written from decoded rows, joined or one after another', async () => {
    const data = await readAudio(at('notes/low/a.wav'));
    const recipe = data.recipe as AudioRecipe;
    const length = async (path: string) => {
      const wav = await WavFile.open(path);
      await wav.close();
      return wav.info.length;
    };
    await writeSound(at('joined.wav'), data.memory as Float32Array, recipe);
    expect(await length(at('joined.wav'))).toBe(8 * 896 + 1024);
    await writeSound(at('apart.wav'), data.memory as Float32Array, recipe, { apart: true });
    expect(await length(at('apart.wav'))).toBe(9 * 1024);
    await expect(writeSound(at('x.wav'), new Float32Array(100), recipe)).rejects.toThrow(/rows of 1024 values/);
  });
});

describe('SoundMeasure', () => {
  it('knows equal sounds, the ratio of a known noise, and does not mind a shift of phase', () => {
    const sine = (shift: number, noise = 0) =>
      Float32Array.from({ length: 32768 }, (_, i) => 0.5 * Math.sin(i / 5 + shift) + noise * Math.sin(i * i));
    const distance = (a: Float32Array, b: Float32Array) => {
      const measure = new SoundMeasure();
      for (let at = 0; at < a.length; at += 1000) measure.push(a.subarray(at, at + 1000), b.subarray(at, at + 1000));
      return measure.done();
    };
    expect(distance(sine(0), sine(0))).toEqual({ snr: Infinity, spectralDistance: 0 });
    expect(distance(sine(0), sine(0, 0.05)).snr).toBeCloseTo(20, 0);
    const shifted = distance(sine(0), sine(1.5));
    expect(shifted.snr).toBeLessThan(0);
    expect(shifted.spectralDistance).toBeLessThan(0.2);
    expect(distance(sine(0), new Float32Array(32768)).spectralDistance).toBeGreaterThan(1);
  });
});

it('rows of a framer do not depend on the rows before them', async () => {
  const data = await readAudio(at('notes/low/a.wav'), { form: 'mel', fftSize: 256, bands: 20 });
  const recipe = data.recipe as AudioRecipe;
  const framer = new SoundFramer(recipe);
  const wav = await WavFile.open(at('notes/low/a.wav'));
  const row = await framer.row({ ...wav.info, read: (start, count) => wav.read(start, count) }, 1);
  await wav.close();
  expect(row).toEqual(data.memory!.subarray(framer.rowSize, 2 * framer.rowSize));
});
