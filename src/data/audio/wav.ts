/**
 * WAV files with linear PCM of up to 32 bits, floats of 32 or 64, A-law or µ-law. Sound is read from the place where it is
 * wanted, so that a file of any length needs little memory.
 */

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder } from '../../core/files.js';
import { firstNonFinite } from '../../core/finite.js';
import { memoryFile, type ReadableFile } from '../../core/memory-file.js';
import { readInto, writeFully } from '../../core/ranges.js';
import { dropStale, temporaryBeside } from '../../core/temporary.js';
import { readWavHeader, type WavFormat, type WavInfo } from './wav-header.js';

export type { WavFormat, WavInfo } from './wav-header.js';

export interface OpenWavOptions {
  /** Takes what is there of a file that ends before its header says. Default false: such a file is refused. */
  readonly acceptTruncated?: boolean;
}

const PCM = 1;
const FLOAT = 3;

/** An open WAV file. Close it. */
export class WavFile {
  readonly info: WavInfo;
  readonly #file: ReadableFile;
  readonly #start: number;
  readonly #name: string;

  private constructor(file: ReadableFile, info: WavInfo, start: number, name: string) {
    this.#file = file;
    this.info = info;
    this.#start = start;
    this.#name = name;
  }

  /** Byte of the file at which the first sample begins. */
  get dataStart(): number {
    return this.#start;
  }

