/** A segment of a sound file to a record of an archive and back. */

import {
  brotli,
  type ChunkItems,
  checkDecoded,
  type EncodedRecord,
  encodeNames,
  FALLBACK_QUALITY,
  inflate,
  makeRecord,
  splitPayload,
} from '../../archive/chunk.js';
import { damaged, type Method, type RecordHeader } from '../../archive/format.js';
import { readVarint, varint } from '../../archive/varint.js';
import { VaeError } from '../../core/errors.js';
import type { Codec } from '../lossless/codec.js';
import { type Reduced, readDescription, reductions, restored, type StoredFormat } from './reduce.js';
import { type CodedSound, fromItems, itemCount, type SampleFormat, toItems } from './residuals.js';

/** What the third byte of a sound says: how its edges are stored, and whether its samples were reduced. */
const EDGES_PACKED = 1;
const REDUCED = 2;

/** Bytes of a file that one segment holds; the last segment of a file may have fewer. */
export const SEGMENT_BYTES = 1 << 18;
/** More channels are kept as bytes. */
export const MOST_CHANNELS = 8;

/** Where sound lies in the bytes of a segment. What stands before and after it are other bytes of the file. */
export interface SoundPart extends StoredFormat {
  readonly start: number;
  readonly frames: number;
}

/** Which segment of which file: the name of the record's one item. */
export interface SegmentName {
  readonly file: string;
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** @throws VaeError ERR_VAE_SHAPE unless the codec's items are [width]. */
export function widthOf(codec: Codec, where: string): number {
  const [width, ...more] = codec.itemShape.filter((dim) => dim !== 1);
  if (width !== undefined && more.length === 0) return width;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: sound needs a codec model of sound, with items of shape [width]; this one's have ` +
      `[${codec.itemShape.join(', ')}]. "sound-codec" comes with the package.`,
  );
}

export function encodeSegmentName({ file, index, count }: SegmentName): string {
  return `${index + 1}/${count} ${file}`;
}

/** @throws VaeError ERR_VAE_FORMAT */
export function decodeSegmentName(name: string): SegmentName {
  const [, index, count, file] = /^([1-9]\d{0,8})\/([1-9]\d{0,8}) (.+)$/s.exec(name) ?? [];
  if (file === undefined || Number(index) > Number(count)) throw damaged('a part of a sound has no place in its file');
  return { file, index: Number(index) - 1, count: Number(count) };
}

/** Codes a segment by the model, or by Brotli, or not at all: whichever is shortest. */
export async function encodeSegment(
  codec: Codec,
  { items: bytes, names }: ChunkItems,
  part: SoundPart | undefined,
  { verify, signal }: { readonly verify: boolean; readonly signal?: AbortSignal | undefined },
): Promise<EncodedRecord> {
  const [coded, general] = await Promise.all([
    part === undefined ? undefined : encodeSound(codec, bytes, part, { verify, signal }),
    brotli(bytes, FALLBACK_QUALITY),
  ]);
  return makeRecord({
    ...{ kind: 'chunk', items: 1, names: encodeNames(names), checked: [bytes] },
    candidates: [...(coded === undefined ? [] : [['coded', coded] as const]), ['brotli', general], ['stored', bytes]],
  });
}

/** The same segment of a file with another name: what it is coded to stays. */
export function renamedSegment(
  method: Method,
  data: Uint8Array,
  bytes: Uint8Array,
  name: SegmentName,
): Promise<EncodedRecord> {
  return makeRecord({
    ...{ kind: 'chunk', items: 1, names: encodeNames([encodeSegmentName(name)]), checked: [bytes] },
    candidates: [[method, data]],
  });
}

/** The bytes of a segment, without its names. @throws VaeError ERR_VAE_FORMAT when they are not what the checksum says. */
export async function decodeSegment(
  codec: Codec | undefined,
  record: RecordHeader,
  payload: Uint8Array,
  signal?: AbortSignal,
): Promise<{ readonly bytes: Uint8Array; readonly names: Uint8Array }> {
  const { names, data } = await splitPayload(record, payload);
  const bytes = await (async () => {
    if (record.method === 'stored') return data;
    if (record.method === 'brotli') return inflate(data, SEGMENT_BYTES);
    if (codec === undefined) throw damaged('a part of a sound needs a model');
    return decodeSound(codec, data, signal);
  })();
  if (bytes.length > SEGMENT_BYTES) throw damaged(`a part of a sound has ${bytes.length} bytes`);
  checkDecoded(record, bytes, names);
  return { bytes, names };
}

