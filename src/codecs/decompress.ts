import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { refuseDamage } from '../archive/damage.js';
import type { AnyHeader } from '../archive/format.js';
import { openSource } from '../archive/open-source.js';
import { readHeader } from '../archive/reader.js';
import { checkName, pathWithin } from '../archive/safe-path.js';
import { availableThreads } from '../binding/threads.js';
import { VaeError } from '../core/errors.js';
import { ioError, makeFolder, writeFilesAtomically } from '../core/files.js';
import { inOrder } from '../core/in-order.js';
import { parseOptions } from '../core/options.js';
import { fileAt } from '../data/find-files.js';
import { arrayHeader } from './lossless/array-file.js';
import { encodePng, readImage } from './lossless/image-files.js';
import { type Archive, type ArchiveItems, type DamagedChunk, openArchive } from './lossless/item-archive.js';
import type { CodecInput, LossyCodecInput } from './models/find.js';
import { unpackPictures } from './pictures/unpack.js';
import { unpackSounds } from './sound/unpack.js';

/** 64 GiB. */
const DEFAULT_MOST_OUTPUT = 2 ** 36;

const optionsSchema = z.strictObject({
  model: z.unknown().optional(),
  output: z.string().min(1),
  salvage: z.boolean().default(false),
  maxOutputBytes: z.number().positive().default(DEFAULT_MOST_OUTPUT),
  threads: z
    .int()
    .min(1)
    .max(64)
    .default(() => availableThreads()),
  signal: z.instanceof(AbortSignal).optional(),
  onProgress: z.custom<(progress: DecompressProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface DecompressOptions {
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  readonly model?: CodecInput | LossyCodecInput;
  /** Folder that the files go into; made where missing. */
  readonly output: string;
  /** Write what can be decoded although some chunks are damaged; items of an array that are lost are 0. Default false. */
  readonly salvage?: boolean;
  /** Archives that decode to more than this are refused before anything is written. Default 64 GiB. */
  readonly maxOutputBytes?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DecompressProgress) => void;
}

export interface DecompressProgress {
  readonly items: number;
  readonly totalItems: number;
}

export interface DecompressResult {
  /** Items, pictures or sound files. */
  readonly items: number;
  readonly bytesOut: number;
  /** The array's or the only sound's file, or the folder of images or sounds. */
  readonly path: string;
  readonly damaged: readonly DamagedChunk[];
  /** False for an archive that lost its end: there may have been more items. */
  readonly complete: boolean;
  /** Chunks that an interrupted run had unpacked before. */
  readonly resumedChunks: number;
  readonly seconds: number;
}

interface Unpacked {
  readonly path: string;
  readonly resumedChunks: number;
}

/**
 * Writes the items of an archive as files again: an IDX or .npy file with the same elements, or PNG
 * images with the same pixels; WAV files byte for byte; pictures that were compressed with loss as PNG. A file appears under its name only when it is complete.
 * An aborted or killed run is gone on from by the next.
 *
 * @throws VaeError ERR_VAE_FORMAT naming each damaged chunk (see `salvage`), ERR_VAE_REPRODUCIBILITY
 *   for another model, ERR_VAE_IO where something cannot be read or written.
 */
export async function decompress(input: string | Uint8Array, options: DecompressOptions): Promise<DecompressResult> {
  const parsed = parseOptions(optionsSchema, options, 'decompress()');
  const started = performance.now();
  const kind = await kindOf(input);
  if (kind === 'pictures')
    return unpackPictures(input, { ...parsed, model: options.model as LossyCodecInput | undefined });
  if (kind === 'sounds') return unpackSounds(input, { ...parsed, model: options.model as CodecInput | undefined });
  await using archive = await openArchive(
    input,
    options.model === undefined ? {} : { model: options.model as CodecInput },
  );
  const bytesOut = archive.length * archive.itemSize;
  if (bytesOut > parsed.maxOutputBytes) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The archive decodes to ${bytesOut} bytes, more than the limit of ${parsed.maxOutputBytes}. ` +
        'If you trust it, raise maxOutputBytes (--max-output).',
    );
  }
  if (!archive.complete && !parsed.salvage) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The archive has no end: it was cut off or never finished. ${archive.chunkCount} whole chunks were found; ` +
        'use salvage (--salvage) to unpack those.',
    );
  }
  const damaged: DamagedChunk[] = [];
  try {
    await makeFolder(parsed.output);
    const unpack = archive.header.kind === 'images' ? unpackImages : unpackArray;
    const { path, resumedChunks } = await unpack(archive, parsed, damaged);
    return {
      ...{ items: archive.length, bytesOut, path, damaged, complete: archive.complete, resumedChunks },
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    parsed.signal?.throwIfAborted();
    throw ioError(error, `unpacking into ${parsed.output}`);
  }
}

type Parsed = z.output<typeof optionsSchema>;

async function kindOf(input: string | Uint8Array): Promise<AnyHeader['kind']> {
  const source = await openSource(input);
  try {
    return (await readHeader(source)).header.kind;
  } finally {
    await source.close();
  }
}

async function unpackArray(archive: Archive, options: Parsed, damaged: DamagedChunk[]): Promise<Unpacked> {
  const { header, itemSize } = archive;
  const kind = header.kind === 'idx' ? 'idx' : 'npy';
  const name = basename(header.name ?? `items.${kind}`);
  if (checkName(name).length !== 1)
    throw new VaeError('ERR_VAE_FORMAT', `The archive's name "${name}" is not a file name.`);
  const path = await pathWithin(options.output, name);
  const partial = join(dirname(path), `.${name}.partial`);
  const start = arrayHeader(kind, [archive.length, ...(header.rowShape ?? header.itemShape)]);
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW);
  try {
    const done = await chunksThere(archive, file, start, options.signal);
    let at =
      start.length + (done === 0 ? 0 : archive.chunk(done - 1).firstItem + archive.chunk(done - 1).items) * itemSize;
    await file.truncate(at);
    if (done === 0) await writeAll(file, start, 0);
    await eachChunk(archive, options, done, damaged, async (chunk, items) => {
      const bytes = items?.data ?? new Uint8Array(archive.chunk(chunk).items * itemSize);
      await writeAll(file, bytes, at);
      at += bytes.length;
    });
    refuseDamage(damaged, options);
    await file.sync();
    await file.close();
    await rename(partial, path);
    return { path, resumedChunks: done };
  } catch (error) {
    await file.close().catch(() => {});
    // What was unpacked before an interruption is gone on from.
    if (!options.signal?.aborted) await rm(partial, { force: true });
    throw error;
  }
}

