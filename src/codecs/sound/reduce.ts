/**
 * What files of sound waste: low bits that are always zero (16 bits in a file of 24), channels that are the same as
 * others or never change, and values that never occur (8 bits made louder). The predictor sees none of it.
 */
import { brotli, inflate } from '../../archive/chunk.js';
import { damaged } from '../../archive/format.js';
import { readVarint, varint } from '../../archive/varint.js';
import type { SampleFormat } from './residuals.js';

/** Samples as files have them, of up to 32 bits. */
export interface StoredFormat {
  readonly channels: number;
  readonly bytesPerSample: 1 | 2 | 3 | 4;
}

/** Samples without what they waste, and what puts it back. */
export interface Reduced {
  readonly samples: Uint8Array;
  /** No channels where none has anything to be coded. */
  readonly format: SampleFormat;
  readonly description: Buffer;
  /** Whether it numbers the values that occur. */
  readonly hasTable: boolean;
}

type Channel =
  | { readonly kind: 'coded'; readonly shift: number }
  | { readonly kind: 'same'; readonly as: number }
  | { readonly kind: 'constant'; readonly value: number };

/** How a description tells them: a shift of 0 to 31, 32 + the channel it is the same as, or 64 and its value. */
const SAME = 32;
const CONSTANT = 64;
/** More different values than a part of a file can hold. */
const MOST_VALUES = 1 << 18;
const MOST_TABLE_BYTES = 1 << 20;
/** A table of values is tried where the middle half of all samples takes less than this share of what chance would. */
const SPARSE_BELOW = 0.8;

/**
 * The ways to reduce samples, the plainer first; none where they waste nothing and have no more than 24 bits. The second,
 * where there is one, leaves values out that never occur: which is shorter shows when they are coded.
 */
export async function reductions(samples: Uint8Array, format: StoredFormat): Promise<Reduced[]> {
  const tracks = tracksOf(samples, format);
  const channels = tracks.map((track, index) => channelOf(track, tracks.slice(0, index)));
  const coded = tracks.flatMap((track, index) => {
    const channel = channels[index]!;
    return channel.kind === 'coded' ? [track.map((value) => value >> channel.shift)] : [];
  });
  const found: Reduced[] = [];
  const plain = packed(coded, channels, Buffer.alloc(0), 0);
  const isReduced = channels.some((channel) => channel.kind !== 'coded' || channel.shift > 0);
  if (plain !== undefined && isReduced) found.push(plain);
  const values = sparseValues(coded);
  if (values === undefined) return found;
  const table = await brotli(encodeValues(values));
  const ranks = coded.map((track) => ranksOf(track, values));
  const ranked = packed(ranks, channels, table, values.length);
  return ranked === undefined ? found : [...found, ranked];
}

/** Puts back what reductions() took: the samples as the file has them. @throws VaeError ERR_VAE_FORMAT */
export async function restored(
  samples: Uint8Array,
  frames: number,
  { channels, bytesPerSample }: StoredFormat,
  { channels: kinds, format, values }: Description,
): Promise<Uint8Array> {
  const coded = tracksOf(samples, format);
  const tracks: Int32Array[] = [];
  for (const kind of kinds) {
    if (kind.kind === 'same') tracks.push(tracks[kind.as]!);
    else if (kind.kind === 'constant') tracks.push(new Int32Array(frames).fill(kind.value));
    else {
      const track = coded.shift()!;
      tracks.push((values === undefined ? track : valuesOf(track, values)).map((value) => value << kind.shift));
    }
  }
  return interleaved(tracks, frames, { channels, bytesPerSample });
}

export interface Description {
  readonly channels: readonly Channel[];
  readonly format: SampleFormat;
  /** Those that occur, where others never do. */
  readonly values: Int32Array | undefined;
}

/** What stands at the cursor, which moves behind it. @throws VaeError ERR_VAE_FORMAT */
export async function readDescription(
  view: Uint8Array,
  cursor: { at: number },
  channels: number,
): Promise<Description> {
  const byte = (): number => {
    const value = view[cursor.at];
    if (value === undefined) throw damaged('a part of a sound ends too early');
    cursor.at += 1;
    return value;
  };
  const bytesPerSample = byte();
  if (bytesPerSample < 1 || bytesPerSample > 3) throw damaged(`a sound is coded in ${bytesPerSample} bytes a sample`);
  const kinds = Array.from({ length: channels }, (_, index): Channel => {
    const code = byte();
    if (code < SAME) return { kind: 'coded', shift: code };
    if (code === CONSTANT) return { kind: 'constant', value: unfolded(readVarint(view, cursor, view.length, 2 ** 32)) };
    if (code - SAME >= index) throw damaged('a channel of a sound is the same as none before it');
    return { kind: 'same', as: code - SAME };
  });
  const tableBytes = readVarint(view, cursor, view.length, MOST_TABLE_BYTES);
  let values: Int32Array | undefined;
  if (tableBytes > 0) {
    const count = readVarint(view, cursor, view.length, MOST_VALUES);
    values = decodeValues(await inflate(view.subarray(cursor.at, cursor.at + tableBytes), 5 * MOST_VALUES), count);
    cursor.at += tableBytes;
  }
  const coded = kinds.filter(({ kind }) => kind === 'coded').length;
  return { channels: kinds, format: { channels: coded, bytesPerSample: bytesPerSample as 1 | 2 | 3 }, values };
}

