/**
 * What is done of a shard, in files of this machine: columns of numbers, notes of the rows, and a journal that says after
 * each batch how far they go and their checksum. A job that was killed goes on behind the last batch that is whole. Batches
 * are written several at once: a write for each of a small network takes longer than its run.
 */
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { crc32 } from 'node:zlib';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { readFully, writeFully } from '../core/ranges.js';
import type { ItemError } from './job.js';
import type { RowNote } from './rows/piece.js';

/** Values of some rows under one name: float32 [rows, ...dims]. */
export interface ColumnData {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export interface SpooledBatch {
  /** Items of the plan that the batch is made of. */
  readonly items: number;
  readonly bytesIn: number;
  readonly columns: readonly ColumnData[];
  readonly notes: readonly RowNote[];
  readonly errors: readonly ItemError[];
}

/** A line of the journal: how far everything goes after a batch. */
interface Entry {
  readonly items: number;
  readonly rows: number;
  readonly bytesIn: number;
  readonly columns: readonly { readonly name: string; readonly dims: readonly number[] }[];
  readonly notes: number;
  readonly crc: number;
  readonly errors: readonly ItemError[];
}

/** What a kill may cost: batches that are not written yet, up to so many milliseconds and bytes. */
const HELD_MS = 250;
const HELD_BYTES = 4 << 20;
/** Notes that are read at once, in bytes. */
const NOTES_BYTES = 1 << 18;

const COLUMN = 'column-';
const JOURNAL = 'journal.jsonl';
const NOTES = 'notes.jsonl';

export class Spool {
  readonly #folder: string;
  readonly #journal: FileHandle;
  readonly #notes: FileHandle;
  readonly #columns = new Map<string, Promise<FileHandle>>();
  #last: Entry = { items: 0, rows: 0, bytesIn: 0, columns: [], notes: 0, crc: 0, errors: [] };
  readonly #errors: ItemError[] = [];
  #withErrors = 0;
  /** What is to be written of each column, and of the notes, which have no name. */
  #held = new Map<string | undefined, { readonly at: number; readonly chunks: Uint8Array[] }>();
  #heldBytes = 0;
  /** Lines of the journal that are to be written. */
  #entries: string[] = [];
  #written = performance.now();
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, journal: FileHandle, notes: FileHandle) {
    this.#folder = folder;
    this.#journal = journal;
    this.#notes = notes;
  }

  /** @param key of the shard: what was left of another one is dropped. */
  static async open(folder: string, key: string): Promise<Spool> {
    try {
      const journal = await readFile(join(folder, JOURNAL), 'utf8').catch(() => '');
      const [head, ...lines] = journal.split('\n');
      const mine = head === JSON.stringify({ key });
      if (!mine) await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      const spool = new Spool(
        folder,
        await open(join(folder, JOURNAL), 'a+'),
        await open(join(folder, NOTES), mine ? 'r+' : 'w+'),
      );
      try {
        if (mine) await spool.#recover(lines.slice(0, -1), Buffer.byteLength(`${head}\n`));
        else await writeFully(spool.#journal, Buffer.from(`${JSON.stringify({ key })}\n`), null);
      } catch (error) {
        await spool.close();
        throw error;
      }
      return spool;
    } catch (error) {
      throw ioError(error, `writing ${folder}`);
    }
  }

  /** Items of the plan that are done. */
  get items(): number {
    return this.#last.items;
  }

  get rows(): number {
    return this.#last.rows;
  }

  get bytesIn(): number {
    return this.#last.bytesIn;
  }

  get errors(): readonly ItemError[] {
    return this.#errors;
  }

  /** Items that gave rows. */
  get itemsWithRows(): number {
    return this.#last.items - this.#withErrors;
  }

  get columns(): readonly { readonly name: string; readonly dims: readonly number[] }[] {
    return this.#last.columns;
  }

  async append(batch: SpooledBatch): Promise<void> {
    const before = this.#last;
    const rows = batch.notes.length;
    const columns = batch.columns.map(({ name, dims }) => ({ name, dims }));
    if (before.columns.length > 0 && rows > 0 && JSON.stringify(columns) !== JSON.stringify(before.columns)) {
      const tell = (all: Entry['columns']): string =>
        all.map(({ name, dims }) => `${name} [${dims.join(', ')}]`).join(', ');
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `Rows of a shard have one shape: received ${tell(columns)} behind ${tell(before.columns)}.`,
      );
    }
    const notes = Buffer.from(batch.notes.map((note) => `${JSON.stringify(note)}\n`).join(''));
    let crc = crc32(notes);
    for (const { name, dims, data } of batch.columns) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      crc = crc32(bytes, crc);
      this.#hold(name, before.rows * elementCount(dims) * 4, bytes);
    }
    this.#hold(undefined, before.notes, notes);
    const entry: Entry = {
      ...{ items: before.items + batch.items, rows: before.rows + rows, bytesIn: before.bytesIn + batch.bytesIn },
      columns: rows > 0 ? columns : before.columns,
      ...{ notes: before.notes + notes.length, crc, errors: batch.errors },
    };
    this.#entries.push(`${JSON.stringify(entry)}\n`);
    this.#take(entry);
    if (this.#heldBytes < HELD_BYTES && performance.now() - this.#written < HELD_MS) return;
    await this.#write();
  }

