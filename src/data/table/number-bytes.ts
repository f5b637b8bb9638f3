/** Plain numbers in bytes, exactly as `Number()` reads their text, at the speed of looking at each byte once. */

/** Powers of ten that are exact in float64. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
/** Digits that are always exact in float64. */
const EXACT_DIGITS = 15;

/**
 * Where the last number ended, and what its text told; of one call only, since a result object for each cell would
 * cost more than the number.
 */
export class NumberReader {
  /** Behind the last byte of the number. */
  end = 0;
  decimals = 0;
  leadingZeros = false;
  readonly #decimal: number;

  /** @param decimal byte of the decimal mark. */
  constructor(decimal: number) {
    this.#decimal = decimal;
  }

  /**
   * The number that begins at `start`: sign, digits, decimal mark, digits, exponent; NaN where there is none. A product or
   * quotient of two exact numbers is rounded once (Clinger, How to read floating point numbers accurately, 1990);
   * longer ones go to `Number()`.
   *
   * @param bytes with a byte that is no digit behind the last.
   */
  read(bytes: Uint8Array, start: number): number {
    let at = start;
    let byte = bytes[at]!;
    const negative = byte === 45;
    if (negative || byte === 43) byte = bytes[++at]!;
    const first = at;
    let mantissa = 0;
    while (byte >= 48 && byte <= 57) {
      mantissa = mantissa * 10 + (byte - 48);
      byte = bytes[++at]!;
    }
    const whole = at - first;
    this.leadingZeros = whole > 1 && bytes[first] === 48;
    let fraction = 0;
    if (byte === this.#decimal) {
      const from = at + 1;
      byte = bytes[++at]!;
      while (byte >= 48 && byte <= 57) {
        mantissa = mantissa * 10 + (byte - 48);
        byte = bytes[++at]!;
      }
      fraction = at - from;
    }
    const digits = whole + fraction;
    if (digits === 0) return Number.NaN;
    let exponent = 0;
    if (byte === 101 || byte === 69) {
      let next = at + 1;
      byte = bytes[next]!;
      const below = byte === 45;
      if (below || byte === 43) byte = bytes[++next]!;
      const from = next;
      while (byte >= 48 && byte <= 57) {
        if (exponent < 100_000) exponent = exponent * 10 + (byte - 48);
        byte = bytes[++next]!;
      }
      if (next === from) return Number.NaN;
      at = next;
      if (below) exponent = -exponent;
    }
    this.end = at;
    this.decimals = fraction > exponent ? fraction - exponent : 0;
    const power = exponent - fraction;
    if (digits <= EXACT_DIGITS && power >= -22 && power <= 22) {
      const size = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!;
      return negative ? -size : size;
    }
    return this.#slow(bytes, start, at);
  }

  #slow(bytes: Uint8Array, start: number, end: number): number {
    let text = '';
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at]!;
      text += byte === this.#decimal ? '.' : String.fromCharCode(byte);
    }
    return Number(text);
  }
}
