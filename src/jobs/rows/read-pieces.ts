/** The items of a shard as pieces, in order, several read and decoded ahead of the network. */
import { performance } from 'node:perf_hooks';
import { hasRawBytes, shownName } from '../../core/byte-names.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { inflight } from '../../core/in-order.js';
import { asDense } from '../../core/tensor.js';
import type { TableRow } from '../../data/table/rows.js';
import { allocateRows, toRowArray } from '../../data/values.js';
import {
  countOf,
  type FileItem,
  type ItemNotes,
  type PlanItem,
  type RowsItem,
  type SampleItem,
} from '../inputs/items.js';
import { openRowFile } from '../inputs/rows/index.js';
import type { RowFile, RowFileOptions } from '../inputs/rows/row-file.js';
import { storageOf } from '../places/index.js';
import type { OpenInput, WholeFile } from '../places/place.js';
import { FilesAhead } from './files-ahead.js';
import { MemoryPool } from './memory-pool.js';
import type { Piece, RowNote, Rows } from './piece.js';

export interface ReadOptions {
  /** Of files. */
  read(bytes: Uint8Array, name: string, signal?: AbortSignal): Promise<Rows>;
  /** Of cells of tables. */
  readCells(rows: readonly TableRow[], signal?: AbortSignal): Promise<Rows>;
  /** Endings of samples' members that are the data, without dot, in the order in which they are tried. */
  readonly members: readonly string[];
  readonly layout: 'nchw' | 'nhwc' | undefined;
  readonly rowFile: Omit<RowFileOptions, 'mark' | 'signal'>;
  /** Rows that are read at once from files of rows. */
  readonly rowsAtOnce: number;
  /** Pieces that are read at once. */
  readonly width: number;
  readonly signal?: AbortSignal | undefined;
  /** Told the seconds of reading and decoding. */
  onSeconds(stage: 'read' | 'decode', seconds: number): void;
}

/** @param skip items at the beginning that are done already. */
export async function* readPieces(
  items: readonly PlanItem[],
  skip: number,
  options: ReadOptions,
): AsyncGenerator<Piece> {
  const reader = new PieceReader(options);
  try {
    yield* inflight(tasksOf(items, skip, reader), (task) => task(), options.width);
  } finally {
    await reader.close();
  }
}

async function* tasksOf(
  items: readonly PlanItem[],
  skip: number,
  reader: PieceReader,
): AsyncGenerator<() => Promise<Piece>> {
  let left = skip;
  const files = new FilesAhead(items, reader.signal);
  for (const [index, item] of items.entries()) {
    const count = countOf(item);
    if (left >= count) {
      left -= count;
      continue;
    }
    if (item.kind === 'rows') {
      for (let from = item.from + left; from < item.to; ) {
        const to = Math.min(item.to, await reader.cut(item, from));
        const begin = from;
        yield () => reader.rows(item, begin, to);
        from = to;
      }
    } else if (item.kind === 'file') {
      yield () => reader.file(item, files.read(index));
    } else yield () => reader.sample(item);
    left = 0;
  }
}