/** One channel after the other, as signed numbers. */
function tracksOf(samples: Uint8Array, { channels, bytesPerSample }: StoredFormat): Int32Array[] {
  const frameBytes = channels * bytesPerSample;
  const frames = frameBytes === 0 ? 0 : samples.length / frameBytes;
  return Array.from({ length: channels }, (_, channel) => {
    const track = new Int32Array(frames);
    for (let frame = 0, at = channel * bytesPerSample; frame < frames; frame += 1, at += frameBytes) {
      if (bytesPerSample === 1) track[frame] = samples[at]! - 128;
      else {
        let value = 0;
        for (let i = 0; i < bytesPerSample; i += 1) value |= samples[at + i]! << (8 * i);
        const unused = 32 - 8 * bytesPerSample;
        track[frame] = (value << unused) >> unused;
      }
    }
    return track;
  });
}

function interleaved(
  tracks: readonly Int32Array[],
  frames: number,
  { channels, bytesPerSample }: StoredFormat,
): Uint8Array {
  const out = new Uint8Array(frames * channels * bytesPerSample);
  for (const [channel, track] of tracks.entries()) {
    const step = channels * bytesPerSample;
    for (let frame = 0, at = channel * bytesPerSample; frame < frames; frame += 1, at += step) {
      const value = track[frame]!;
      if (bytesPerSample === 1) out[at] = value + 128;
      else for (let i = 0; i < bytesPerSample; i += 1) out[at + i] = (value >> (8 * i)) & 255;
    }
  }
  return out;
}

function channelOf(track: Int32Array, before: readonly Int32Array[]): Channel {
  let all = 0;
  let differs = false;
  for (const value of track) {
    all |= value;
    differs ||= value !== track[0];
  }
  if (!differs) return { kind: 'constant', value: track[0]! };
  const as = before.findIndex((other) => other.every((value, at) => value === track[at]));
  if (as >= 0) return { kind: 'same', as };
  // The lowest bit that any sample has.
  return { kind: 'coded', shift: 31 - Math.clz32(all & -all) };
}

/** The samples of what is coded, in as few bytes as they fit; undefined where they need more than three. */
function packed(
  coded: readonly Int32Array[],
  channels: readonly Channel[],
  table: Buffer,
  count: number,
): Reduced | undefined {
  let most = 0;
  // Negative numbers reach one further: -128 to 127.
  for (const track of coded) for (const value of track) most = Math.max(most, value < 0 ? ~value : value);
  const bytesPerSample = ([1, 2, 3] as const).find((bytes) => most < 2 ** (8 * bytes - 1));
  if (bytesPerSample === undefined) return undefined;
  const format = { channels: coded.length, bytesPerSample };
  const kinds = channels.map((channel) => {
    if (channel.kind === 'coded') return Buffer.of(channel.shift);
    if (channel.kind === 'same') return Buffer.of(SAME + channel.as);
    return Buffer.concat([Buffer.of(CONSTANT), varint(folded(channel.value))]);
  });
  const tableParts = table.length === 0 ? [varint(0)] : [varint(table.length), varint(count), table];
  return {
    samples: interleaved(coded, coded[0]?.length ?? 0, format),
    ...{ format, hasTable: table.length > 0 },
    description: Buffer.concat([Buffer.of(bytesPerSample), ...kinds, ...tableParts]),
  };
}

/** All values that occur, where so many in between do not that a table of them may be worth its bytes. */
function sparseValues(tracks: readonly Int32Array[]): Int32Array | undefined {
  const count = tracks.reduce((sum, track) => sum + track.length, 0);
  if (count < 256 || count > MOST_VALUES) return undefined;
  const sorted = new Int32Array(count);
  let at = 0;
  for (const track of tracks) {
    sorted.set(track, at);
    at += track.length;
  }
  sorted.sort();
  // The loudest values are rare in any sound: the middle half of the samples tells.
  const [low, high] = [count >> 2, count - (count >> 2)];
  let different = 1;
  for (let i = low + 1; i < high; i += 1) if (sorted[i] !== sorted[i - 1]) different += 1;
  const range = sorted[high - 1]! - sorted[low]! + 1;
  const byChance = range * -Math.expm1(-(high - low) / range);
  if (range < 4 || different >= SPARSE_BELOW * byChance) return undefined;
  return sorted.filter((value, index) => index === 0 || value !== sorted[index - 1]);
}

/** The number of each value among those that occur, counted from the first that is not negative. */
function ranksOf(track: Int32Array, values: Int32Array): Int32Array {
  const zero = zeroOf(values);
  const ranks = new Map<number, number>();
  for (const [index, value] of values.entries()) ranks.set(value, index - zero);
  return track.map((value) => ranks.get(value)!);
}

function valuesOf(ranks: Int32Array, values: Int32Array): Int32Array {
  const zero = zeroOf(values);
  return ranks.map((rank) => {
    const value = values[rank + zero];
    if (value === undefined) throw damaged('a sample of a sound is beyond its values');
    return value;
  });
}

function zeroOf(values: Int32Array): number {
  const zero = values.findIndex((value) => value >= 0);
  return zero < 0 ? values.length : zero;
}

/** The first, and how far each is from the one before it. */
function encodeValues(values: Int32Array): Buffer {
  const parts = [varint(folded(values[0]!))];
  for (let i = 1; i < values.length; i += 1) parts.push(varint(values[i]! - values[i - 1]! - 1));
  return Buffer.concat(parts);
}

function decodeValues(bytes: Buffer, count: number): Int32Array {
  const values = new Int32Array(count);
  const cursor = { at: 0 };
  let value = 0;
  for (let i = 0; i < count; i += 1) {
    const number = readVarint(bytes, cursor, bytes.length, 2 ** 32);
    value = i === 0 ? unfolded(number) : value + number + 1;
    if (value !== (value | 0)) throw damaged('a value of a sound is larger than it can be');
    values[i] = value;
  }
  if (cursor.at !== bytes.length) throw damaged('a sound has values to spare');
  return values;
}

/** 0, -1, 1, -2, …: signed numbers as others. */
function folded(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unfolded(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
