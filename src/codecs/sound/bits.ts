/** Numbers of up to 24 bits one after another, the low bits first. */
import { damaged } from '../../archive/format.js';

export class BitWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;
  #pending = 0;
  #count = 0;

  write(value: number, bits: number): void {
    // At most 7 bits are pending, so that 31 are never exceeded.
    this.#pending |= value << this.#count;
    this.#count += bits;
    while (this.#count >= 8) {
      this.#push(this.#pending & 255);
      this.#pending >>>= 8;
      this.#count -= 8;
    }
  }

  /** All bytes; the last one filled up with zeros. */
  finish(): Uint8Array {
    if (this.#count > 0) this.#push(this.#pending & 255);
    return this.#bytes.slice(0, this.#length);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }
}

export class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #pending = 0;
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @throws VaeError ERR_VAE_FORMAT behind the end. */
  read(bits: number): number {
    while (this.#count < bits) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw damaged('the bits of a sound end too early');
      this.#pending |= byte << this.#count;
      this.#at += 1;
      this.#count += 8;
    }
    const value = this.#pending & (2 ** bits - 1);
    this.#pending >>>= bits;
    this.#count -= bits;
    return value;
  }

  /** @throws VaeError ERR_VAE_FORMAT unless all has been read. */
  finish(): void {
    if (this.#at !== this.#bytes.length || this.#pending !== 0) throw damaged('a sound has bits to spare');
  }
}