class PieceReader {
  readonly #options: ReadOptions;
  readonly #inputs = new Map<string, Promise<OpenInput>>();
  readonly #rowFiles = new Map<string, Promise<RowFile>>();
  readonly #memory: MemoryPool;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#memory = new MemoryPool(options.width + 2);
  }

  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  async close(): Promise<void> {
    for (const file of this.#rowFiles.values()) await (await file.catch(() => undefined))?.close();
    for (const input of this.#inputs.values()) await (await input.catch(() => undefined))?.close();
  }

  /** Where the rows that are read at once end. */
  async cut(item: RowsItem, from: number): Promise<number> {
    const file = await this.#open(item);
    return file.cutOf?.(from) ?? from + this.#options.rowsAtOnce;
  }

  async file(item: FileItem, read: () => Promise<WholeFile>): Promise<Piece> {
    return this.#orError(item, async () => {
      if (item.state === 'link' || item.state === 'missing') {
        const why = item.state === 'link' ? 'a link that leads nowhere' : 'there is no such file';
        throw new VaeError('ERR_VAE_IO', `${shownName(item.name)}: ${why}.`);
      }
      const { bytes, ...now } = await this.#timed('read', read);
      refuseChanged(item, now);
      return this.#ofFile(bytes, item.path, item, item.name);
    });
  }

  async sample(item: SampleItem): Promise<Piece> {
    const { members: endings, signal } = this.#options;
    const input = await this.#input(item);
    const member = async (ending: string): Promise<Uint8Array | undefined> => {
      const place = item.members[ending];
      return place === undefined ? undefined : this.#timed('read', () => input.read(place[0], place[1], signal));
    };
    return this.#orError(item, async () => {
      const ending = endings.find((one) => item.members[one] !== undefined);
      if (ending === undefined) {
        throw new VaeError(
          'ERR_VAE_DATA',
          `${shownName(item.name)}: has no member of data, only ${Object.keys(item.members).slice(0, 8).join(', ')}.`,
        );
      }
      const [bytes, cls, txt, json] = [
        await member(ending),
        await member('cls'),
        await member('txt'),
        await member('json'),
      ];
      const notes = { ...item, ...fromJson(json), ...textNotes(cls, txt) };
      return this.#ofFile(bytes!, `${item.name}.${ending}`, notes, fromJson(json).name ?? item.name);
    });
  }

  async rows(item: RowsItem, from: number, to: number): Promise<Piece> {
    const { signal, layout } = this.#options;
    const file = await this.#open(item);
    const { take, release } = this.#memory.borrow();
    const chunk = await this.#timed('read', () => file.read(from, to, signal, take));
    const nameOf = (row: number): string => chunk.names?.[row - from] ?? `${textName(item.name)}[${row}]`;
    const noteOf = (row: number): RowNote => ({
      name: nameOf(row),
      label: chunk.labels?.[row - from] ?? item.label,
      caption: chunk.captions?.[row - from] ?? item.caption,
    });
    const notes = Array.from({ length: to - from }, (_, index) => noteOf(from + index));
    const { content } = chunk;
    if (content.kind === 'array') {
      const given = { ...content.array, ...(layout && { layout }) };
      const { dtype, dims, data } = asDense(given, shownName(item.name));
      return {
        ...{ items: to - from, bytesIn: data.byteLength, notes, errors: [], release },
        data: { data: toRowArray(data, dtype), shape: dims },
      };
    }
    if (content.kind === 'cells') {
      const data = await this.#timed('decode', () => this.#options.readCells(content.rows, signal));
      return { items: to - from, bytesIn: 0, data, notes, errors: [] };
    }
    // Each file by itself: one that is bad takes no other with it.
    const pieces: Piece[] = [];
    for (const [index, bytes] of content.files.entries()) {
      const note = notes[index]!;
      pieces.push(
        await this.#orError({ ...item, name: note.name }, async () => {
          if (bytes === undefined) throw new VaeError('ERR_VAE_DATA', `${shownName(note.name)}: holds no bytes.`);
          return this.#ofFile(bytes, note.name, note, note.name);
        }),
      );
    }
    return joined(pieces);
  }

  async #ofFile(bytes: Uint8Array, path: string, item: ItemNotes, name: string): Promise<Piece> {
    const data = await this.#timed('decode', () => this.#options.read(bytes, path, this.#options.signal));
    const rows = data.shape[0]!;
    const { label, caption } = item;
    const notes = Array.from({ length: rows }, (_, part) => ({
      ...{ name: textName(name), label, caption },
      ...(rows > 1 && { part }),
    }));
    return { items: 1, bytesIn: bytes.length, data, notes, errors: [] };
  }

  /** What is wrong with an item itself is told of it; what is wrong with the disk, the network or the job ends the shard. */
  async #orError(item: PlanItem, work: () => Promise<Piece>): Promise<Piece> {
    try {
      return await work();
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      const missing = error instanceof VaeError && error.code === 'ERR_VAE_IO' && isMissing(error, item);
      const bad = error instanceof VaeError && (error.code === 'ERR_VAE_FORMAT' || error.code === 'ERR_VAE_DATA');
      if (!bad && !missing) throw error;
      return { items: 1, bytesIn: 0, notes: [], errors: [{ name: textName(item.name), error }] };
    }
  }

  #input(item: PlanItem): Promise<OpenInput> {
    let input = this.#inputs.get(item.path);
    if (input === undefined) {
      input = storageOf(item.path)
        .open(item.path)
        .then(async (open) => {
          try {
            refuseChanged(item, open);
          } catch (error) {
            await open.close();
            throw error;
          }
          return open;
        });
      input.catch(() => {});
      this.#inputs.set(item.path, input);
    }
    return input;
  }

  #open(item: RowsItem): Promise<RowFile> {
    let file = this.#rowFiles.get(item.path);
    if (file === undefined) {
      const { rowFile, signal } = this.#options;
      const mark = item.mark ?? { row: 0, at: 0 };
      file = this.#input(item).then((input) => openRowFile(input, { ...rowFile, mark, signal }));
      file.catch(() => {});
      this.#rowFiles.set(item.path, file);
    }
    return file;
  }

  async #timed<T>(stage: 'read' | 'decode', work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#options.onSeconds(stage, (performance.now() - started) / 1000);
    }
  }
}

