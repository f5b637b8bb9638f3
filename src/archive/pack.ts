/** The one way archives are written: units of work, coded several at once, resumed, verified, committed. */
import { shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { inOrder } from '../core/in-order.js';
import { isOutOfMemory } from '../core/memory.js';
import { type ByteSource, memorySource } from './bytes.js';
import type { EncodedRecord } from './chunk.js';
import { existingOther, existingUntold } from './existing.js';
import type { IndexEntry } from './format.js';
import { hexOf } from './journal.js';
import type { ArchiveOutput } from './output-file.js';
import { asideNote, begin, type OldRecord, type Start, type StartJob } from './start.js';
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
  /** What is noted beside the record for recall(), as JSON can hold it. */
  readonly note?: unknown;
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
  /** Likewise: bytes of the files, or parts of files, that it reads. */
  readonly fileBytes?: number | undefined;
  prepare(signal: AbortSignal | undefined): Promise<Prepared | undefined>;
  /**
   * Of units whose checksum is not known before they are coded: what a record is, by its note; undefined where it is of
   * other input or options. Then nothing was told of what was read.
   */
  readonly recall?: (note: unknown, signal: AbortSignal | undefined) => Promise<Prepared | undefined>;
}

export interface PhaseControl {
  /** Drops what was written of a file in several records. */
  forget(name: string): void;
}

export interface PackJob extends StartJob {
  /** Opens what was written, to unpack it. */
  readonly open: (source: ByteSource) => Promise<AnyArchive>;
  /** Units of the next phase, told once those before it are written; undefined after the last. */
  readonly phase: (control: PhaseControl) => Promise<readonly Unit[] | undefined>;
  /** What the bytes of a file of a chunk mean; undefined where they are not what went in to the last bit. */
  readonly meaning: Meaning | undefined;
  /** What is looked at instead of what went in, where records come out of other archives. */
  readonly check?: ((archive: AnyArchive) => Promise<void>) | undefined;
  readonly totalItems: number;
  /** The `fileBytes` of all units, where all have them: progress is told by those. */
  readonly totalBytes?: number | undefined;
  readonly threads: number;
  readonly verify: boolean;
  /** The compact form of what was written, where it has one. */
  readonly compact?: ((written: Written) => Promise<Uint8Array | undefined>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { items: number; totalItems: number; share: number; bytesIn: number; bytesOut: number }) => void)
    | undefined;
}

/** An archive without a model in it, before it has its name. */
export interface Written {
  /** Its only record. */
  readonly sole: Prepared | undefined;
  readonly entries: readonly IndexEntry[];
  readonly byteLength: number;
  /** All of it; undefined where it went out already. */
  bytes(): Promise<Uint8Array | undefined>;
}

export interface PackResult {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly modelBytes: number;
  readonly chunks: number;
  readonly items: number;
  readonly resumedChunks: number;
  /** Whether the archive was there before, with all of this: nothing was written. */
  readonly already: boolean;
  /** What the caller should tell: a partial file that was put aside, say. */
  readonly notes: readonly string[];
  readonly archive: Uint8Array | undefined;
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
    const { finished } = output;
    if (finished === undefined) {
      await state.run(notes);
      await writer.end();
    } else await state.compare();
    let bytesOut = finished?.bytes ?? writer.byteLength;
    if (finished === undefined && output.base === 0 && job.model === undefined && job.compact !== undefined) {
      const { sole } = state;
      const bytes = () => writtenBytes(output);
      const compact = await job.compact({ sole, entries: writer.entries, byteLength: bytesOut, bytes });
      if (compact !== undefined && compact.length < bytesOut && (await output.replace(compact)))
        bytesOut = compact.length;
    }
    verifying = true;
    if (job.verify) await state.verify();
    job.signal?.throwIfAborted();
    const archive = await output.commit();
    if (finished !== undefined)
      notes.push(`${output.place} was there already, whole and with all of this: nothing was written.`);
    return {
      ...{ bytesIn: state.bytesIn, bytesOut, modelBytes: start.modelBytes, chunks: writer.chunks },
      ...{ items: writer.items, resumedChunks: state.resumed, already: finished !== undefined, notes, archive },
    };
  } catch (error) {
    const wrong = error instanceof VaeError && error.code === 'ERR_VAE_RUNTIME';
    const spoilt = verifying && wrong && !isOutOfMemory(error);
    // What there was before this job began is another's until it is taken over.
    const keep = state === undefined ? output.source !== undefined : state.written > 0 && !spoilt;
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

async function writtenBytes(output: ArchiveOutput): Promise<Uint8Array | undefined> {
  const written = output.written();
  return written === undefined ? output.held?.() : written.read(0, written.length);
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
  #fileBytes = 0;
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
        const old = this.#start.old[this.resumed];
        const prepared = await this.#again(unit, old);
        at += 1;
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

  /** Takes over all of an archive that is finished. @throws VaeError ERR_VAE_IO where this job would write anything else. */
  async compare(): Promise<void> {
    const { signal } = this.#job;
    const { old, writer } = this.#start;
    const phase = () => this.#job.phase({ forget: (name) => this.#forget(name) });
    for (let units = await phase(); units !== undefined; units = await phase()) {
      for (const unit of units) {
        signal?.throwIfAborted();
        // Its notes went when it was finished.
        if (unit.recall !== undefined) throw existingUntold(this.#output.place);
        const prepared = await unit.prepare(signal);
        const there = old[this.resumed];
        if (prepared === undefined) this.#tell(unit);
        else if (there !== undefined && isSame(prepared, there)) {
          await this.#take(prepared, unit);
          this.resumed += 1;
        } else throw existingOther(this.#output.place);
      }
    }
    if (this.resumed < old.length) throw existingOther(this.#output.place);
    for (const { entry, end } of old) writer.adopt(entry, end);
  }

  /** A unit as the earlier job wrote it, by the note of its record; otherwise as it is read now. */
  async #again(unit: Unit, old: OldRecord | undefined): Promise<Prepared | undefined> {
    const { signal } = this.#job;
    const note = old && this.#start.notes.get(hexOf(old.checksum));
    if (note === undefined || unit.recall === undefined) return unit.prepare(signal);
    const recalled = await unit.recall(note, signal);
    return recalled === undefined ? unit.prepare(signal) : { ...recalled, checksum: old!.checksum };
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
        if (coded !== undefined) await this.#write(coded.record, coded.prepared.note);
        if (coded === undefined) this.#tell(units[index]!);
        else await this.#take(coded.prepared, units[index]!);
      },
    );
    signal?.throwIfAborted();
  }

  async #write(record: EncodedRecord, note: unknown): Promise<void> {
    try {
      await this.#start.writer.chunk(record);
      if (note !== undefined) await this.#output.journal?.add(record.header.checksum, note);
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

  #tell({ items, fileBytes = 0 }: Unit): void {
    this.#items += items;
    this.#fileBytes += fileBytes;
    const { totalItems, totalBytes, onProgress } = this.#job;
    const most = Math.max(totalItems, this.#items);
    const isAll = this.#items === most;
    onProgress?.({
      items: this.#items,
      totalItems: most,
      share: isAll ? 1 : totalBytes === undefined ? this.#items / most : Math.min(1, this.#fileBytes / totalBytes),
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

function isSame(prepared: Prepared, { entry, checksum }: OldRecord): boolean {
  return (
    prepared.checksum !== undefined &&
    prepared.kind === entry.kind &&
    prepared.items === entry.items &&
    Buffer.compare(prepared.checksum, checksum) === 0
  );
}
