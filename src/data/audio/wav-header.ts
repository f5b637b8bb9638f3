/**
 * What stands before the sound in a WAV file: RIFF chunks (Microsoft and IBM, Multimedia Programming Interface and Data
 * Specifications 1.0, 1991), big-endian ones (RIFX), and those of more than 4 GiB (RF64, EBU Tech 3306).
 */

import { VaeError } from '../../core/errors.js';
import type { ReadableFile } from '../../core/memory-file.js';
import { readInto } from '../../core/ranges.js';

export interface WavFormat {
  /** Samples a second, of each channel. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Bits that a sample takes in the file; fewer of them (12 of 16, 20 of 24) stand highest. */
  readonly bits: 8 | 16 | 24 | 32 | 64;
  readonly float: boolean;
}

export interface WavInfo extends WavFormat {
  /** Samples of each channel. */
  readonly length: number;
  /** Companding of ITU-R G.711, 8 bits a sample. */
  readonly law?: 'a' | 'mu';
  readonly bigEndian?: boolean;
  /** Where the channels belong, as bits of the format's channel mask; absent where the file does not say. */
  readonly mask?: number;
}

/** The cause of the error for a file whose sound is coded in a way that is not known here. */
export const OTHER_CODING = new Error('another coding than linear PCM, float, A-law or µ-law');

const PCM = 1;
const FLOAT = 3;
const A_LAW = 6;
const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;
const PAD = 2;

interface Description extends Omit<WavInfo, 'length'> {
  readonly blockBytes: number;
}

/** Sizes that programs write who do not know how long the sound will be: about 2³¹ and 2³². */
function isPlaceholder(size: number): boolean {
  return (size >= 0x7fff0000 && size <= 0x8000ffff) || size >= 0xffff0000;
}