/** @throws VaeError ERR_VAE_REPRODUCIBILITY for a file that is not as it was planned. */
export function refuseChanged(item: PlanItem, now: { readonly size: number; readonly state: string }): void {
  if (now.size === item.size && now.state === item.state) return;
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `${shownName(item.name)} has changed since the job was planned. Restore it, or have the job planned anew (force, --force).`,
  );
}

/** Names in outputs are text; bytes that are none are written \\xNN. */
function textName(name: string): string {
  return hasRawBytes(name) ? shownName(name) : name;
}

function isMissing(error: VaeError, { state }: PlanItem): boolean {
  const { code, name } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'EISDIR' || name === 'NoSuchKey' || state === 'link' || state === 'missing';
}

function textNotes(cls: Uint8Array | undefined, txt: Uint8Array | undefined): ItemNotes {
  const label = cls === undefined ? undefined : Buffer.from(cls).toString('utf8').trim();
  const caption = txt === undefined ? undefined : Buffer.from(txt).toString('utf8');
  return {
    ...(label !== undefined && { label: /^-?\d{1,15}$/.test(label) ? Number(label) : label }),
    ...(caption !== undefined && { caption }),
  };
}

/** Notes in a sample's .json, such as jobs write. */
function fromJson(bytes: Uint8Array | undefined): ItemNotes & { readonly name?: string } {
  if (bytes === undefined) return {};
  try {
    const { name, label, caption } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
    return {
      ...(typeof name === 'string' && { name }),
      ...((typeof label === 'string' || Number.isSafeInteger(label)) && { label: label as string | number }),
      ...(typeof caption === 'string' && { caption }),
    };
  } catch {
    return {};
  }
}

/** Pieces of the same kind as one. */
export function joined(pieces: readonly Piece[]): Piece {
  const full = pieces.flatMap(({ data }) => data ?? []);
  const [first] = full;
  const notes = pieces.flatMap((piece) => piece.notes);
  const whole = {
    items: pieces.reduce((sum, { items }) => sum + items, 0),
    bytesIn: pieces.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
    notes,
    errors: pieces.flatMap(({ errors }) => errors),
  };
  const release = (): void => {
    for (const piece of pieces) piece.release?.();
  };
  if (first === undefined) return whole;
  if (full.length === 1) return { ...whole, data: first, release };
  const rowShape = first.shape.slice(1);
  const bytes = full.every(({ data }) => data instanceof Uint8Array);
  const size = elementCount(rowShape);
  const all = allocateRows(bytes ? 'uint8' : 'float32', notes.length * size);
  let at = 0;
  for (const { data, shape } of full) {
    if (shape.slice(1).join() !== rowShape.join()) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `Rows of one job have one shape: received [${rowShape.join(', ')}] and [${shape.slice(1).join(', ')}].`,
      );
    }
    all.set(data, at);
    at += data.length;
  }
  release();
  return { ...whole, data: { data: all, shape: [notes.length, ...rowShape] } };
}
