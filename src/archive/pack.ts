/** The one way archives are written: units of work, coded several at once, resumed, verified, committed. */
import { shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { inOrder } from '../core/in-order.js';
import { isOutOfMemory } from '../core/memory.js';
import { type ByteSource, memorySource } from './bytes.js';
import type { EncodedRecord } from './chunk.js';
import { isCompact } from './compact.js';
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
import type { AnyArchive } from './unpack.js';
import { type Expected, type Meaning, means, verifyArchive } from './verify.js';
import { ArchiveWriter } from './writer.js';

/** What one unit has read, and will write as a record. */
export interface Prepared {
  readonly kind: 'chunk' | 'files';
  readonly items: number;
  /** The record's checksum, where it is known before coding: then a resumed job need not code it again. */
  readonly checksum?: Uint8Array | undefined;
  readonly expected: readonly Expected[];
  /** Bytes that went in. */
  readonly bytes: number;
  /** What the record holds, for the compact form: its names block, and its items or files. */
  content(): { readonly names: Buffer; readonly data: Uint8Array } | undefined;
  encode(signal: AbortSignal | undefined): Promise<EncodedRecord>;
}

/** Some of what goes in: it is read when its turn comes, and may turn out to hold nothing that can be written. */
export interface Unit {
  /** For progress. */
  readonly items: number;
  prepare(signal: AbortSignal | undefined): Promise<Prepared | undefined>;
}

export interface PhaseControl {
  /** Drops what was written of a file in several records. */
  forget(name: string): void;
}

export interface PackJob {
  readonly header: Header;
  readonly read: HeaderReader;
  /** Opens what was written, to unpack it. */
  readonly open: (source: ByteSource) => Promise<AnyArchive>;
  readonly model: { readonly file: Uint8Array } | undefined;
  /** Units of the next phase, told once those before it are written; undefined after the last. */
  readonly phase: (control: PhaseControl) => Promise<readonly Unit[] | undefined>;
  /** What the bytes of a file of a chunk mean; undefined where they are not what went in to the last bit. */
  readonly meaning: Meaning | undefined;
  /** What is looked at instead of what went in, where records come out of other archives. */
  readonly check?: ((archive: AnyArchive) => Promise<void>) | undefined;
  readonly totalItems: number;
  readonly threads: number;
  readonly verify: boolean;
  /** Drop what a job of other input or options left, instead of keeping a copy of it. */
  readonly dropPartial: boolean;
  /** Whether units know their checksums before they are coded; otherwise an interrupted job begins anew. */
  readonly resumable: boolean;
  /** The compact form of an archive of one record, where there is one. */
  readonly compact?: ((record: Prepared) => Promise<Uint8Array | undefined>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { items: number; totalItems: number; bytesIn: number; bytesOut: number }) => void)
    | undefined;
}

export interface PackResult {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly modelBytes: number;
  readonly chunks: number;
  readonly items: number;
  readonly resumedChunks: number;
  /** What the caller should tell: a partial file that was put aside, say. */
  readonly notes: readonly string[];
  readonly archive: Uint8Array | undefined;
}

/** Where writing goes on. */
interface Start {
  readonly writer: ArchiveWriter;
  readonly modelBytes: number;
  /** Records of an earlier job that this one may take over, in order. */
  readonly old: readonly OldRecord[];
  /** Records of the archive that is added to. */
  readonly before: number;
}

interface OldRecord {
  readonly entry: IndexEntry;
  readonly checksum: Uint8Array;
  readonly end: number;
}

