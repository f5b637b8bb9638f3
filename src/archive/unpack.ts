/** The one unpacker: every kind of archive, into a folder, a stream, or a comparison. */
import { shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import { inOrder } from '../core/in-order.js';
import {
  type ArchiveBase,
  type DamagedChunk,
  type Outline,
  type OutPart,
  type Output,
  refuseDamage,
} from './archive.js';
import type { Header } from './format.js';
import { partsOf } from './names.js';

// biome-ignore lint/suspicious/noExplicitAny: what a chunk decodes to is the archive's own affair
export type AnyArchive = ArchiveBase<Header, any>;

/** Where the files of an archive go. */
export interface UnpackSink {
  /** Told everything before anything comes; the records of which everything is there already. */
  begin(outline: Outline, archive: AnyArchive, signal?: AbortSignal): Promise<ReadonlySet<number>>;
  /** A part of a file, in the order of the outline. */
  put(part: OutPart, bytes: Uint8Array): Promise<void>;
  /** A part that is lost. */
  lose(part: OutPart): Promise<void>;
  /** Everything was put. `whole`: nothing is missing. */
  end(whole: boolean): Promise<void>;
  /** Something went wrong, or was interrupted: then what was begun may be gone on from. */
  stop(interrupted: boolean): Promise<void>;
}

export interface UnpackOptions {
  readonly salvage: boolean;
  readonly maxOutputBytes: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { items: number; totalItems: number }) => void) | undefined;
}

export interface Unpacked {
  readonly damaged: DamagedChunk[];
  /** Bytes of the data; of pictures, of their pixels. */
  readonly bytesOut: number;
  /** Chunks that were there before. */
  readonly resumedChunks: number;
  /** Files that come out, and those of them that the archive is for. */
  readonly files: number;
  readonly itemFiles: number;
}

/**
 * Gives every file of an archive to a sink, several chunks decoded at once and handed over in order.
 *
 * @throws VaeError ERR_VAE_FORMAT for damage, unless it is to be passed over; for names that lead out of a folder, two
 *   files of one name, and more bytes than allowed.
 */
