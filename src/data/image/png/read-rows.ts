/** The rows of a PNG file, one band after the other, in memory that the bands bound and not the picture. */
import { pipeline } from 'node:stream/promises';
import { crc32, createInflate, type Inflate } from 'node:zlib';
import { MOST_CHUNK_BYTES, pngChunk, readStart, START_BYTES } from './chunks.js';
import { unfilterRow } from './filters.js';
import { deinterlaced, interlacedBytes } from './interlace.js';
import { isLayout, type PngLayout, rowBytesOf, stepOf } from './layout.js';

/** Bytes that can be read anywhere. */
export interface RangeSource {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export function rangesOf(bytes: Uint8Array): RangeSource {
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

const STEP_BYTES = 1 << 20;
/** An interlaced picture is held as a whole. */
const MOST_INTERLACED_BYTES = 1 << 28;

/** Chunks that say where in this very file something lies: of no meaning in another one. */
const OF_THE_FILE: ReadonlySet<string> = new Set(['iDOT']);
/** Why the rows and the other chunks do not stand for a file with such a chunk. */
const REFUSED: Readonly<Record<string, string>> = {
  acTL: 'it has several frames',
  fcTL: 'it has several frames',
  fdAT: 'it has several frames',
  CgBI: 'it is of the kind that iOS applications hold, and no PNG',
  dSIG: 'it is signed byte for byte',
  caBX: 'it is signed byte for byte',
};

/** Reads bytes in order. */
class Cursor {
  readonly #source: RangeSource;
  #buffer: Buffer = Buffer.alloc(0);
  #at: number;

  constructor(source: RangeSource, at: number) {
    this.#source = source;
    this.#at = at;
  }

  get left(): number {
    return this.#source.size - this.#at + this.#buffer.length;
  }

  /** Between 1 and `most` bytes; fewer than asked for where they are at hand. */
  async some(most: number): Promise<Buffer> {
    if (this.#buffer.length === 0) {
      const length = Math.min(STEP_BYTES, this.#source.size - this.#at);
      if (length <= 0) throw new Error('it ends too early');
      const bytes = await this.#source.read(this.#at, length);
      this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#at += length;
    }
    const out = this.#buffer.subarray(0, most);
    this.#buffer = this.#buffer.subarray(out.length);
    return out;
  }

  /** Puts bytes back that were read last. */
  unread(bytes: Buffer): void {
    this.#buffer = Buffer.concat([bytes, this.#buffer]);
  }

  async exactly(length: number): Promise<Buffer> {
    if (length > this.left) throw new Error('it ends too early');
    const first = await this.some(length);
    if (first.length === length) return first;
    const pieces = [first];
    for (let missing = length - first.length; missing > 0; ) {
      const next = await this.some(missing);
      pieces.push(next);
      missing -= next.length;
    }
    return Buffer.concat(pieces);
  }
}

export class PngRows {
  readonly layout: PngLayout;
  /** Chunks between IHDR and the rows, as they are in the file. */
  readonly before: Uint8Array;
  readonly #cursor: Cursor;
  readonly #interlaced: boolean;
  readonly #keepPacked: boolean;
  #packed: Buffer[] = [];
  /** Bytes of the IDAT chunk at hand that were not read yet. */
  #left: number;
  #crc: number;
  #inflate: Inflate | undefined;
  #inflated: AsyncIterator<Buffer, undefined> | undefined;
  #feeding: Promise<void> | undefined;
  /** What stands behind the last IDAT chunk. */
  #next: Buffer | undefined;
  #filtered: Buffer[] = [];
  #filteredBytes = 0;
  #above: Uint8Array | undefined;
  #row = 0;
  #whole: Uint8Array | undefined;
  #after: Uint8Array | undefined;

  private constructor(
    layout: PngLayout,
    interlaced: boolean,
    before: Uint8Array,
    cursor: Cursor,
    left: number,
    keepPacked: boolean,
  ) {
    this.layout = layout;
    this.before = before;
    this.#interlaced = interlaced;
    this.#cursor = cursor;
    this.#left = left;
    this.#crc = crc32('IDAT');
    this.#keepPacked = keepPacked;
  }

  /**
   * @param keepPacked keep the stream that the rows are packed in, for packed().
   * @throws Error that says what is wrong, without the name of the file.
   */
  static async open(source: RangeSource, keepPacked = false): Promise<PngRows> {
    const { interlaced, ...layout } = readStart(await source.read(0, Math.min(START_BYTES, source.size)));
    if (!isLayout(layout)) throw new Error(`its header tells of colour type ${layout.type} with ${layout.depth} bits`);
    const cursor = new Cursor(source, START_BYTES);
    const before: Buffer[] = [];
    for (;;) {
      const head = await cursor.exactly(8);
      const length = head.readUInt32BE(0);
      const type = head.toString('latin1', 4, 8);
      if (type === 'IDAT')
        return new PngRows(layout, interlaced, Buffer.concat(before), cursor, length, keepPacked && !interlaced);
      const chunk = await readChunk(cursor, type, length);
      if (chunk !== undefined) before.push(chunk);
      if (type === 'IEND') throw new Error('it has no pixels');
    }
  }

  get interlaced(): boolean {
    return this.#interlaced;
  }

  /** Rows that were given. */
  get row(): number {
    return this.#row;
  }

  /** The stream of the rows, with filters and all, once they were read. Undefined for an interlaced picture. */
  packed(): Uint8Array | undefined {
    return this.#keepPacked ? Buffer.concat(this.#packed) : undefined;
  }

