import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { fileSource, handleSource } from '../archive/bytes.js';
import { type ChunkItems, chunkChecksum, encodeChunk } from '../archive/chunk.js';
import {
  COMPACT_MAGIC_BYTES,
  encodeCompact,
  expandCompact,
  isCompact,
  MOST_COMPACT_BYTES,
} from '../archive/compact.js';
import {
  type AnyHeader,
  type ArchiveHeader,
  decodeRecord,
  encodeHeader,
  type IndexEntry,
  itemSizeOf,
  MAX_CHUNK_ITEMS,
  RECORD_BYTES,
  type SoundArchiveHeader,
} from '../archive/format.js';
import { itemsLayout, readLayout } from '../archive/reader.js';
import { ArchiveWriter } from '../archive/writer.js';
import { availableThreads } from '../binding/threads.js';
import { VaeError } from '../core/errors.js';
import { ioError, writeFilesAtomically } from '../core/files.js';
import { inOrder } from '../core/in-order.js';
import { parseOptions } from '../core/options.js';
import { readIdx } from '../data/index.js';
import { type DatasetInput, toDataset } from '../data/to-dataset.js';
import { openArrayFile } from './lossless/array-file.js';
import type { Codec } from './lossless/codec.js';
import { datasetSource } from './lossless/dataset-source.js';
import { isImagePath, openImages } from './lossless/image-files.js';
import { checkFits, type ItemSource, type SoundSource } from './lossless/item-source.js';
import { type CodecInput, findCodec } from './models/find.js';
import { openSoundFiles, soundFiles } from './sound/files.js';
import { widthOf } from './sound/segment.js';

const DEFAULT_CHUNK_ITEMS = 256;
/** With fewer bytes in a chunk, its record header and index entry would show in the size. */
const LEAST_CHUNK_BYTES = 1 << 15;
/** Chunks are smaller than chunkItems says where items are large. */
const MOST_CHUNK_BYTES = 1 << 25;