/** How many chunks an interrupted run had written into the file, from the first on. */
async function chunksThere(
  archive: Archive,
  file: FileHandle,
  start: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { size } = await file.stat();
  const read = async (from: number, length: number): Promise<Uint8Array | undefined> => {
    if (from + length > size) return undefined;
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await file.read(bytes, done, length - done, from + done);
      if (bytesRead === 0) return undefined;
      done += bytesRead;
    }
    return bytes;
  };
  const found = await read(0, start.length);
  if (found === undefined || Buffer.compare(found, start) !== 0) return 0;
  for (let chunk = 0; chunk < archive.chunkCount; chunk += 1) {
    signal?.throwIfAborted();
    const { firstItem, items } = archive.chunk(chunk);
    const { itemSize } = archive;
    if (!(await archive.matches(chunk, () => read(start.length + firstItem * itemSize, items * itemSize))))
      return chunk;
  }
  return archive.chunkCount;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

async function unpackImages(archive: Archive, options: Parsed, damaged: DamagedChunk[]): Promise<Unpacked> {
  const seen = new Set<string>();
  const { itemSize, itemShape } = archive;
  const nameOf = (names: readonly string[] | undefined, chunk: number, index: number): string =>
    names?.[index] ?? `${String(archive.chunk(chunk).firstItem + index).padStart(6, '0')}.png`;
  let done = 0;
  // Images that an interrupted run had written, whole chunks of them, are as good as new ones.
  while (done < archive.chunkCount && (await imagesThere(archive, done, options.output, nameOf, seen))) done += 1;
  await eachChunk(archive, options, done, damaged, async (chunk, items) => {
    if (items === undefined) return;
    const files = await Promise.all(
      Array.from({ length: items.shape[0]! }, async (_, index) => {
        const name = nameOf(items.names, chunk, index);
        const key = name.toLowerCase();
        if (seen.has(key)) throw new VaeError('ERR_VAE_FORMAT', `The archive names two items "${name}".`);
        seen.add(key);
        const path = await pathWithin(options.output, name);
        return {
          path,
          chunks: [await encodePng(items.data.subarray(index * itemSize, (index + 1) * itemSize), itemShape)],
        };
      }),
    );
    await writeFilesAtomically(files);
  });
  refuseDamage(damaged, options);
  return { path: options.output, resumedChunks: done };
}

/** Whether all images of a chunk are in the folder with the pixels that they should have. */
async function imagesThere(
  archive: Archive,
  chunk: number,
  folder: string,
  nameOf: (names: readonly string[] | undefined, chunk: number, index: number) => string,
  seen: Set<string>,
): Promise<boolean> {
  const { itemSize, itemShape } = archive;
  const { items: count } = archive.chunk(chunk);
  const keys: string[] = [];
  const there = await archive.matches(chunk, async (names) => {
    const items = new Uint8Array(count * itemSize);
    for (let index = 0; index < count; index += 1) {
      const name = nameOf(names, chunk, index);
      const path = join(folder, ...checkName(name));
      const found = await lstat(path).catch(() => undefined);
      if (!found?.isFile()) return undefined;
      const item = await readImage(fileAt(path), itemShape).catch(() => undefined);
      if (item === undefined) return undefined;
      items.set(item, index * itemSize);
      keys.push(name.toLowerCase());
    }
    return items;
  });
  if (there) for (const key of keys) seen.add(key);
  return there;
}

/** Decodes all chunks from one on, several at once; `take` gets them in order, undefined for a damaged one. */
async function eachChunk(
  archive: Archive,
  { threads, signal, onProgress }: Parsed,
  from: number,
  damaged: DamagedChunk[],
  take: (chunk: number, items: ArchiveItems | undefined) => Promise<void>,
): Promise<void> {
  await inOrder(
    archive.chunkCount - from,
    threads,
    async (index) => {
      const chunk = from + index;
      signal?.throwIfAborted();
      try {
        return await archive.readChunk(chunk, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
        damaged.push({ chunk, ...archive.chunk(chunk), reason: error.message });
        return undefined;
      }
    },
    async (items, index) => {
      const chunk = from + index;
      await take(chunk, items);
      const { firstItem, items: count } = archive.chunk(chunk);
      onProgress?.({ items: firstItem + count, totalItems: archive.length });
    },
  );
}
