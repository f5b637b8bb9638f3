/** The different texts of one column, numbered from 0 as they come: cells are numbers, not objects. */
import { TextDecoder } from 'node:util';

const FIRST_SLOTS = 64;

export class TextPool {
  #slots = new Int32Array(FIRST_SLOTS).fill(-1);
  #hashes = new Int32Array(FIRST_SLOTS / 2 + 1);
  /** Where each text begins in `#bytes`; one more than there are texts. */
  #starts = new Float64Array(FIRST_SLOTS / 2 + 2);
  #bytes = new Uint8Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of all texts. */
  get byteLength(): number {
    return this.#starts[this.#size]!;
  }

  /** The number of a text in UTF-8; a new one where it was not seen before. */
  codeOf(bytes: Uint8Array, start: number, end: number): number {
    // FNV-1a
    let hash = -2128831035;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, 16777619);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const code = this.#slots[slot]!;
      if (code < 0) break;
      if (this.#hashes[code] === hash && this.#equals(code, bytes, start, end)) return code;
      slot = (slot + 1) & mask;
    }
    const code = this.#append(hash, bytes, start, end);
    this.#slots[slot] = code;
    if (2 * this.#size > this.#slots.length) this.#grow();
    return code;
  }

  /** All texts by their numbers. */
  texts(): string[] {
    const decoder = new TextDecoder();
    return Array.from({ length: this.#size }, (_, code) =>
      decoder.decode(this.#bytes.subarray(this.#starts[code]!, this.#starts[code + 1]!)),
    );
  }

  #equals(code: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#starts[code]!;
    if (this.#starts[code + 1]! - from !== end - start) return false;
    const own = this.#bytes;
    for (let at = start, other = from; at < end; at += 1, other += 1) if (bytes[at] !== own[other]) return false;
    return true;
  }

  #append(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const code = this.#size;
    const from = this.#starts[code]!;
    const to = from + end - start;
    if (to > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(to, 2 * this.#bytes.length));
      wider.set(this.#bytes.subarray(0, from));
      this.#bytes = wider;
    }
    this.#bytes.set(bytes.subarray(start, end), from);
    this.#hashes[code] = hash;
    this.#starts[code + 1] = to;
    this.#size += 1;
    return code;
  }

  #grow(): void {
    const slots = new Int32Array(2 * this.#slots.length).fill(-1);
    const mask = slots.length - 1;
    for (let code = 0; code < this.#size; code += 1) {
      let slot = this.#hashes[code]! & mask;
      while (slots[slot]! >= 0) slot = (slot + 1) & mask;
      slots[slot] = code;
    }
    this.#slots = slots;
    const hashes = new Int32Array(slots.length / 2 + 1);
    hashes.set(this.#hashes.subarray(0, this.#size));
    this.#hashes = hashes;
    const starts = new Float64Array(slots.length / 2 + 2);
    starts.set(this.#starts.subarray(0, this.#size + 1));
    this.#starts = starts;
  }
}