const optionsSchema = z.strictObject({
  model: z.unknown().optional(),
  output: z.string().min(1).optional(),
  chunkItems: z.int().min(1).max(MAX_CHUNK_ITEMS).optional(),
  verify: z.boolean().default(true),
  embedModel: z.boolean().default(false),
  append: z.boolean().default(false),
  threads: z
    .int()
    .min(1)
    .max(64)
    .default(() => availableThreads()),
  signal: z.instanceof(AbortSignal).optional(),
  onProgress: z.custom<(progress: CompressProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface CompressOptions {
  /** A codec, the path of its file or folder, or the name of a model of this package. */
  readonly model: CodecInput;
  /** Where the archive goes. It appears under this name only when it is complete. Absent: it is returned. */
  readonly output?: string;
  /** Items of a chunk: what is decoded to get at one of them. Default 256, and more where they are tiny. */
  readonly chunkItems?: number;
  /** Decode every chunk again before it is written. Default true. */
  readonly verify?: boolean;
  /** Put the model into the archive, so that nothing else is needed to read it. Default false. */
  readonly embedModel?: boolean;
  /** Add to the archive at `output` instead of making one. Default false. */
  readonly append?: boolean;
  /** Chunks coded at once. Default: one per processor. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompressProgress) => void;
}

export interface CompressProgress {
  readonly items: number;
  readonly totalItems: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface CompressResult {
  /** Items, or sound files. */
  readonly items: number;
  /** Bytes of the items themselves; of the whole files where they are sounds. */
  readonly bytesIn: number;
  /** Bytes of the whole archive. */
  readonly bytesOut: number;
  /** Bits for each of those bytes, without an embedded model; 8 is no compression. */
  readonly bitsPerDim: number;
  readonly chunks: number;
  /** Chunks that an interrupted run had written before. */
  readonly resumedChunks: number;
  readonly seconds: number;
  /** The archive, where no `output` was given. */
  readonly archive?: Uint8Array;
}

/** What compress() takes: a dataset or tensor of bytes, or the paths of IDX, .npy, image or WAV files. */
export type CompressInput = DatasetInput | string | readonly string[];

/**
 * Compresses items without loss: an IDX or .npy file of bytes, images, WAV files (with a model of sound,
 * such as "sound-codec"), or a dataset in memory.
 *
 * An interrupted run leaves `.NAME.partial` beside the output; the same call again goes on from there.
 *
 * @throws VaeError ERR_VAE_OPTION, ERR_VAE_SHAPE or ERR_VAE_DATA for what was given, ERR_VAE_IO where
 *   something cannot be read or written, the signal's reason when aborted.
 */
export async function compress(input: CompressInput, options: CompressOptions): Promise<CompressResult> {
  const parsed = parseOptions(optionsSchema, options, 'compress()');
  const { output } = parsed;
  if (parsed.append && output === undefined) {
    throw new VaeError('ERR_VAE_OPTION', 'compress(): option "append" needs "output", the archive to add to.');
  }
  const { codec, owned } = await findCodec(options.model, 'compress()');
  try {
    const source = await openSource(input, codec, parsed.signal);
    try {
      if (source.kind === 'sounds') widthOf(codec, 'compress()');
      else checkFits(source.rowShape, codec.itemShape, 'compress()');
      const job = { codec, source, ...parsed };
      if (output === undefined) return await toMemory(job);
      return await (parsed.append ? appendToFile(job, output) : toFile(job, output));
    } finally {
      await source.close();
    }
  } finally {
    if (owned) await codec.close();
  }
}

interface Job extends z.output<typeof optionsSchema> {
  readonly codec: Codec;
  readonly source: ItemSource | SoundSource;
}

async function openSource(input: CompressInput, codec: Codec, signal?: AbortSignal): Promise<ItemSource | SoundSource> {
  const paths = typeof input === 'string' ? [input] : isPaths(input) ? input : undefined;
  if (paths === undefined) {
    const where = { where: 'compress()', rowShape: codec.itemShape, ...(signal && { signal }) };
    return datasetSource(await toDataset(input as DatasetInput, where));
  }
  if (paths.length === 0)
    throw new VaeError('ERR_VAE_OPTION', 'compress(): expected at least one input, received none.');
  const [first] = paths as [string, ...string[]];
  const sounds = await soundFiles(paths);
  if (sounds !== undefined) return openSoundFiles(sounds);
  const isFolder = await stat(first).then(
    (found) => found.isDirectory(),
    (error: unknown) => {
      throw ioError(error, `reading ${first}`);
    },
  );
  if (isFolder || isImagePath(first)) return openImages(paths, codec.itemShape);
  if (paths.length > 1) {
    throw new VaeError('ERR_VAE_OPTION', `compress(): one array makes one archive; received ${paths.length} inputs.`);
  }
  const array = await openArrayFile(first);
  if (array !== undefined) return array;
  if (/\.gz$/.test(first))
    return datasetSource(
      await readIdx(first, { labels: false, ...(signal && { signal }) }),
      `${basename(first, '.gz')}.npy`,
    );
  throw new VaeError(
    'ERR_VAE_DATA',
    `compress(): ${first} is neither an IDX file, a .npy file, an image, a WAV file nor a folder of images or of WAV files.`,
  );
}

function isPaths(input: CompressInput): input is readonly string[] {
  return Array.isArray(input) && input.every((each) => typeof each === 'string');
}

function headerOf({ codec, source }: Job): ArchiveHeader | SoundArchiveHeader {
  if (source.kind === 'sounds') return { model: codec.identity, kind: 'sounds' };
  const { kind, name, rowShape } = source;
  return {
    model: codec.identity,
    itemShape: [...codec.itemShape],
    dtype: 'uint8',
    kind,
    ...(name === undefined ? {} : { name: name.slice(-255) }),
    ...(kind === 'images' ? {} : { rowShape: [...rowShape] }),
  };
}

/** Ranges of the source's items, one for each chunk. */
function planOf({ chunkItems, codec, source }: Job): { from: number; count: number }[] {
  if (source.kind === 'sounds') return Array.from({ length: source.count }, (_, from) => ({ from, count: 1 }));
  const wanted = chunkItems ?? Math.max(DEFAULT_CHUNK_ITEMS, Math.ceil(LEAST_CHUNK_BYTES / codec.itemSize));
  const size = Math.max(1, Math.min(wanted, Math.floor(MOST_CHUNK_BYTES / codec.itemSize)));
  return Array.from({ length: Math.ceil(source.count / size) }, (_, index) => ({
    from: index * size,
    count: Math.min(size, source.count - index * size),
  }));
}

async function writeChunks(job: Job, writer: ArchiveWriter, skip: number): Promise<void> {
  const { codec, source, threads, signal, verify, onProgress } = job;
  const plan = planOf(job).slice(skip);
  await inOrder(
    plan.length,
    threads,
    async (index) => {
      signal?.throwIfAborted();
      const { from, count } = plan[index]!;
      const chunk = await source.read(from, count, signal);
      if (source.kind === 'sounds') return source.encode(codec, from, chunk, { verify, signal });
      return encodeChunk(codec, chunk, { verify, signal });
    },
    async (record, index) => {
      await writer.chunk(record);
      const items = plan[index]!.from + plan[index]!.count;
      const bytesIn = Math.round((bytesOf(job) * items) / source.count);
      onProgress?.({ items, totalItems: source.count, bytesIn, bytesOut: writer.byteLength });
    },
  );
  signal?.throwIfAborted();
}

async function toMemory(job: Job): Promise<CompressResult> {
  const started = performance.now();
  const pieces: Uint8Array[] = [];
  const writer = new ArchiveWriter(async (bytes) => {
    pieces.push(bytes);
  });
  const modelBytes = await begin(job, writer);
  await writeChunks(job, writer, 0);
  await writer.end();
  const result = resultOf(job, writer, modelBytes, 0, started);
  const compact = await compactOf(job, writer);
  const archive = compact ?? new Uint8Array(Buffer.concat(pieces));
  return { ...result, ...(compact && sizeOf(job, compact.length)), archive };
}

/** Header, and the model where asked; the model's bytes. */
async function begin(job: Job, writer: ArchiveWriter): Promise<number> {
  await writer.header(headerOf(job));
  const before = writer.byteLength;
  if (job.embedModel) await writer.model(job.codec);
  return writer.byteLength - before;
}

/** The compact form of a small archive, where that is shorter than what was written. */
async function compactOf(job: Job, writer: ArchiveWriter): Promise<Uint8Array | undefined> {
  const { source, embedModel, signal } = job;
  if (writer.chunks !== 1 || embedModel || bytesOf(job) > MOST_COMPACT_BYTES) return undefined;
  const compact = await encodeCompact(headerOf(job), await source.read(0, source.count, signal));
  return compact.length < writer.byteLength ? compact : undefined;
}

function sizeOf(job: Job, bytesOut: number): { bytesOut: number; bitsPerDim: number } {
  return { bytesOut, bitsPerDim: (bytesOut * 8) / bytesOf(job) };
}

/** Bytes of all items. */
function bytesOf({ codec, source }: Job): number {
  return source.kind === 'sounds' ? source.byteLength : source.count * codec.itemSize;
}

async function toFile(job: Job, output: string): Promise<CompressResult> {
  const started = performance.now();
  const partial = join(dirname(output), `.${basename(output)}.partial`);
  try {
    await using file = await openFile(partial, 'a+');
    const done = await wholeChunks(job, file.handle, partial);
    await file.handle.truncate(done?.end ?? 0);
    const writer = new ArchiveWriter(file.append, done?.end ?? 0, done?.entries ?? []);
    const modelBytes = done ? done.modelBytes : await begin(job, writer);
    await writeChunks(job, writer, done?.entries.length ?? 0);
    await writer.end();
    const result = resultOf(job, writer, modelBytes, done?.entries.length ?? 0, started);
    const compact = await compactOf(job, writer);
    if (compact !== undefined) {
      await file.handle.truncate(0);
      await file.append(compact);
    }
    await file.handle.sync();
    await rename(partial, output);
    return { ...result, ...(compact && sizeOf(job, compact.length)) };
  } catch (error) {
    job.signal?.throwIfAborted();
    throw ioError(error, `writing ${output}`);
  }
}

/**
 * What an interrupted run left that this one would write again: the same header, and chunks of the
 * same items. Undefined where there is nothing of use.
 */
async function wholeChunks(job: Job, handle: FileHandle, path: string) {
  const { size } = await handle.stat();
  if (size === 0) return undefined;
  const source = handleSource(handle, size, path);
  try {
    const layout = await readLayout(source);
    const header = encodeHeader(headerOf(job));
    if (layout.complete || !header.equals(encodeHeader(layout.header))) return undefined;
    if (job.embedModel !== (layout.modelOffset !== undefined)) return undefined;
    const entries: IndexEntry[] = [];
    let end = header.length;
    let modelBytes = 0;
    if (layout.modelOffset !== undefined) {
      const record = decodeRecord(await source.read(layout.modelOffset, RECORD_BYTES), 1);
      modelBytes = RECORD_BYTES + record.payloadBytes;
      end += modelBytes;
    }
    for (const [index, { from, count }] of planOf(job).entries()) {
      const entry = layout.chunks[index];
      if (entry === undefined || entry.items !== count || entry.offset !== end) break;
      const record = decodeRecord(await source.read(entry.offset, RECORD_BYTES), itemSizeOf(layout.header));
      const chunk: ChunkItems = await job.source.read(from, count, job.signal);
      if (!Buffer.from(chunkChecksum(chunk)).equals(record.checksum)) break;
      entries.push(entry);
      end += RECORD_BYTES + record.payloadBytes;
    }
    return { entries, end, modelBytes };
  } catch {
    return undefined; // not an archive, or not readable: begin anew
  }
}

/**
 * New chunks follow what is there, then a new index. The old index stays where it is, so that a cut
 * at any moment leaves an archive whose whole chunks are found.
 */
async function appendToFile(job: Job, output: string): Promise<CompressResult> {
  const started = performance.now();
  try {
    await expandFile(job, output);
    await using file = await openFile(output, 'r+');
    const { size } = await file.handle.stat();
    const layout = await readLayout(handleSource(file.handle, size, output));
    const { header } = layout;
    const wanted = headerOf(job);
    if (header.kind === 'pictures') itemsLayout(layout);
    if (header.model !== wanted.model) {
      throw new VaeError('ERR_VAE_REPRODUCIBILITY', `${output} was made with another model; append with that one.`);
    }
    if (header.kind !== wanted.kind || rowShapeOf(header) !== rowShapeOf(wanted)) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${output} holds ${header.kind} items; ${wanted.kind} cannot be added to it.`,
      );
    }
    const writer = new ArchiveWriter(file.appendAt(layout.end), layout.end, layout.chunks);
    try {
      await writeChunks(job, writer, 0);
      await writer.end();
      await file.handle.sync();
    } catch (error) {
      await file.handle.truncate(size);
      throw error;
    }
    await file.handle.truncate(writer.byteLength);
    return resultOf(job, writer, 0, 0, started);
  } catch (error) {
    job.signal?.throwIfAborted();
    throw ioError(error, `adding to ${output}`);
  }
}

function rowShapeOf(header: AnyHeader): string {
  return 'rowShape' in header ? String(header.rowShape) : '';
}

/** A compact archive becomes a whole one of this model, to which chunks can be added. */
async function expandFile({ codec }: Job, path: string): Promise<void> {
  const source = await fileSource(path);
  try {
    if (!isCompact(await source.read(0, Math.min(COMPACT_MAGIC_BYTES, source.length)))) return;
    const chunks = [await expandCompact(await source.read(0, source.length), codec.identity)];
    await writeFilesAtomically([{ path, chunks }]);
  } finally {
    await source.close();
  }
}

async function openFile(path: string, flags: 'a+' | 'r+') {
  const handle = await open(path, flags);
  const appendAt = (start: number) => {
    let at = start;
    return async (bytes: Uint8Array): Promise<void> => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(
          bytes,
          done,
          bytes.length - done,
          flags === 'a+' ? null : at + done,
        );
        done += bytesWritten;
      }
      at += bytes.length;
    };
  };
  return { handle, append: appendAt(0), appendAt, [Symbol.asyncDispose]: () => handle.close() };
}

function resultOf(
  job: Job,
  writer: ArchiveWriter,
  modelBytes: number,
  resumedChunks: number,
  started: number,
): CompressResult {
  const { codec, source } = job;
  // Of an archive that was added to, all items.
  const total = source.kind === 'sounds' ? bytesOf(job) : writer.items * codec.itemSize;
  return {
    items: source.kind === 'sounds' ? source.files : source.count,
    bytesIn: bytesOf(job),
    bytesOut: writer.byteLength,
    bitsPerDim: ((writer.byteLength - modelBytes) * 8) / total,
    chunks: writer.chunks,
    resumedChunks,
    seconds: (performance.now() - started) / 1000,
  };
}