export async function pack(job: PackJob, output: ArchiveOutput): Promise<PackResult> {
  const notes: string[] = [];
  if (!output.locked) {
    notes.push('This file system has no locks: make sure that no other job writes the same archive.');
  }
  let state: Packing | undefined;
  let verifying = false;
  try {
    const start = await begin(job, output, notes);
    const { writer } = start;
    state = new Packing(job, output, start);
    await state.run(notes);
    await writer.end();
    let bytesOut = writer.byteLength;
    const sole = state.sole;
    if (sole !== undefined && job.model === undefined && job.compact !== undefined) {
      const compact = await job.compact(sole);
      if (compact !== undefined && compact.length < bytesOut && (await output.replace(compact)))
        bytesOut = compact.length;
    }
    verifying = true;
    if (job.verify) await state.verify();
    job.signal?.throwIfAborted();
    const archive = await output.commit();
    return {
      ...{ bytesIn: state.bytesIn, bytesOut, modelBytes: start.modelBytes, chunks: writer.chunks },
      ...{ items: writer.items, resumedChunks: state.resumed, notes, archive },
    };
  } catch (error) {
    const wrong = error instanceof VaeError && error.code === 'ERR_VAE_RUNTIME';
    const spoilt = verifying && wrong && !isOutOfMemory(error);
    // What there was before this job began is another's until it is taken over.
    const keep = state === undefined ? output.source !== undefined : job.resumable && state.written > 0 && !spoilt;
    await output.abandon(keep);
    if (!isFull(error)) throw error;
    const size = state?.bytesOut ?? 0;
    throw new VaeError(
      'ERR_VAE_IO',
      `Failed writing ${output.place}: the disk is full; free some space or write elsewhere. ${
        keep
          ? `The ${size} bytes that were written stay, and the same command goes on from there; remove that file if you do not want that.`
          : 'Nothing was left behind.'
      }`,
      { cause: error },
    );
  }
}

function isFull(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return true;
  }
  return false;
}

class Packing {
  readonly #job: PackJob;
  readonly #output: ArchiveOutput;
  readonly #start: Start;
  /** Of each record in order; undefined for one that is dropped. */
  readonly #expected: (readonly Expected[] | undefined)[] = [];
  /** Records of files that have several. */
  readonly #byName = new Map<string, number[]>();
  #sole: Prepared | undefined;
  #count = 0;
  #items = 0;
  bytesIn = 0;
  resumed = 0;

  constructor(job: PackJob, output: ArchiveOutput, start: Start) {
    this.#job = job;
    this.#output = output;
    this.#start = start;
  }

  /** The only record of the archive. */
  get sole(): Prepared | undefined {
    return this.#count === 1 && this.#output.base === 0 ? this.#sole : undefined;
  }

  /** Records that this job has written or taken over. */
  get written(): number {
    return this.#count;
  }

  get bytesOut(): number {
    return this.#start.writer.byteLength;
  }

