/** Numbers of seven bits a byte, the low ones first; the highest bit says that more follow. */
import { damaged } from './format.js';

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

/**
 * The number at the cursor, which moves behind it.
 *
 * @throws VaeError ERR_VAE_FORMAT when it reaches `end`, or is more than `most`.
 */
export function readVarint(view: Uint8Array, cursor: { at: number }, end: number, most: number): number {
  let value = 0;
  for (let unit = 1; ; unit *= 128) {
    if (cursor.at >= end || unit > 2 ** 28) throw damaged('a number in it is cut off');
    const byte = view[cursor.at]!;
    cursor.at += 1;
    value += (byte & 127) * unit;
    if (value > most) throw damaged(`a number in it is ${value}, at most ${most} can be`);
    if (byte < 128) return value;
  }
}