export async function unpack(archive: AnyArchive, sink: UnpackSink, options: UnpackOptions): Promise<Unpacked> {
  const { salvage, signal, threads, maxOutputBytes, onProgress } = options;
  const lost: DamagedChunk[] = [];
  let bytesOut = 0;
  const limit = (more: number): void => {
    bytesOut += more;
    if (bytesOut <= maxOutputBytes) return;
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The archive decodes to more than the limit of ${maxOutputBytes} bytes. If you trust it, raise maxOutputBytes (--max-output).`,
    );
  };
  const outline = checkOutline(await archive.outline(), options);
  for (const one of outline.unreadable) lost.push(one);
  const known = outline.records.flat().reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  limit(known);
  bytesOut = 0;
  try {
    const there = await sink.begin(outline, archive, signal);
    const unreadable = new Set(outline.unreadable.map(({ chunk }) => chunk));
    const todo = outline.records.map((_, record) => record).filter((record) => !there.has(record));
    const weightOf = (record: number): number =>
      record < archive.chunkCount ? archive.chunk(record).items : outline.records[record]!.length;
    const totalItems = outline.records.reduce((sum, _, record) => sum + weightOf(record), 0);
    let done = totalItems - todo.reduce((sum, record) => sum + weightOf(record), 0);
    const told = () => onProgress?.({ items: done, totalItems });
    const lostNames = new Set<string>();
    for (const record of there) limit(outline.records[record]!.reduce((sum, { bytes = 0 }) => sum + bytes, 0));
    if (there.size > 0) told();
    const join = archive.joiner(salvage ? 'fill' : 'refuse');
    await inOrder(
      todo.length,
      Math.min(threads, archive.mostAtOnce),
      async (index): Promise<Output | undefined> => {
        const record = todo[index]!;
        signal?.throwIfAborted();
        if (unreadable.has(record) && outline.records[record]!.length === 0) return undefined;
        try {
          return await archive.output(record, signal);
        } catch (error) {
          signal?.throwIfAborted();
          lost.push(archive.damageOf(record, error));
          return salvage ? archive.substitute(record, signal) : undefined;
        }
      },
      async (made, index) => {
        const parts = outline.records[todo[index]!]!;
        const output = made && (await join(todo[index]!, made));
        if (output !== undefined) limit(output.bytes);
        else for (const { name } of parts) lostNames.add(name);
        const copies = parts.filter(({ sameAs }) => sameAs !== undefined && lostNames.has(sameAs));
        for (const { name, sameAs } of copies) {
          const reason = `"${shownName(name)}" is the same as "${shownName(sameAs!)}", which is lost.`;
          lost.push({ chunk: todo[index]!, firstItem: archive.recordCount, items: 0, reason });
        }
        await putAll(sink, parts, output, copies);
        done += weightOf(todo[index]!);
        told();
      },
    );
    signal?.throwIfAborted();
    await sink.end(lost.length === 0);
    refuseDamage(lost, { salvage });
    const parts = outline.records.flat();
    const countOf = (some: readonly OutPart[]): number => new Set(some.map(({ name }) => name)).size;
    const files = parts.filter(({ folder }) => !folder);
    const counts = { files: countOf(files), itemFiles: countOf(parts.filter(({ item }) => item)) };
    return { damaged: lost, bytesOut, resumedChunks: there.size, ...counts };
  } catch (error) {
    await sink.stop(signal?.aborted === true);
    throw error;
  }
}

/** Files at once: each is flushed to the disk, which waits more than it works. */
const AT_ONCE = 16;

async function putAll(
  sink: UnpackSink,
  parts: readonly OutPart[],
  output: Output | undefined,
  lost: readonly OutPart[],
): Promise<void> {
  for (let start = 0; start < parts.length; start += AT_ONCE) {
    await Promise.all(
      parts.slice(start, start + AT_ONCE).map(async (part, index) => {
        if (part.name === '') return;
        if (output === undefined || lost.includes(part)) await sink.lose(part);
        else await sink.put(part, output.parts[start + index]!);
      }),
    );
  }
}

/** Refuses names that no folder may hold, and two files of one name; passes over them where that is asked for. */
function checkOutline({ records, unreadable }: Outline, { salvage }: { readonly salvage: boolean }): Outline {
  const bad: DamagedChunk[] = [...unreadable];
  const files = new Map<string, { end: number | undefined; record: number }>();
  const kept = records.map((parts, record) => {
    const refused: string[] = [];
    const good = parts.filter((part) => {
      try {
        checkPart(part, record, files);
        return true;
      } catch (error) {
        if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT' || !salvage) throw error;
        refused.push(error.message);
        return false;
      }
    });
    if (refused.length === 0) return parts;
    bad.push({ chunk: record, firstItem: 0, items: refused.length, reason: `Chunk ${record}: ${refused.join(' ')}` });
    // A part keeps its place among those of the record; what is refused is passed over there.
    return good.length === 0 ? [] : parts.map((part) => (good.includes(part) ? part : { ...part, name: '' }));
  });
  for (const [name, { end }] of files) {
    // Where no chunk is unreadable, which is told with more, a file that has no end would come out as a piece of one.
    if (end === undefined || salvage || bad.length > 0) continue;
    throw new VaeError('ERR_VAE_FORMAT', `The archive is damaged: the end of "${name}" is missing.`);
  }
  for (const { name, sameAs } of kept.flat()) {
    if (sameAs === undefined || files.has(sameAs)) continue;
    const message = `The archive is damaged: "${name}" is said to be the same as "${sameAs}", which it does not hold.`;
    if (!salvage) throw new VaeError('ERR_VAE_FORMAT', message);
  }
  return { records: kept, unreadable: bad };
}

function checkPart(
  { name, offset, bytes, last }: OutPart,
  record: number,
  files: Map<string, { end: number | undefined; record: number }>,
): void {
  partsOf(name);
  const before = files.get(name);
  if (before === undefined) {
    files.set(name, { end: last ? undefined : offset + (bytes ?? 0), record });
    return;
  }
  // The parts of a file follow one another; a gap is where one is lost.
  if (before.end === undefined || before.record === record || offset < before.end) {
    throw new VaeError('ERR_VAE_FORMAT', `The archive names two files "${name}".`);
  }
  files.set(name, { end: last ? undefined : offset + (bytes ?? 0), record });
}
