/**
 * A binary arithmetic coder whose probabilities are learned while it goes: several guesses are mixed as logits by weights
 * that are learned too (Mahoney, "Adaptive weighing of context models for lossless data compression", 2005). All of it is
 * in whole numbers, so that every machine codes and decodes the same. Numbers here are part of the format.
 */
import { damaged } from '../../archive/format.js';

/** Guesses for one bit. */
const INPUTS = 6;
/** Sightings after which a guess is moved no less than before. */
const MOST_SEEN = 126;
/** Zeros that are left out at the end. */
const MOST_LEFT_OUT = 4;
/** Bytes that a decoder may find missing: those, and what it reads ahead. */
const MOST_MISSING = MOST_LEFT_OUT + 4;
const WEIGHT_ONE = 65536;
const FIRST_WEIGHT = Math.floor(0.3 * WEIGHT_ONE);
const MOST_TURNS = 1023;
const RATES = Int32Array.from({ length: MOST_TURNS + 1 }, (_, turn) => 16 + Math.floor(2048 / (turn + 16)));

/** How far the n-th sighting moves a guess, in 65536ths. */
const STEPS = Int32Array.from({ length: MOST_SEEN + 1 }, (_, seen) => Math.floor(65536 / (seen + 1.5)));

/** 4096 times the logistic function at -2047..2047 256ths, straight between 33 points. */
const CURVE = [
  1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785, 3901, 3975,
  4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
];
const SQUASHED = Int32Array.from({ length: 4096 }, (_, at) => {
  const [index, part] = [at >> 7, at & 127];
  return (CURVE[index]! * (128 - part) + CURVE[index + 1]! * part + 64) >> 7;
});
/** The inverse of it. */
const LOGITS = (() => {
  const out = new Int16Array(4096);
  let next = 0;
  for (let logit = -2047; logit <= 2047; logit += 1) {
    const value = SQUASHED[logit + 2048]!;
    for (; next <= value; next += 1) out[next] = logit;
  }
  out.fill(2047, next);
  return out;
})();

/** What a guess counts for by its sightings, in 256ths. */
const TRUST = Int32Array.from({ length: MOST_SEEN + 1 }, (_, seen) =>
  Math.floor((256 * (10 * seen + 3)) / (10 * seen + 20)),
);

/** Adaptive guesses by number. */
export class Guesses {
  readonly chances: Uint16Array;
  readonly seen: Uint8Array;

  constructor(count: number) {
    this.chances = new Uint16Array(count).fill(32768);
    this.seen = new Uint8Array(count);
  }

  learn(slot: number, bit: number): void {
    const seen = this.seen[slot]!;
    const chance = this.chances[slot]!;
    // Chances are of a one, and never sure.
    const target = bit === 1 ? 65535 : 0;
    this.chances[slot] = chance + Math.floor(((target - chance) * STEPS[seen]!) / 65536);
    if (seen < MOST_SEEN) this.seen[slot] = seen + 1;
  }
}

/** Codes bits one after another: `code` writes its bit and gives it back, or reads one and gives that. */
export abstract class BitCoder {
  protected low = 0;
  protected high = 0xffffffff;

  /** @param chance of a one, 1 to 65535 of 65536. */
  protected abstract narrow(middle: number, bit: number): number;
  protected abstract shift(): void;

  /** @param chance of a one, of 65536. */
  code(chance: number, bit: number): number {
    const range = this.high - this.low;
    const middle = this.low + Math.floor(range / 65536) * chance + Math.floor(((range % 65536) * chance) / 65536);
    const found = this.narrow(middle, bit);
    if (found === 1) this.high = middle;
    else this.low = middle + 1;
    while (((this.low ^ this.high) & 0xff000000) === 0) {
      this.shift();
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 255) >>> 0;
    }
    return found;
  }

  /** By one guess alone. */
  one(guesses: Guesses, slot: number, bit: number): number {
    const chance = Math.min(65520, Math.max(16, guesses.chances[slot]!));
    const found = this.code(chance, bit);
    guesses.learn(slot, found);
    return found;
  }
}

export class BitWriter extends BitCoder {
  #bytes = new Uint8Array(1 << 12);
  #length = 0;

  protected narrow(_: number, bit: number): number {
    return bit;
  }

  protected shift(): void {
    this.#put(this.low >>> 24);
  }

  #put(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const more = new Uint8Array(2 * this.#length);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  /** As few bytes as tell the interval; what is missing reads as zeros. */
  end(): Uint8Array {
    for (const bits of [24, 16, 8, 0]) {
      const unit = 2 ** bits;
      const value = Math.ceil(this.low / unit) * unit;
      if (value > this.high) continue;
      for (let shift = 24; shift >= bits; shift -= 8) this.#put((value >>> shift) & 255);
      break;
    }
    let length = this.#length;
    while (length > 0 && this.#bytes[length - 1] === 0 && this.#length - length < MOST_LEFT_OUT) length -= 1;
    return this.#bytes.slice(0, length);
  }

  get length(): number {
    return this.#length;
  }
}

export class BitReader extends BitCoder {
  readonly #bytes: Uint8Array;
  #at = 0;
  #value = 0;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
    for (let index = 0; index < 4; index += 1) this.#value = ((this.#value << 8) | this.#next()) >>> 0;
  }

  protected narrow(middle: number): number {
    return this.#value <= middle ? 1 : 0;
  }

  protected shift(): void {
    this.#value = ((this.#value << 8) | this.#next()) >>> 0;
  }

  #next(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    if (this.#at > this.#bytes.length + MOST_MISSING) throw damaged('a tile ends too early');
    return byte;
  }
}

/** Mixes the guesses of several contexts for one bit. */
export class Mixer {
  readonly slots = new Int32Array(INPUTS);
  readonly #guesses: Guesses;
  readonly #turns: Uint16Array;
  readonly #weights: Float64Array;
  readonly #logits = new Int32Array(INPUTS);

  /** @param sets of weights, of which one is chosen for each bit. */
  constructor(guesses: Guesses, sets: number) {
    this.#guesses = guesses;
    this.#turns = new Uint16Array(sets);
    this.#weights = new Float64Array(sets * INPUTS).fill(FIRST_WEIGHT);
  }

  /** By the guesses in `slots`. */
  code(coder: BitCoder, set: number, bit: number): number {
    const { slots } = this;
    const guesses = this.#guesses;
    const logits = this.#logits;
    const weights = this.#weights;
    const base = set * INPUTS;
    let sum = 0;
    for (let index = 0; index < INPUTS; index += 1) {
      const slot = slots[index]!;
      const logit = (LOGITS[guesses.chances[slot]! >> 4]! * TRUST[guesses.seen[slot]!]!) >> 8;
      logits[index] = logit;
      sum += logit * weights[base + index]!;
    }
    const logit = Math.max(-2047, Math.min(2047, Math.floor(sum / WEIGHT_ONE)));
    const chance = SQUASHED[logit + 2048]!;
    const found = coder.code(chance * 16, bit);
    const turn = this.#turns[set]!;
    const error = ((found << 12) - chance) * RATES[turn]!;
    if (turn < MOST_TURNS) this.#turns[set] = turn + 1;
    for (let index = 0; index < INPUTS; index += 1) {
      weights[base + index] = weights[base + index]! + Math.floor((logits[index]! * error + 8192) / 16384);
      guesses.learn(slots[index]!, found);
    }
    return found;
  }
}
export const MIXED = INPUTS;
