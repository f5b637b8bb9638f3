/** Where a job begins: at the beginning, or where an earlier one stopped. */
import { VaeError } from '../core/errors.js';
import type { ByteSource } from './bytes.js';
import { isCompact } from './compact.js';
import { existing } from './existing.js';
import {
  decodeRecord,
  encodeHeader,
  type Header,
  type IndexEntry,
  MAX_HEADER_BYTES,
  RECORD_BYTES,
  type RecordHeader,
  recordCrc,
} from './format.js';
import type { ArchiveOutput } from './output-file.js';
import { type ArchiveLayout, type HeaderReader, readLayout } from './reader.js';
import { ArchiveWriter } from './writer.js';

/** What of a job tells what an earlier one of it left. */
export interface StartJob {
  readonly header: Header;
  readonly read: HeaderReader;
  readonly model: { readonly file: Uint8Array } | undefined;
  /** Drop what a job of other input or options left, instead of keeping a copy of it. */
  readonly dropPartial: boolean;
}

/** Where writing goes on. */
export interface Start {
  readonly writer: ArchiveWriter;
  readonly modelBytes: number;
  /** Records of an earlier job that this one may take over, in order. */
  readonly old: readonly OldRecord[];
  /** What the earlier job noted of them, by their checksums. */
  readonly notes: ReadonlyMap<string, unknown>;
  /** Records of the archive that is added to. */
  readonly before: number;
}

export interface OldRecord {
  readonly entry: IndexEntry;
  readonly checksum: Uint8Array;
  readonly end: number;
}

export function asideNote(aside: string | undefined, place: string): string {
  return aside === undefined
    ? `What another job had left in ${place} was dropped.`
    : `${place} was of a job with other input or options: it was kept as ${aside}.`;
}

/** Writes the header, or finds out what of an earlier job's can be gone on from. */
export async function begin(job: StartJob, output: ArchiveOutput, notes: string[]): Promise<Start> {
  const { source } = output;
  const sink = (bytes: Uint8Array) => output.write(bytes);
  if (output.base > 0 && source !== undefined) return beginAppended(job, output, source);
  if (output.finished !== undefined) {
    const old = source && (await oldRecords(job, source, { complete: true }));
    if (old === undefined) throw existing(output.place);
    return { ...old, writer: new ArchiveWriter(sink, old.first, [], job.header), notes: new Map(), before: 0 };
  }
  if (source !== undefined) {
    const old = await oldRecords(job, source);
    if (old !== undefined) {
      const writer = new ArchiveWriter(sink, old.first, [], job.header);
      return { ...old, writer, notes: (await output.journal?.read()) ?? new Map(), before: 0 };
    }
    if (!(await isBegun(job, source))) {
      const aside = job.dropPartial ? undefined : await output.setAside();
      notes.push(asideNote(aside, output.place));
    }
  }
  await output.cutAt(0);
  await output.journal?.drop();
  const writer = new ArchiveWriter(sink);
  await writer.header(job.header);
  const before = writer.byteLength;
  if (job.model !== undefined) await writer.model(job.model);
  return { writer, modelBytes: writer.byteLength - before, old: [], notes: new Map(), before: 0 };
}

/** Whether a job was killed before it had written anything of worth: a part of the header, or the compact form. */
async function isBegun(job: StartJob, source: ByteSource): Promise<boolean> {
  const start = await source.read(0, Math.min(source.length, MAX_HEADER_BYTES));
  return isCompact(start) || encodeHeader(job.header).subarray(0, start.length).equals(start);
}

/** The records of an archive with the same header, finished or not. */
async function oldRecords(job: StartJob, source: ByteSource, { complete = false } = {}) {
  try {
    const layout = await readLayout(source, job.read);
    if (complete && !layout.complete) return undefined;
    const header = encodeHeader(job.header);
    if (!header.equals(await source.read(0, Math.min(source.length, header.length)))) return undefined;
    if ((job.model !== undefined) !== (layout.modelOffset !== undefined)) return undefined;
    let first = header.length;
    let modelBytes = 0;
    if (layout.modelOffset !== undefined) {
      const record = decodeRecord(await source.read(layout.modelOffset, RECORD_BYTES), 1);
      modelBytes = RECORD_BYTES + record.payloadBytes;
      first += modelBytes;
    }
    return { first, modelBytes, old: await following(source, layout, first) };
  } catch (error) {
    if (error instanceof VaeError && error.code === 'ERR_VAE_IO') throw error;
    return undefined; // no archive, or one of another kind
  }
}

/** The records that follow one another from a place on. */
async function following(source: ByteSource, layout: ArchiveLayout, from: number): Promise<OldRecord[]> {
  const entries = [...layout.chunks, ...layout.files].sort((a, b) => a.offset - b.offset);
  const records: OldRecord[] = [];
  let at = from;
  for (const entry of entries.filter(({ offset }) => offset >= from)) {
    if (entry.offset !== at) break;
    const record = decodeRecord(await source.read(entry.offset, RECORD_BYTES), layout.itemSize);
    at = entry.offset + RECORD_BYTES + record.payloadBytes;
    records.push({ entry, checksum: record.checksum, end: at });
  }
  return records;
}

/** What is added to is whole; behind it may stand what an interrupted job added. */
async function beginAppended(job: StartJob, output: ArchiveOutput, source: ByteSource): Promise<Start> {
  const { base } = output;
  const layout = await readLayout({ ...source, length: base }, job.read);
  const entries = [...layout.chunks, ...layout.files].sort((a, b) => a.offset - b.offset);
  const writer = new ArchiveWriter((bytes) => output.write(bytes), base, entries, layout.header);
  const old: OldRecord[] = [];
  for (let at = base; at + RECORD_BYTES <= source.length; ) {
    const bytes = await source.read(at, RECORD_BYTES);
    const record = whole(bytes, layout.itemSize);
    if (record === undefined) break;
    const end = at + RECORD_BYTES + record.payloadBytes;
    if ((record.kind !== 'chunk' && record.kind !== 'files') || end > source.length) break;
    const entry = { offset: at, items: record.items, recordCrc: recordCrc(bytes), kind: record.kind };
    old.push({ entry, checksum: record.checksum, end });
    at = end;
  }
  return { writer, modelBytes: 0, old, notes: new Map(), before: entries.length };
}

function whole(bytes: Uint8Array, itemSize: number): RecordHeader | undefined {
  try {
    return decodeRecord(bytes, itemSize);
  } catch {
    return undefined;
  }
}
