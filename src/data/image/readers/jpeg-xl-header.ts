/** What the beginning of a JPEG XL codestream says of its values (ISO/IEC 18181-1, annexes D and E): fields of single bits. */

export interface JpegXlInfo {
  /** Bits of a value. */
  readonly bits: number;
  readonly float: boolean;
  readonly animated: boolean;
}

/** Values that a field can have by its first two bits: a number, or a number of bits and what is added to them. */
type Choices = readonly (number | readonly [bits: number, plus: number])[];

const SIDE: Choices = [
  [9, 1],
  [13, 1],
  [18, 1],
  [30, 1],
];

/** Bits from the lowest of each byte. */
class Bits {
  #at = 0;

  constructor(readonly bytes: Uint8Array) {}

  take(count: number): number {
    let value = 0;
    for (let bit = 0; bit < count; bit += 1, this.#at += 1) {
      const byte = this.bytes[this.#at >> 3];
      if (byte === undefined) throw new Error('it ends inside its header');
      value += ((byte >> (this.#at & 7)) & 1) * 2 ** bit;
    }
    return value;
  }

  flag(): boolean {
    return this.take(1) === 1;
  }

  choose(choices: Choices): number {
    const choice = choices[this.take(2)]!;
    return typeof choice === 'number' ? choice : this.take(choice[0]) + choice[1];
  }
}

/** @throws Error where it is no such file, or ends too early. */
export function readJpegXlInfo(bytes: Uint8Array): JpegXlInfo {
  const bits = new Bits(codestreamOf(bytes).subarray(2));
  skipSides(bits);
  if (bits.flag()) return { bits: 8, float: false, animated: false };
  let animated = false;
  if (bits.flag()) {
    bits.take(3); // Orientation.
    if (bits.flag()) skipSides(bits);
    if (bits.flag()) skipPreview(bits);
    animated = bits.flag();
    if (animated) skipAnimation(bits);
  }
  const float = bits.flag();
  const depth = bits.choose(float ? [32, 16, 24, [6, 1]] : [8, 10, 12, [6, 1]]);
  return { bits: depth, float, animated };
}

/** Bare, or in the first box that holds some of it. */
function codestreamOf(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0xff) return bytes;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= view.length; ) {
    const name = view.toString('latin1', at + 4, at + 8);
    let size = view.readUInt32BE(at);
    let start = at + 8;
    if (size === 1 && at + 16 <= view.length) {
      size = Number(view.readBigUInt64BE(at + 8));
      start += 8;
    }
    if (name === 'jxlc') return bytes.subarray(start);
    if (name === 'jxlp') return bytes.subarray(start + 4);
    if (size < 8) break;
    at += size;
  }
  throw new Error('it has no codestream');
}

function skipSides(bits: Bits): void {
  const small = bits.flag();
  const side = (): void => void (small ? bits.take(5) : bits.choose(SIDE));
  side();
  if (bits.take(3) === 0) side();
}

function skipPreview(bits: Bits): void {
  const eighths = bits.flag();
  const side = (): void =>
    void bits.choose(
      eighths
        ? [16, 32, [5, 1], [9, 33]]
        : [
            [6, 1],
            [8, 65],
            [10, 321],
            [12, 1345],
          ],
    );
  side();
  if (bits.take(3) === 0) side();
}

function skipAnimation(bits: Bits): void {
  bits.choose([100, 1000, [10, 1], [30, 1]]); // Ticks a second, and what they are divided by.
  bits.choose([1, 1001, [8, 1], [10, 1]]);
  bits.choose([0, [3, 0], [16, 0], [32, 0]]); // Times that it is shown.
  bits.flag();
}