export async function encodeSound(
  codec: Codec,
  bytes: Uint8Array,
  part: SoundPart,
  { verify, signal }: { readonly verify: boolean; readonly signal?: AbortSignal | undefined },
): Promise<Uint8Array | undefined> {
  const { channels, bytesPerSample, start, frames } = part;
  const width = widthOf(codec, 'compress()');
  const end = start + frames * channels * bytesPerSample;
  const samples = bytes.subarray(start, end);
  const edges = Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  const packed = await brotli(edges);
  const short = packed.length < edges.length;
  const block = short ? packed : edges;
  const ways = await reductions(samples, { channels, bytesPerSample });
  const [first] = ways;
  // Fewer bits or channels to code are never longer; a table of values may be.
  const plain: Reduced[] =
    bytesPerSample === 4 || first?.hasTable === false
      ? []
      : [{ samples, format: { channels, bytesPerSample }, description: Buffer.alloc(0), hasTable: false }];
  let best: Buffer | undefined;
  for (const way of [...plain, ...ways]) {
    const { items, bits } = await toItems(way.samples, way.format, width, signal);
    if (verify) await checkItems({ items, bits }, frames, way, width, signal);
    const numbers = [start, bytes.length - end, frames, block.length, bits.length].map(varint);
    const flags = (short ? EDGES_PACKED : 0) | (way.description.length > 0 ? REDUCED : 0);
    const coded =
      items.length === 0 ? Buffer.alloc(0) : await codec.encode(items, { verify, ...(signal && { signal }) });
    const made = Buffer.concat([
      Buffer.of(channels, bytesPerSample, flags),
      ...[way.description, ...numbers, block, bits, coded],
    ]);
    if (best === undefined || made.length < best.length) best = made;
  }
  return best;
}

async function checkItems(
  coded: CodedSound,
  frames: number,
  { samples, format }: Reduced,
  width: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (Buffer.compare(await fromItems(coded, frames, format, width, signal), samples) === 0) return;
  throw new VaeError('ERR_VAE_RUNTIME', 'compress(): sound did not come out of its items as it went in.');
}

export async function decodeSound(codec: Codec, data: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  const width = widthOf(codec, 'openSounds()');
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const [channels, bytesPerSample, flags] = view;
  if (channels === undefined || bytesPerSample === undefined || flags === undefined) {
    throw damaged('a part of a sound ends too early');
  }
  if (flags > (EDGES_PACKED | REDUCED)) throw damaged('a part of a sound is coded in an unknown way');
  const isReduced = (flags & REDUCED) !== 0;
  if (
    channels < 1 ||
    channels > MOST_CHANNELS ||
    !isStoredSize(bytesPerSample) ||
    (bytesPerSample === 4 && !isReduced)
  ) {
    throw damaged(`a part of a sound has ${channels} channels of ${bytesPerSample} bytes`);
  }
  const stored: StoredFormat = { channels, bytesPerSample };
  const cursor = { at: 3 };
  const description = isReduced ? await readDescription(view, cursor, channels) : undefined;
  const format = description?.format ?? { channels, bytesPerSample: bytesPerSample as SampleFormat['bytesPerSample'] };
  const next = () => readVarint(view, cursor, view.length, 2 * SEGMENT_BYTES);
  const [before, after, frames, blockBytes, bitBytes] = [next(), next(), next(), next(), next()] as const;
  const soundBytes = frames * channels * bytesPerSample;
  const items = itemCount(frames, format, width);
  if (before + after + soundBytes > SEGMENT_BYTES || frames < 1) {
    throw damaged('a part of a sound is longer than it can be');
  }
  const block = view.subarray(cursor.at, cursor.at + blockBytes);
  const bits = view.subarray(cursor.at + blockBytes, cursor.at + blockBytes + bitBytes);
  const edges = (flags & EDGES_PACKED) !== 0 ? await inflate(block, before + after) : block;
  if (edges.length !== before + after) throw damaged('what stands around a sound has another length than it says');
  const rest = view.subarray(cursor.at + blockBytes + bitBytes);
  if (items === 0 && rest.length > 0) throw damaged('a sound without anything coded has some');
  const decoded = items === 0 ? new Uint8Array(0) : await codec.decode(rest, items, signal ? { signal } : {});
  const coded = await fromItems({ items: decoded, bits }, frames, format, width, signal);
  const samples = description === undefined ? coded : await restored(coded, frames, stored, description);
  return Buffer.concat([edges.subarray(0, before), samples, edges.subarray(before)]);
}

export function isStoredSize(bytes: number): bytes is StoredFormat['bytesPerSample'] {
  return bytes === 1 || bytes === 2 || bytes === 3 || bytes === 4;
}
