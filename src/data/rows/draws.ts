/** Random draws that only a seed, a row and its pass decide, so that rows can be read in any order. */

/** Numbers from 0 to 1 (not included), one after another. */
export type Draw = () => number;

/**
 * The draws of one row in one pass over the data. SplitMix32 (after Steele, Lea and Flood 2014): enough for
 * flips and crops; noise inside models comes from Philox in the addon.
 */
export function rowDraws(seed: number, row: number, pass: number): Draw {
  let state = mix(mix(mix(seed >>> 0) ^ Math.floor(seed / 2 ** 32) ^ row) ^ Math.imul(pass + 1, 0x9e3779b9));
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 2 ** 32;
  };
}

function mix(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** Counts how often each row was read, for draws that should differ from pass to pass. */
export class Passes {
  readonly #seen: Uint32Array;

  constructor(rows: number) {
    this.#seen = new Uint32Array(rows);
  }

  next(row: number): number {
    const pass = this.#seen[row]!;
    this.#seen[row] = pass + 1;
    return pass;
  }
}