export async function readWavHeader(
  file: ReadableFile,
  name: string,
  acceptTruncated: boolean,
): Promise<{ info: WavInfo; start: number }> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${name}: not a WAV file that can be read: ${why}.`, { cause });
  };
  const { size } = await file.stat();
  if (size === 0) refuse('the file is empty (0 bytes)');
  const head = Buffer.alloc(12);
  await readInto(file, head, 0);
  const magic = head.toString('latin1', 0, 4);
  if (!['RIFF', 'RIFX', 'RF64', 'BW64'].includes(magic) || head.toString('latin1', 8, 12) !== 'WAVE') {
    refuse('it does not begin with RIFF … WAVE');
  }
  const bigEndian = magic === 'RIFX';
  const u32 = (bytes: Buffer, at: number): number => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  const riff = u32(head, 4);
  let format: Description | undefined;
  let longBytes: number | undefined;
  for (let at = 12; at + 8 <= size; ) {
    const chunk = Buffer.alloc(8);
    await readInto(file, chunk, at);
    const kind = chunk.toString('latin1', 0, 4);
    const length = u32(chunk, 4);
    const start = at + 8;
    if (kind === 'ds64') {
      const body = Buffer.alloc(24);
      const bytesRead = await readInto(file, body, start);
      if (bytesRead >= 16) longBytes = Number(body.readBigUInt64LE(8));
    } else if (kind === 'fmt ') {
      const body = Buffer.alloc(Math.min(length, 40));
      const bytesRead = await readInto(file, body, start);
      if (bytesRead < 16) refuse('its description (fmt) is too short');
      format = parseFormat(bigEndian ? swapped(body) : body, bigEndian, refuse);
    } else if (kind === 'data') {
      if (!format) return refuse('sound comes before its description (fmt)');
      const there = size - start;
      const long = magic !== 'RIFF' && !bigEndian && length === 0xffffffff && longBytes !== undefined;
      const said = long ? longBytes! : length;
      // Nothing was written behind the sound while its length was unknown, but programs may have added to the file since.
      const unknown = !long && (isPlaceholder(said) ? said > there : said === 0 && riff + 8 !== size);
      const bytes = unknown ? there - (await trailingBytes(file, start, size, u32)) : said;
      if (bytes > there && !acceptTruncated) {
        refuse(
          `it is truncated: its header tells of ${bytes} bytes of sound, ${there} are there ` +
            `(${((there / bytes) * 100).toFixed(0)} %). Repair it, or ask for what is there (acceptTruncated)`,
        );
      }
      const { blockBytes, ...rest } = format;
      const samples = Math.floor(Math.min(bytes, there) / blockBytes);
      if (samples === 0) refuse('it holds no sound');
      return { info: { ...rest, length: samples }, start };
    }
    at = await nextChunk(file, start + length, size);
  }
  return refuse(format ? 'it has no sound (data)' : 'it has no description (fmt)');
}

/** Chunks begin at even places; programs that forget that are forgiven. */
async function nextChunk(file: ReadableFile, end: number, size: number): Promise<number> {
  if (end % PAD === 0) return end;
  const names = Buffer.alloc(5);
  const bytesRead = await readInto(file, names, end);
  if (bytesRead < 5 || end + 8 > size) return end + 1;
  const isName = (from: number): boolean => /^[A-Za-z0-9 _-]{4}$/.test(names.toString('latin1', from, from + 4));
  return !isName(1) && isName(0) ? end : end + 1;
}

/** Where chunks of words are looked for behind sound of unknown length. */
const TRAILING_BYTES = 1 << 16;
const TRAILING = /LIST|id3 |ID3 |bext|cue |smpl|iXML|axml|JUNK|PEAK|fact|afsp/g;

/** Bytes of the chunks that end with the file. */
async function trailingBytes(
  file: ReadableFile,
  start: number,
  size: number,
  u32: (bytes: Buffer, at: number) => number,
): Promise<number> {
  const from = Math.max(start, size - TRAILING_BYTES);
  const bytes = Buffer.alloc(size - from);
  await readInto(file, bytes, from);
  for (const { index } of bytes.toString('latin1').matchAll(TRAILING)) {
    let at = index;
    while (at + 8 <= bytes.length && /^[A-Za-z0-9 _-]{4}$/.test(bytes.toString('latin1', at, at + 4))) {
      const length = u32(bytes, at + 4);
      at += 8 + length + (length % PAD);
    }
    if (at === bytes.length || at === bytes.length + 1) return bytes.length - index;
  }
  return 0;
}

/** Numbers of two and four bytes of a description, turned. */
function swapped(body: Buffer): Buffer {
  const out = Buffer.from(body);
  for (const [at, width] of [
    [0, 2],
    [2, 2],
    [4, 4],
    [8, 4],
    [12, 2],
    [14, 2],
    [16, 2],
    [18, 2],
    [20, 4],
    [24, 2],
  ] as const) {
    if (at + width <= out.length) out.subarray(at, at + width).reverse();
  }
  return out;
}

function parseFormat(body: Buffer, bigEndian: boolean, refuse: (why: string, cause?: unknown) => never): Description {
  let tag = body.readUInt16LE(0);
  const channels = body.readUInt16LE(2);
  const sampleRate = body.readUInt32LE(4);
  const block = body.readUInt16LE(12);
  const said = body.readUInt16LE(14);
  const extended = tag === EXTENSIBLE && body.length >= 26;
  const mask = extended ? body.readUInt32LE(20) : 0;
  if (extended) tag = body.readUInt16LE(24);
  if (![PCM, FLOAT, A_LAW, MU_LAW].includes(tag)) {
    refuse(
      `its sound is compressed (format ${tag}); convert it to PCM, for instance with ffmpeg -i in.wav -c:a pcm_s16le out.wav`,
      OTHER_CODING,
    );
  }
  if (channels < 1 || channels > 64) refuse(`it says it has ${channels} channels`);
  if (sampleRate < 1 || sampleRate > 1_000_000) refuse(`it says it has ${sampleRate} samples a second`);
  const float = tag === FLOAT;
  // A sample takes the bytes that a frame has for it, however many of its bits are used.
  const least = Math.ceil(said / 8);
  const each = block / channels;
  const bytes = Number.isInteger(each) && each >= least && each <= 8 ? each : least;
  const law = tag === A_LAW ? ('a' as const) : tag === MU_LAW ? ('mu' as const) : undefined;
  const known = law ? [1] : float ? [4, 8] : [1, 2, 3, 4];
  if (said < 1 || !known.includes(bytes)) refuse(`samples of ${said} bits are not known`);
  return {
    ...{ sampleRate, channels, float },
    ...(mask !== 0 && { mask }),
    bits: (bytes * 8) as WavFormat['bits'],
    ...(law && { law }),
    ...(bigEndian && { bigEndian }),
    blockBytes: bytes * channels,
  };
}