  async run(notes: string[]): Promise<void> {
    const { signal } = this.#job;
    const phase = () => this.#job.phase({ forget: (name) => this.#forget(name) });
    let resuming = this.#start.old.length > 0;
    for (let units = await phase(); units !== undefined; units = await phase()) {
      let at = 0;
      let pending: { unit: Unit; prepared: Prepared | undefined } | undefined;
      while (resuming && at < units.length) {
        signal?.throwIfAborted();
        const unit = units[at]!;
        const prepared = await unit.prepare(signal);
        at += 1;
        const old = this.#start.old[this.resumed];
        if (prepared === undefined || (old !== undefined && isSame(prepared, old))) {
          if (prepared !== undefined) {
            await this.#take(prepared, unit);
            this.resumed += 1;
          } else this.#tell(unit);
          continue;
        }
        resuming = false;
        pending = { unit, prepared };
        await this.#goOn(notes);
      }
      if (resuming && this.resumed === this.#start.old.length) {
        resuming = false;
        await this.#goOn(notes);
      }
      await this.#code(pending === undefined ? units.slice(at) : units.slice(at - 1), pending?.prepared);
    }
    if (resuming) await this.#goOn(notes);
    const { writer, before } = this.#start;
    const dropped = new Set(writer.entries.slice(before).filter((_, record) => this.#expected[record] === undefined));
    writer.forget((entry) => dropped.has(entry));
    if (this.#expected.every((record) => record === undefined))
      throw new VaeError('ERR_VAE_DATA', 'There is nothing to be compressed: every input was left out.');
  }

  /** Takes over what stands, and drops the rest of an earlier job. */
  async #goOn(notes: string[]): Promise<void> {
    const { old, writer } = this.#start;
    if (this.resumed < old.length && this.resumed > 0) {
      notes.push(
        `${old.length - this.resumed} chunks that an interrupted job had written were of other input or options, and were written anew.`,
      );
    }
    if (this.resumed < old.length && this.resumed === 0) {
      const aside = this.#job.dropPartial ? undefined : await this.#output.setAside();
      notes.push(asideNote(aside, this.#output.place));
    }
    for (const { entry, end } of old.slice(0, this.resumed)) writer.adopt(entry, end);
    await this.#output.cutAt(writer.byteLength);
  }

  async #code(units: readonly Unit[], first: Prepared | undefined): Promise<void> {
    const { threads, signal } = this.#job;
    await inOrder(
      units.length,
      threads,
      async (index) => {
        signal?.throwIfAborted();
        const prepared = index === 0 && first !== undefined ? first : await units[index]!.prepare(signal);
        if (prepared === undefined) return undefined;
        const record = await prepared.encode(signal);
        if (this.#output.isStream && this.#job.verify) await this.#verifyAlone(prepared, record);
        return { prepared, record };
      },
      async (coded, index) => {
        if (coded !== undefined) await this.#write(coded.record);
        if (coded === undefined) this.#tell(units[index]!);
        else await this.#take(coded.prepared, units[index]!);
      },
    );
    signal?.throwIfAborted();
  }

  async #write(record: EncodedRecord): Promise<void> {
    try {
      await this.#start.writer.chunk(record);
    } catch (error) {
      throw ioError(error, `writing ${this.#output.place}`);
    }
  }

  async #take(prepared: Prepared, unit: Unit): Promise<void> {
    this.#count += 1;
    this.#sole = this.#count === 1 ? prepared : undefined;
    for (const { part } of prepared.expected) {
      if (part.last && part.offset === 0) continue;
      this.#byName.set(part.name, [...(this.#byName.get(part.name) ?? []), this.#expected.length]);
    }
    this.#expected.push(prepared.expected);
    this.bytesIn += prepared.bytes;
    this.#tell(unit);
  }

  #forget(name: string): void {
    for (const record of this.#byName.get(name) ?? []) this.#expected[record] = undefined;
    this.#byName.delete(name);
  }

  #tell({ items }: Unit): void {
    this.#items += items;
    const { totalItems, onProgress } = this.#job;
    onProgress?.({
      items: this.#items,
      totalItems: Math.max(totalItems, this.#items),
      bytesIn: this.bytesIn,
      bytesOut: this.#start.writer.byteLength,
    });
  }

  /** Unpacks what was written, without writing. */
  async verify(): Promise<void> {
    const written = this.#output.written();
    if (written === undefined) return;
    const { open, check, meaning, threads, signal } = this.#job;
    await using archive = await open(written);
    if (check !== undefined) {
      await check(archive);
      return;
    }
    // Of an archive that was added to, only what was added is decoded; the names of all must go together.
    const expected = this.#expected.flatMap((record) => record ?? []);
    await verifyArchive(archive, expected, { meaning, threads, signal, from: this.#output.base });
  }

  /** A record in an archive of its own: what goes into a stream cannot be read again. */
  async #verifyAlone(prepared: Prepared, record: EncodedRecord): Promise<void> {
    const pieces: Uint8Array[] = [];
    const writer = new ArchiveWriter(async (bytes) => {
      pieces.push(bytes);
    });
    await writer.header(this.#job.header);
    await writer.chunk(record);
    await writer.end();
    await using archive = await this.#job.open(memorySource(new Uint8Array(Buffer.concat(pieces))));
    const { records } = await archive.outline();
    const output = await archive.joiner('leave')(0, await archive.output(0, this.#job.signal));
    for (const [index, { part, digest }] of prepared.expected.entries()) {
      const got = records[0]![index];
      const same =
        got?.name === part.name &&
        (digest === undefined ||
          (await means(output.parts[index]!, digest, got.meaning ?? this.#job.meaning ?? (async (bytes) => bytes))));
      if (!same) throw new VaeError('ERR_VAE_RUNTIME', `"${shownName(part.name)}" would not come out as it went in.`);
    }
  }
}

function asideNote(aside: string | undefined, place: string): string {
  return aside === undefined
    ? `What another job had left in ${place} was dropped.`
    : `${place} was of a job with other input or options: it was kept as ${aside}.`;
}

function isSame(prepared: Prepared, { entry, checksum }: OldRecord): boolean {
  return (
    prepared.checksum !== undefined &&
    prepared.kind === entry.kind &&
    prepared.items === entry.items &&
    Buffer.compare(prepared.checksum, checksum) === 0
  );
}

/** Writes the header, or finds out what of an earlier job's can be gone on from. */
async function begin(job: PackJob, output: ArchiveOutput, notes: string[]): Promise<Start> {
  const { source } = output;
  const sink = (bytes: Uint8Array) => output.write(bytes);
  if (output.base > 0 && source !== undefined) return beginAppended(job, output, source);
  if (source !== undefined && !job.resumable) {
    notes.push(
      `The ${source.length} bytes that an interrupted job had written to ${output.place} were dropped: pictures with loss begin anew, since what was coded cannot be told from a picture without coding it again.`,
    );
  }
  if (source !== undefined && job.resumable) {
    const old = await oldRecords(job, source);
    if (old !== undefined) return { ...old, writer: new ArchiveWriter(sink, old.first, [], job.header), before: 0 };
    if (!(await isBegun(job, source))) {
      const aside = job.dropPartial ? undefined : await output.setAside();
      notes.push(asideNote(aside, output.place));
    }
  }
  await output.cutAt(0);
  const writer = new ArchiveWriter(sink);
  await writer.header(job.header);
  const before = writer.byteLength;
  if (job.model !== undefined) await writer.model(job.model);
  return { writer, modelBytes: writer.byteLength - before, old: [], before: 0 };
}

/** Whether a job was killed before it had written anything of worth: a part of the header, or the compact form. */
async function isBegun(job: PackJob, source: ByteSource): Promise<boolean> {
  const start = await source.read(0, Math.min(source.length, MAX_HEADER_BYTES));
  return isCompact(start) || encodeHeader(job.header).subarray(0, start.length).equals(start);
}

/** The records of an archive with the same header, finished or not. */
async function oldRecords(job: PackJob, source: ByteSource) {
  try {
    const layout = await readLayout(source, job.read);
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
async function beginAppended(job: PackJob, output: ArchiveOutput, source: ByteSource): Promise<Start> {
  const { base } = output;
  const layout = await readLayout({ ...source, length: base }, job.read);
  const entries = [...layout.chunks, ...layout.files].sort((a, b) => a.offset - b.offset);
  const writer = new ArchiveWriter((bytes) => output.write(bytes), base, entries, layout.header);
  const old: OldRecord[] = [];
  for (let at = base; job.resumable && at + RECORD_BYTES <= source.length; ) {
    const bytes = await source.read(at, RECORD_BYTES);
    const record = whole(bytes, layout.itemSize);
    if (record === undefined) break;
    const end = at + RECORD_BYTES + record.payloadBytes;
    if ((record.kind !== 'chunk' && record.kind !== 'files') || end > source.length) break;
    const entry = { offset: at, items: record.items, recordCrc: recordCrc(bytes), kind: record.kind };
    old.push({ entry, checksum: record.checksum, end });
    at = end;
  }
  return { writer, modelBytes: 0, old, before: entries.length };
}

function whole(bytes: Uint8Array, itemSize: number): RecordHeader | undefined {
  try {
    return decodeRecord(bytes, itemSize);
  } catch {
    return undefined;
  }
}