  /** Rows [from, to) of a column. */
  async read(name: string, from: number, to: number): Promise<Float32Array> {
    const { dims } = this.#last.columns.find((column) => column.name === name)!;
    const size = elementCount(dims) * 4;
    await this.#write();
    const bytes = await readFully(await this.#column(name), from * size, (to - from) * size);
    if (bytes === undefined) throw this.#shorter();
    return new Float32Array(bytes.buffer, bytes.byteOffset, ((to - from) * size) / 4);
  }

  /** Of all rows, some at a time. */
  async *notes(): AsyncGenerator<readonly RowNote[]> {
    await this.#write();
    const { notes: end } = this.#last;
    let rest = Buffer.alloc(0);
    for (let at = 0; at < end; at += NOTES_BYTES) {
      const bytes = await readFully(this.#notes, at, Math.min(NOTES_BYTES, end - at));
      if (bytes === undefined) throw this.#shorter();
      const lines = Buffer.concat([rest, bytes]);
      const cut = lines.lastIndexOf('\n');
      rest = lines.subarray(cut + 1);
      // A line end within JSON is written \\n.
      if (cut > 0) yield JSON.parse(`[${lines.toString('utf8', 0, cut).replaceAll('\n', ',')}]`) as RowNote[];
    }
  }

  /** What is held is written where that can be. */
  async close(): Promise<void> {
    await this.#write().catch(() => {});
    const columns = await Promise.allSettled(this.#columns.values());
    const opened = columns.flatMap((column) => (column.status === 'fulfilled' ? column.value : []));
    for (const file of [this.#journal, this.#notes, ...opened]) await file.close().catch(() => {});
    this.#columns.clear();
  }

  #hold(column: string | undefined, at: number, bytes: Uint8Array): void {
    let held = this.#held.get(column);
    if (held === undefined) {
      held = { at, chunks: [] };
      this.#held.set(column, held);
    }
    held.chunks.push(bytes);
    this.#heldBytes += bytes.length;
  }

  /** Everything that is held, and what is being written. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeHeld());
    return this.#writing;
  }

  /** The journal last: what it speaks of is there. */
  async #writeHeld(): Promise<void> {
    const [held, entries] = [this.#held, this.#entries];
    if (entries.length === 0) return;
    this.#held = new Map();
    this.#entries = [];
    this.#heldBytes = 0;
    try {
      for (const [column, { at, chunks }] of held) {
        const file = column === undefined ? this.#notes : await this.#column(column);
        await writeFully(file, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), at);
      }
      await writeFully(this.#journal, Buffer.from(entries.join('')), null);
    } catch (error) {
      throw ioError(error, `writing ${this.#folder}`);
    }
    this.#written = performance.now();
  }

  #column(name: string): Promise<FileHandle> {
    let file = this.#columns.get(name);
    if (file === undefined) {
      const path = join(this.#folder, `${COLUMN}${name}`);
      file = open(path, 'r+').catch(() => open(path, 'w+'));
      this.#columns.set(name, file);
    }
    return file;
  }

  #shorter(): VaeError {
    return new VaeError('ERR_VAE_IO', `${this.#folder}: became shorter while it was read.`);
  }

  #take(entry: Entry): void {
    this.#last = entry;
    for (const error of entry.errors) this.#errors.push(error);
    this.#withErrors += entry.errors.length;
  }

  /** As far as the journal's lines and what they speak of are whole. */
  async #recover(lines: readonly string[], start: number): Promise<void> {
    let length = start;
    for (const line of lines) {
      let entry: Entry;
      try {
        entry = JSON.parse(line) as Entry;
      } catch {
        break;
      }
      if (!(await this.#isWhole(entry))) break;
      this.#take(entry);
      length += Buffer.byteLength(`${line}\n`);
    }
    await this.#journal.truncate(length);
    await this.#notes.truncate(this.#last.notes);
  }

  async #isWhole(entry: Entry): Promise<boolean> {
    const { rows, notes } = this.#last;
    const text = await readFully(this.#notes, notes, entry.notes - notes);
    if (text === undefined) return false;
    let crc = crc32(text);
    if (entry.rows > rows) {
      for (const { name, dims } of entry.columns) {
        const size = elementCount(dims) * 4;
        const bytes = await readFully(await this.#column(name), rows * size, (entry.rows - rows) * size);
        if (bytes === undefined) return false;
        crc = crc32(bytes, crc);
      }
    }
    return crc === entry.crc;
  }
}