  /** The next rows, one behind the other, without the bytes of their filters. */
  async read(count: number): Promise<Uint8Array> {
    const { height } = this.layout;
    if (this.#row + count > height) throw new Error('it has no more rows');
    const rows = this.#interlaced ? await this.#interlacedRows(count) : await this.#nextRows(count);
    this.#row += count;
    return rows;
  }

  /** Chunks between the rows and IEND, once the rows were read. @throws Error where something else stands there. */
  async end(): Promise<Uint8Array> {
    if (this.#after !== undefined) return this.#after;
    await this.#finishStream();
    const after: Buffer[] = [];
    for (let type = ''; type !== 'IEND'; ) {
      const head = await this.#cursor.exactly(8);
      type = head.toString('latin1', 4, 8);
      const length = head.readUInt32BE(0);
      if (type === 'IDAT') throw new Error('its pixels stand in several places');
      const chunk = await readChunk(this.#cursor, type, length);
      if (chunk !== undefined && type !== 'IEND') after.push(chunk);
      if (type === 'IEND' && length > 0) throw new Error('its end holds something');
    }
    if (this.#cursor.left > 0) throw new Error(`${this.#cursor.left} bytes stand behind its end`);
    this.#after = Buffer.concat(after);
    return this.#after;
  }

  close(): void {
    this.#inflate?.destroy();
  }

  async #nextRows(count: number): Promise<Uint8Array> {
    const rowBytes = rowBytesOf(this.layout);
    const step = stepOf(this.layout);
    const filtered = await this.#take(count * (rowBytes + 1));
    // The row above the first is put in front, so that all are undone alike.
    const above = this.#above;
    const shift = above === undefined ? 0 : rowBytes;
    const rows = new Uint8Array(shift + count * rowBytes);
    if (above !== undefined) rows.set(above, 0);
    for (let y = 0; y < count; y += 1) {
      const from = y * (rowBytes + 1);
      const to = shift + y * rowBytes;
      rows.set(filtered.subarray(from + 1, from + 1 + rowBytes), to);
      unfilterRow(rows, to, to === 0 ? -1 : to - rowBytes, rowBytes, step, filtered[from]!);
    }
    this.#above = rows.slice(rows.length - rowBytes);
    return rows.subarray(shift);
  }

  async #interlacedRows(count: number): Promise<Uint8Array> {
    const rowBytes = rowBytesOf(this.layout);
    if (rowBytes * this.layout.height > MOST_INTERLACED_BYTES) throw new Error('it is interlaced and very large');
    this.#whole ??= deinterlaced(await this.#take(interlacedBytes(this.layout)), this.layout);
    return this.#whole.subarray(this.#row * rowBytes, (this.#row + count) * rowBytes);
  }

  /** So many bytes of the stream, inflated. */
  async #take(length: number): Promise<Uint8Array> {
    const inflated = this.#start();
    while (this.#filteredBytes < length) {
      const next = await inflated.next();
      if (next.done) throw new Error('its pixels end too early');
      this.#filtered.push(next.value);
      this.#filteredBytes += next.value.length;
    }
    const all = this.#filtered.length === 1 ? this.#filtered[0]! : Buffer.concat(this.#filtered);
    this.#filtered = all.length > length ? [all.subarray(length)] : [];
    this.#filteredBytes = all.length - length;
    return all.subarray(0, length);
  }

  /** Gives the stream of all IDAT chunks to zlib, no faster than rows are taken. */
  #start(): AsyncIterator<Buffer, undefined> {
    if (this.#inflated === undefined) {
      this.#inflate = createInflate({ chunkSize: STEP_BYTES });
      this.#feeding = pipeline(this.#stream(), this.#inflate);
      this.#feeding.catch(() => {}); // what fails is told by whoever takes
      this.#inflated = this.#inflate[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    }
    return this.#inflated;
  }

  async *#stream(): AsyncGenerator<Buffer> {
    for (;;) {
      while (this.#left > 0) {
        const bytes = await this.#cursor.some(this.#left);
        this.#crc = crc32(bytes, this.#crc);
        this.#left -= bytes.length;
        if (this.#keepPacked) this.#packed.push(bytes);
        yield bytes;
      }
      const frame = await this.#cursor.exactly(4);
      if (frame.readUInt32BE(0) !== this.#crc) throw new Error('its chunk IDAT does not have its checksum');
      const head = await this.#cursor.exactly(8);
      if (head.toString('latin1', 4, 8) !== 'IDAT') {
        this.#next = head;
        return;
      }
      this.#left = head.readUInt32BE(0);
      this.#crc = crc32('IDAT');
    }
  }

  /** Nothing may stand behind the last row but the end of the stream. */
  async #finishStream(): Promise<void> {
    const inflated = this.#start();
    if (this.#filteredBytes > 0 || !(await inflated.next()).done) throw new Error('it has more pixels than it should');
    await this.#feeding;
    if (this.#next === undefined) throw new Error('it has no end');
    this.#cursor.unread(this.#next);
  }
}

/** A whole chunk, checked; undefined for one that is of no meaning in another file. */
async function readChunk(cursor: Cursor, type: string, length: number): Promise<Buffer | undefined> {
  const refused = REFUSED[type];
  if (refused !== undefined) throw new Error(refused);
  if (length > MOST_CHUNK_BYTES) throw new Error(`its chunk ${type} claims ${length} bytes`);
  const rest = await cursor.exactly(length + 4);
  const chunk = pngChunk(type, rest.subarray(0, length));
  if (!chunk.subarray(chunk.length - 4).equals(rest.subarray(length)))
    throw new Error(`its chunk ${type} does not have its checksum`);
  // A capital first letter: a reader must know it to show the picture.
  const critical = (type.charCodeAt(0) & 32) === 0;
  if (critical && type !== 'PLTE' && type !== 'IEND') throw new Error(`it has a chunk ${type} that is not known`);
  return OF_THE_FILE.has(type) ? undefined : chunk;
}
