/**
 * A flatbuffers table whose every offset is held against the file before it is followed: the library believes what
 * it reads.
 */
import { TextDecoder } from 'node:util';
import { ByteBuffer } from 'flatbuffers';
import { VaeError } from '../../core/errors.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** What the tables of one file share. */
export class TableFile {
  readonly buffer: ByteBuffer;
  readonly size: number;
  /** Elements and bytes that may still be read. A sound file holds each once; vectors that overlap hold more. */
  #budget: number;

  constructor(
    readonly bytes: Uint8Array,
    readonly what: string,
  ) {
    this.buffer = new ByteBuffer(bytes);
    this.size = bytes.byteLength;
    this.#budget = bytes.byteLength;
  }

  root(): Table {
    this.expect(0, 8, 'its head');
    return new Table(this, this.follow(0, 'its root'), 'Checkpoint');
  }

  /** Where the offset at `at` leads. */
  follow(at: number, place: string): number {
    this.expect(at, 4, place);
    return at + this.buffer.readUint32(at);
  }

  expect(at: number, length: number, place: string): void {
    if (!(at >= 0 && length >= 0 && at + length <= this.size)) {
      this.fail(`${place} lies outside the file; it is truncated or damaged`);
    }
  }

  spend(amount: number, place: string): void {
    this.#budget -= amount;
    if (this.#budget < 0) this.fail(`${place} shares its bytes with other parts of the file`);
  }

  fail(reason: string): never {
    throw new VaeError('ERR_VAE_FORMAT', `${this.what}: ${reason}.`);
  }
}

export class Table {
  readonly #file: TableFile;
  readonly #at: number;
  readonly #fields: number;
  readonly #vtable: number;
  readonly #end: number;

  constructor(
    file: TableFile,
    at: number,
    readonly name: string,
  ) {
    file.expect(at, 4, name);
    const vtable = at - file.buffer.readInt32(at);
    file.expect(vtable, 4, name);
    const size = file.buffer.readUint16(vtable);
    file.expect(vtable, size, name);
    const length = file.buffer.readUint16(vtable + 2);
    file.expect(at, length, name);
    if (size < 4 || size % 2 !== 0 || length < 4) file.fail(`${name} has no table of fields; it is damaged`);
    this.#file = file;
    this.#at = at;
    this.#vtable = vtable;
    this.#fields = (size - 4) / 2;
    this.#end = at + length;
  }

  int(field: number, absent = 0): number {
    const at = this.#find(field, 4);
    return at === undefined ? absent : this.#file.buffer.readInt32(at);
  }

  long(field: number, absent = 0): number {
    const at = this.#find(field, 8);
    return at === undefined ? absent : this.#whole(at, `field ${field} of ${this.name}`);
  }

  float(field: number): number {
    const at = this.#find(field, 4);
    return at === undefined ? 0 : this.#file.buffer.readFloat32(at);
  }

  bool(field: number): boolean {
    const at = this.#find(field, 1);
    return at !== undefined && this.#file.buffer.readUint8(at) !== 0;
  }

  text(field: number): string {
    const place = `field ${field} of ${this.name}`;
    const bytes = this.bytes(field) ?? new Uint8Array(0);
    try {
      return utf8.decode(bytes);
    } catch {
      return this.#file.fail(`${place} is not UTF-8`);
    }
  }

  /** Borrowed from the file; undefined where there are none. */
  bytes(field: number): Uint8Array | undefined {
    const found = this.#vector(field, 1);
    return found && this.#file.bytes.subarray(found.start, found.start + found.count);
  }

  longs(field: number): number[] {
    const found = this.#vector(field, 8);
    if (found === undefined) return [];
    const place = `field ${field} of ${this.name}`;
    return Array.from({ length: found.count }, (_, index) => this.#whole(found.start + 8 * index, place));
  }

  has(field: number): boolean {
    return this.#find(field, 4) !== undefined;
  }

  table(field: number, name: string): Table | undefined {
    const at = this.#find(field, 4);
    return at === undefined ? undefined : new Table(this.#file, this.#file.follow(at, name), name);
  }

  tables(field: number, name: string): Table[] {
    const found = this.#vector(field, 4);
    if (found === undefined) return [];
    return Array.from({ length: found.count }, (_, index) => {
      return new Table(this.#file, this.#file.follow(found.start + 4 * index, name), name);
    });
  }

  #whole(at: number, place: string): number {
    const value = this.#file.buffer.readInt64(at);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : this.#file.fail(`${place} is ${value}`);
  }

  #find(field: number, width: number): number | undefined {
    if (field >= this.#fields) return undefined;
    const offset = this.#file.buffer.readUint16(this.#vtable + 4 + 2 * field);
    if (offset === 0) return undefined;
    const at = this.#at + offset;
    if (at + width > this.#end) this.#file.fail(`field ${field} of ${this.name} lies outside its table; it is damaged`);
    return at;
  }

  #vector(field: number, width: number): { start: number; count: number } | undefined {
    const at = this.#find(field, 4);
    if (at === undefined) return undefined;
    const place = `field ${field} of ${this.name}`;
    const head = this.#file.follow(at, place);
    this.#file.expect(head, 4, place);
    const count = this.#file.buffer.readUint32(head);
    this.#file.expect(head + 4, count * width, place);
    this.#file.spend(count * width, place);
    return { start: head + 4, count };
  }
}
