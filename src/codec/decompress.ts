import { mkdir, open, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { ioError, writeFilesAtomically } from '../core/files.js';
import { parseOptions } from '../core/options.js';
import { openSource } from './archive/open-source.js';
import { readHeader } from './archive/reader.js';
import { type Archive, type ArchiveItems, type DamagedChunk, openArchive } from './archive.js';
import { refuseDamage } from './damage.js';
import type { CodecInput, LossyCodecInput } from './find-codec.js';
import { arrayHeader } from './items/array-file.js';
import { encodePng } from './items/image-files.js';
import { checkName, pathWithin } from './items/safe-path.js';
import { unpackPictures } from './lossy/unpack-pictures.js';
import { inOrder } from './pipeline.js';

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
    .default(() => availableParallelism()),
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
  readonly items: number;
  readonly bytesOut: number;
  /** The array's file, or the images' folder. */
  readonly path: string;
  readonly damaged: readonly DamagedChunk[];
  /** False for an archive that lost its end: there may have been more items. */
  readonly complete: boolean;
  readonly seconds: number;
}

/**
 * Writes the items of an archive as files again: an IDX or .npy file with the same elements, or PNG
 * images with the same pixels; pictures that were compressed with loss as PNG too. A file appears under its name only when it is complete.
 *
 * @throws VaeError ERR_VAE_FORMAT naming each damaged chunk (see `salvage`), ERR_VAE_REPRODUCIBILITY
 *   for another model, ERR_VAE_IO where something cannot be read or written.
 */
export async function decompress(input: string | Uint8Array, options: DecompressOptions): Promise<DecompressResult> {
  const parsed = parseOptions(optionsSchema, options, 'decompress()');
  const started = performance.now();
  if (await holdsPictures(input))
    return unpackPictures(input, { ...parsed, model: options.model as LossyCodecInput | undefined });
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
    await mkdir(parsed.output, { recursive: true });
    const unpack = archive.header.kind === 'images' ? unpackImages : unpackArray;
    const path = await unpack(archive, parsed, damaged);
    return {
      ...{ items: archive.length, bytesOut, path, damaged, complete: archive.complete },
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    parsed.signal?.throwIfAborted();
    throw ioError(error, `unpacking into ${parsed.output}`);
  }
}

type Parsed = z.output<typeof optionsSchema>;

async function holdsPictures(input: string | Uint8Array): Promise<boolean> {
  const source = await openSource(input);
  try {
    return (await readHeader(source)).header.kind === 'pictures';
  } finally {
    await source.close();
  }
}

async function unpackArray(archive: Archive, options: Parsed, damaged: DamagedChunk[]): Promise<string> {
  const { header } = archive;
  const kind = header.kind === 'idx' ? 'idx' : 'npy';
  const name = basename(header.name ?? `items.${kind}`);
  if (checkName(name).length !== 1)
    throw new VaeError('ERR_VAE_FORMAT', `The archive's name "${name}" is not a file name.`);
  const path = await pathWithin(options.output, name);
  const partial = join(dirname(path), `.${name}.partial`);
  const file = await open(partial, 'w');
  try {
    await file.writeFile(arrayHeader(kind, [archive.length, ...(header.rowShape ?? header.itemShape)]));
    await eachChunk(archive, options, damaged, async (chunk, items) => {
      await file.writeFile(items?.data ?? new Uint8Array(archive.chunk(chunk).items * archive.itemSize));
    });
    refuseDamage(damaged, options);
    await file.sync();
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
  return path;
}

async function unpackImages(archive: Archive, options: Parsed, damaged: DamagedChunk[]): Promise<string> {
  const seen = new Set<string>();
  await eachChunk(archive, options, damaged, async (chunk, items) => {
    if (items === undefined) return;
    const { itemSize, itemShape } = archive;
    const { firstItem } = archive.chunk(chunk);
    const files = await Promise.all(
      Array.from({ length: items.shape[0]! }, async (_, index) => {
        const name = items.names?.[index] ?? `${String(firstItem + index).padStart(6, '0')}.png`;
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
  return options.output;
}

/** Decodes all chunks, several at once; `take` gets them in order, undefined for a damaged one. */
async function eachChunk(
  archive: Archive,
  { threads, signal, onProgress }: Parsed,
  damaged: DamagedChunk[],
  take: (chunk: number, items: ArchiveItems | undefined) => Promise<void>,
): Promise<void> {
  await inOrder(
    archive.chunkCount,
    threads,
    async (chunk) => {
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
    async (items, chunk) => {
      await take(chunk, items);
      const { firstItem, items: count } = archive.chunk(chunk);
      onProgress?.({ items: firstItem + count, totalItems: archive.length });
    },
  );
}
