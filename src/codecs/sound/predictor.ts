/**
 * An adaptive linear predictor of sound. It learns from the samples that both sides know, so nothing about
 * it is stored: least squares with exponential forgetting (Haykin, Adaptive Filter Theory, chapter 10),
 * the equations solved anew now and then.
 *
 * It computes in doubles with additions, subtractions, multiplications and divisions only. JavaScript
 * rounds each of them to the nearest double and fuses none (ECMA-262, 6.1.6.1), so every processor
 * predicts the same. docs/archive-format.md has the order of the operations, which is part of the format.
 */

/** Samples of the own channel before, and of the other one, that a sample is predicted from. */
const OWN = 16;
const OTHER = 8;
/** What is left of a sample's weight one sample later. */
const MEMORY = 0.998;
/** The equations are solved anew after so many samples. */
const SOLVE_EVERY = 16;
/** Added to the diagonal: silence, and sound with fewer frequencies than coefficients, has a solution too. */
const RIDGE = 1;

/** Predicts one channel; `others` are samples of the channel that is known before it. */
export class Predictor {
  readonly #order: number;
  readonly #history: Float64Array;
  readonly #covariance: Float64Array;
  readonly #correlation: Float64Array;
  readonly #weights: Float64Array;
  readonly #factor: Float64Array;
  readonly #diagonal: Float64Array;
  readonly #others: number;
  #known = 0;

  /** @param withOther whether each sample is predicted from another channel's too. */
  constructor(withOther: boolean) {
    this.#others = withOther ? OTHER : 0;
    this.#order = OWN + this.#others;
    this.#history = new Float64Array(this.#order);
    this.#covariance = new Float64Array(this.#order * this.#order);
    this.#correlation = new Float64Array(this.#order);
    this.#weights = new Float64Array(this.#order);
    this.#factor = new Float64Array(this.#order * this.#order);
    this.#diagonal = new Float64Array(this.#order);
  }

  /** The next sample, roughly. `other` is the other channel's at the same time. */
  predict(other: number): number {
    const history = this.#history;
    if (this.#others > 0) {
      history.copyWithin(OWN + 1, OWN, OWN + OTHER - 1);
      history[OWN] = other;
    }
    const weights = this.#weights;
    let sum = 0;
    for (let i = 0; i < this.#order; i += 1) sum += weights[i]! * history[i]!;
    return sum;
  }

  /** Tells the sample itself, after predict(). */
  learn(sample: number): void {
    const order = this.#order;
    const history = this.#history;
    const covariance = this.#covariance;
    const correlation = this.#correlation;
    for (let i = 0; i < order; i += 1) {
      const own = (1 - MEMORY) * history[i]!;
      const row = i * order;
      for (let j = 0; j <= i; j += 1) covariance[row + j] = MEMORY * covariance[row + j]! + own * history[j]!;
      correlation[i] = MEMORY * correlation[i]! + own * sample;
    }
    history.copyWithin(1, 0, OWN - 1);
    history[0] = sample;
    this.#known += 1;
    if (this.#known % SOLVE_EVERY === 0) this.#solve();
  }

  /** Weights = covariance⁻¹ · correlation, by L·D·Lᵀ, which needs no square roots. */
  #solve(): void {
    const order = this.#order;
    const factor = this.#factor;
    const diagonal = this.#diagonal;
    const covariance = this.#covariance;
    const weights = this.#weights;
    for (let i = 0; i < order; i += 1) {
      const row = i * order;
      for (let j = 0; j < i; j += 1) {
        const other = j * order;
        let sum = covariance[row + j]!;
        // factor holds L · D below the diagonal until the row is done.
        for (let k = 0; k < j; k += 1) sum -= factor[row + k]! * factor[other + k]!;
        factor[row + j] = sum;
      }
      let own = covariance[row + i]! + RIDGE;
      for (let j = 0; j < i; j += 1) {
        const scaled = factor[row + j]! / diagonal[j]!;
        own -= scaled * factor[row + j]!;
        factor[row + j] = scaled;
      }
      // Rounding can leave a direction that does not matter below zero.
      diagonal[i] = Math.max(own, RIDGE / 4);
      let value = this.#correlation[i]!;
      for (let j = 0; j < i; j += 1) value -= factor[row + j]! * weights[j]!;
      weights[i] = value;
    }
    for (let i = 0; i < order; i += 1) weights[i]! /= diagonal[i]!;
    for (let i = order - 1; i >= 0; i -= 1) {
      let value = weights[i]!;
      for (let j = i + 1; j < order; j += 1) value -= factor[j * order + i]! * weights[j]!;
      weights[i] = value;
    }
  }
}