  /** @throws VaeError ERR_VAE_IO, or ERR_VAE_FORMAT for what is no WAV file, is truncated, or is compressed inside. */
  static async open(path: string | Buffer, name = String(path), options: OpenWavOptions = {}): Promise<WavFile> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      throw ioError(error, `reading ${name}`);
    }
    try {
      const { info, start } = await readWavHeader(file, name, options.acceptTruncated ?? false);
      return new WavFile(file, info, start, name);
    } catch (error) {
      await file.close();
      throw ioError(error, `reading ${name}`);
    }
  }

  /** As open(), of a file in memory, which is borrowed. */
  static async fromBytes(bytes: Uint8Array, name: string, options: OpenWavOptions = {}): Promise<WavFile> {
    const file = memoryFile(bytes);
    const { info, start } = await readWavHeader(file, name, options.acceptTruncated ?? false);
    return new WavFile(file, info, start, name);
  }

  /**
   * Samples from `start`, `count` of each channel, one channel's after another's: [channels, count], −1 to 1.
   * Silence beyond the ends.
   */
  async read(start: number, count: number): Promise<Float32Array> {
    const { channels, bits, float, length, law, bigEndian } = this.info;
    const width = (channels * bits) / 8;
    const from = Math.min(length, Math.max(0, start));
    const to = Math.min(length, Math.max(from, start + count));
    const bytes = Buffer.from(new ArrayBuffer((to - from) * width));
    let filled = 0;
    try {
      filled = await readInto(this.#file, bytes, this.#start + from * width);
    } catch (error) {
      throw ioError(error, `reading ${this.#name}`);
    }
    if (filled < bytes.length) {
      throw new VaeError('ERR_VAE_FORMAT', `${this.#name}: the file became shorter while it was read.`);
    }
    const out = new Float32Array(channels * count);
    const offset = from - start;
    const sample = law ? LAWS[law] : (bigEndian ? BIG_SAMPLES : SAMPLES)[`${float ? 'f' : 'i'}${bits}`]!;
    const step = bits / 8;
    if (bits === 16 && LITTLE_ENDIAN && !bigEndian) {
      // By far the most frequent, and ten times as quick this way.
      const levels = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
      for (let channel = 0; channel < channels; channel += 1) {
        const at = channel * count + offset;
        for (let index = 0; index < to - from; index += 1)
          out[at + index] = levels[index * channels + channel]! / 2 ** 15;
      }
      return out;
    }
    for (let index = 0; index < to - from; index += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        out[channel * count + offset + index] = sample(bytes, (index * channels + channel) * step);
      }
    }
    if (float) this.#checkFinite(out, count, offset, from);
    return out;
  }

  /** @throws VaeError ERR_VAE_DATA naming the first sample that is no number. */
  #checkFinite(values: Float32Array, count: number, offset: number, from: number): void {
    const at = firstNonFinite(values);
    if (at < 0) return;
    const sample = (at % count) - offset + from;
    const { sampleRate, channels } = this.info;
    const where = channels > 1 ? ` of channel ${Math.floor(at / count)}` : '';
    throw new VaeError(
      'ERR_VAE_DATA',
      `${this.#name}: sample ${sample}${where} (at ${(sample / sampleRate).toFixed(4)} s) is ${values[at]}. Repair the file, or have such files skipped (skipBad, --skip-bad).`,
    );
  }

  /** Reads all samples of a file of floats, which may be no numbers. */
  async checkValues(signal?: AbortSignal): Promise<void> {
    if (!this.info.float) return;
    for (let start = 0; start < this.info.length; start += CHECKED_SAMPLES) {
      signal?.throwIfAborted();
      await this.read(start, Math.min(CHECKED_SAMPLES, this.info.length - start));
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const CHECKED_SAMPLES = 1 << 18;

/** 8-bit samples are unsigned, all others signed. */
const SAMPLES: Readonly<Record<string, (bytes: Buffer, at: number) => number>> = {
  i8: (bytes, at) => (bytes[at]! - 128) / 128,
  i16: (bytes, at) => bytes.readInt16LE(at) / 2 ** 15,
  i24: (bytes, at) => bytes.readIntLE(at, 3) / 2 ** 23,
  i32: (bytes, at) => bytes.readInt32LE(at) / 2 ** 31,
  f32: (bytes, at) => bytes.readFloatLE(at),
  f64: (bytes, at) => bytes.readDoubleLE(at),
};

const BIG_SAMPLES: typeof SAMPLES = {
  i8: (bytes, at) => (bytes[at]! - 128) / 128,
  i16: (bytes, at) => bytes.readInt16BE(at) / 2 ** 15,
  i24: (bytes, at) => bytes.readIntBE(at, 3) / 2 ** 23,
  i32: (bytes, at) => bytes.readInt32BE(at) / 2 ** 31,
  f32: (bytes, at) => bytes.readFloatBE(at),
  f64: (bytes, at) => bytes.readDoubleBE(at),
};

/** ITU-T G.711: A-law in 13 bits, µ-law in 14. */
const LAWS: Readonly<Record<'a' | 'mu', (bytes: Buffer, at: number) => number>> = {
  a: (bytes, at) => {
    const code = bytes[at]! ^ 0x55;
    const [segment, step] = [(code >> 4) & 7, code & 15];
    const level = segment === 0 ? step * 16 + 8 : (step * 16 + 264) << (segment - 1);
    return (code & 0x80 ? level : -level) / 2 ** 15;
  },
  mu: (bytes, at) => {
    const code = ~bytes[at]! & 0xff;
    const level = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132;
    return (code & 0x80 ? -level : level) / 2 ** 15;
  },
};

/** Writes a WAV file piece by piece; it appears under its name when it is complete. */
export class WavWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #temporary: string;
  readonly #format: WavFormat;
  #bytes = 0;
  #clipped = 0;

  private constructor(file: FileHandle, path: string, temporary: string, format: WavFormat) {
    this.#file = file;
    this.#path = path;
    this.#temporary = temporary;
    this.#format = format;
  }

  static async create(
    path: string,
    { sampleRate, channels, bits = 16 }: { sampleRate: number; channels: number; bits?: 8 | 16 | 24 | 32 },
  ): Promise<WavWriter> {
    const temporary = temporaryBeside(path);
    try {
      await makeFolder(dirname(path));
      await dropStale(path);
      const file = await open(temporary, 'wx');
      const writer = new WavWriter(file, path, temporary, { sampleRate, channels, bits, float: bits === 32 });
      await writeFully(file, writer.#header(), null);
      return writer;
    } catch (error) {
      throw ioError(error, `writing ${path}`);
    }
  }

  /** Samples that were louder than the format can say, and were cut. */
  get clipped(): number {
    return this.#clipped;
  }

  /** @param samples [channels, count], −1 to 1. */
  async write(samples: Float32Array): Promise<void> {
    const { channels, bits, float } = this.#format;
    const count = samples.length / channels;
    const step = bits / 8;
    const bytes = Buffer.from(new ArrayBuffer(samples.length * step));
    const levels = bits === 16 && LITTLE_ENDIAN ? new Int16Array(bytes.buffer) : undefined;
    const top = 2 ** (bits - 1);
    for (let index = 0; index < count; index += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        const at = (index * channels + channel) * step;
        const value = samples[channel * count + index]!;
        if (float) bytes.writeFloatLE(value, at);
        else {
          const level = Math.round(value * top);
          const cut = Math.min(top - 1, Math.max(-top, level));
          // The loudest level of all, +1, has no code of its own and is no fault.
          if (cut !== level && level !== top) this.#clipped += 1;
          if (levels) levels[index * channels + channel] = cut;
          else if (bits === 8) bytes.writeUInt8(cut + 128, at);
          else bytes.writeIntLE(cut, at, step);
        }
      }
    }
    try {
      await writeFully(this.#file, bytes, null);
    } catch (error) {
      throw ioError(error, `writing ${this.#path}`);
    }
    this.#bytes += bytes.length;
    if (this.#bytes > 0xffffffff - 44) {
      throw new VaeError('ERR_VAE_IO', `${this.#path}: a WAV file holds at most 4 GiB; write the sound in parts.`);
    }
  }

  async close(): Promise<void> {
    try {
      await writeFully(this.#file, this.#header(), 0);
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#temporary, this.#path);
    } catch (error) {
      throw ioError(error, `writing ${this.#path}`);
    }
  }

  /** Gives the file up. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true });
  }

  #header(): Buffer {
    const { sampleRate, channels, bits, float } = this.#format;
    const header = Buffer.alloc(44);
    header.write('RIFF', 0, 'latin1');
    header.writeUInt32LE(36 + this.#bytes, 4);
    header.write('WAVEfmt ', 8, 'latin1');
    header.writeUInt32LE(16, 16);
    header.writeUInt16LE(float ? FLOAT : PCM, 20);
    header.writeUInt16LE(channels, 22);
    header.writeUInt32LE(sampleRate, 24);
    header.writeUInt32LE((sampleRate * channels * bits) / 8, 28);
    header.writeUInt16LE((channels * bits) / 8, 32);
    header.writeUInt16LE(bits, 34);
    header.write('data', 36, 'latin1');
    header.writeUInt32LE(this.#bytes, 40);
    return header;
  }
}
