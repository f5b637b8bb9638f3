import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { type DamagedChunk, refuseIncomplete } from '../archive/archive.js';
import { FolderSink, type Skipped } from '../archive/folder-sink.js';
import type { Renamed } from '../archive/names.js';
import { StreamSink } from '../archive/stream-sink.js';
import { type Unpacked, type UnpackSink, unpack } from '../archive/unpack.js';
import { lockFile } from '../binding/file-lock.js';
import { signalShape } from '../core/common-options.js';
import { ioError, makeFolder } from '../core/files.js';
import { type InputOf, parseOptions } from '../core/options.js';
import type { ModelInput } from './by-kind.js';
import { spooled } from './inputs/spool.js';
import { threadsWithin } from './jobs/memory.js';
import { type OpenedArchive, openAny } from './open.js';
import { chunkThreadsShape } from './option-shapes.js';

/** 64 GiB. */
const DEFAULT_MOST_OUTPUT = 2 ** 36;

const optionsSchema = z.strictObject({
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<ModelInput>().optional(),
  /** Folder that the files go into; made where missing. `-` writes the only file of an archive to standard output. */
  output: z.string().min(1),
  /**
   * Write what can be decoded although some chunks are damaged, the beginning or the end is; items of an array that
   * are lost are 0. Default false.
   */
  salvage: z.boolean().default(false),
  /** Replace files that are there with other bytes. Default false: then nothing is unpacked, and they are named. */
  force: z.boolean().default(false),
  /** Leave files that are there with other bytes, and unpack the others. Default false. */
  skipExisting: z.boolean().default(false),
  /** Names that this system cannot have: `safe` ones instead, the default, or `refuse` the archive. */
  rename: z.enum(['safe', 'refuse']).default('safe'),
  /** Archives that decode to more than this are refused before anything is written. Default 64 GiB. */
  maxOutputBytes: z.number().positive().default(DEFAULT_MOST_OUTPUT),
  ...chunkThreadsShape,
  ...signalShape,
  onProgress: z.custom<(progress: DecompressProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface DecompressOptions extends InputOf<typeof optionsSchema> {}

export interface DecompressProgress {
  readonly items: number;
  readonly totalItems: number;
}

export interface DecompressResult {
  /** Items or pictures; of an archive of sounds, files. */
  readonly items: number;
  /** Files that came out. */
  readonly files: number;
  readonly bytesOut: number;
  /** The only file that came out, or the folder of them. */
  readonly path: string;
  readonly damaged: readonly DamagedChunk[];
  /** Items of chunks that are lost, and of how many. */
  readonly lostItems: number;
  readonly totalItems: number;
  /** False for an archive that lost its end: there may have been more items. */
  readonly complete: boolean;
  /** Files that came out under another name, as this system cannot have theirs. */
  readonly renamed: readonly Renamed[];
  /** Files that were left as they are (skipExisting). */
  readonly skipped: readonly Skipped[];
  /** Chunks that an interrupted run had unpacked before. */
  readonly resumedChunks: number;
  /** What else there is to say, such as damage of the header that cost nothing. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

/**
 * Writes the items of an archive as files again: an IDX or .npy file with the same elements, or PNG
 * images with the same pixels; sounds and other files byte for byte; pictures that were compressed with loss as PNG.
 * A file appears under its name only when it is complete, and never in the place of another one. An aborted or killed
 * run is gone on from by the next.
 *
 * @throws VaeError ERR_VAE_FORMAT naming each damaged chunk (see `salvage`), ERR_VAE_REPRODUCIBILITY
 *   for another model, ERR_VAE_IO where something cannot be read or written, or is there already (see `force`).
 */
export async function decompress(input: string | Uint8Array, options: DecompressOptions): Promise<DecompressResult> {
  const parsed = parseOptions(optionsSchema, options, 'decompress()');
  const started = performance.now();
  await using spool = typeof input === 'string' ? await spooled([input]) : undefined;
  const archiveInput = spool?.paths[0] ?? input;
  const results: DecompressResult[] = [];
  let start: number | undefined;
  do {
    const opened = await openAny(
      archiveInput,
      { ...(options.model !== undefined && { model: options.model }) },
      { salvage: parsed.salvage, ...(start !== undefined && { start }) },
    );
    await using archive = opened.archive;
    refuseIncomplete(opened.layout, archive.recordCount, parsed);
    const memory = await archive.recordMemory(parsed.signal);
    const threads = threadsWithin('The largest chunk of the archive', memory, parsed);
    results.push(await unpackOne(opened, { ...parsed, threads }, started));
    start = opened.layout.next === undefined ? undefined : (start ?? 0) + opened.layout.next;
  } while (start !== undefined);
  return results.length === 1 ? results[0]! : together(results, parsed.output);
}

type Parsed = z.output<typeof optionsSchema> & { readonly threads: number };

async function unpackOne(
  { archive, layout, kind }: OpenedArchive,
  options: Parsed,
  started: number,
): Promise<DecompressResult> {
  const { output, salvage, force, skipExisting, rename, signal } = options;
  const folder =
    output === '-' ? undefined : new FolderSink(output, { salvage, force, skipExisting, rename, lock: lockFile });
  const sink: UnpackSink = folder ?? new StreamSink();
  let unpacked: Unpacked;
  try {
    if (folder !== undefined) await makeFolder(output);
    unpacked = await unpack(archive, sink, options);
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError(error, `unpacking into ${output}`);
  }
  const { damaged, bytesOut, resumedChunks, files, itemFiles } = unpacked;
  const totalItems = layout.chunks.reduce((sum, { items }) => sum + items, 0);
  const lostItems = damaged.reduce((sum, { items }) => sum + items, 0);
  const notes = [
    ...(layout.headerLost === undefined
      ? []
      : [`The beginning of the archive is damaged (${layout.headerLost}) The copy of it at the end was used.`]),
    ...(folder?.locked === false
      ? ['This folder has no locks: make sure that no other job unpacks the same archive into it.']
      : []),
  ];
  return {
    ...{ items: kind.itemsAreFiles ? itemFiles : totalItems, files, bytesOut, path: folder?.path ?? '-', damaged },
    ...{ lostItems, totalItems, complete: archive.complete },
    ...{ renamed: folder?.renamed ?? [], skipped: folder?.skipped ?? [], resumedChunks, notes },
    seconds: (performance.now() - started) / 1000,
  };
}

/** What came out of archives that stand one behind the other. */
function together(results: readonly DecompressResult[], output: string): DecompressResult {
  const sum = (of: (result: DecompressResult) => number): number =>
    results.reduce((total, each) => total + of(each), 0);
  return {
    ...{
      items: sum(({ items }) => items),
      files: sum(({ files }) => files),
      bytesOut: sum(({ bytesOut }) => bytesOut),
    },
    ...{ lostItems: sum(({ lostItems }) => lostItems), totalItems: sum(({ totalItems }) => totalItems), path: output },
    damaged: results.flatMap(({ damaged }) => damaged),
    complete: results.every(({ complete }) => complete),
    renamed: results.flatMap(({ renamed }) => renamed),
    skipped: results.flatMap(({ skipped }) => skipped),
    resumedChunks: sum(({ resumedChunks }) => resumedChunks),
    notes: [
      `${results.length} archives stood one behind the other; all were unpacked.`,
      ...results.flatMap(({ notes }) => notes),
    ],
    seconds: results.at(-1)!.seconds,
  };
}
