/** Anomalies: examples that the model finds less likely than nearly all it was shown (An and Cho 2015). */

import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import { VaeError } from '../core/errors.js';
import { type InputOf, parseOptions } from '../core/options.js';
import { seedSchema } from '../core/seed.js';

const fitSchema = z.strictObject({
  /** Share of normal examples that stay below the threshold. Default 0.99. */
  quantile: z.number().gt(0).lt(1).default(0.99),
  /** Seed of the draws of each score. Default: the model's. */
  seed: seedSchema.optional(),
  ...signalShape,
});

/** What gives the evidence lower bound of each example: a Vae. */
export interface Scorer<Batch> {
  score(
    batch: Batch,
    options?: { readonly seed?: number | bigint; readonly signal?: AbortSignal },
  ): Promise<{ readonly elbo: Float32Array }>;
}

export interface AnomalyOptions extends InputOf<typeof fitSchema> {}

export interface AnomalyResult {
  /** −ELBO of each example, in nats: the higher, the stranger. */
  readonly scores: Float32Array;
  /** Whether each score lies above the threshold. */
  readonly anomalous: readonly boolean[];
}

export interface AnomalyThreshold {
  readonly threshold: number;
  readonly quantile: number;
  readonly seed?: string;
}

/** A threshold on the negative evidence lower bound, fitted to normal examples. */
export class AnomalyDetector<Batch> {
  /** In nats. */
  readonly threshold: number;
  readonly quantile: number;
  readonly #scorer: Scorer<Batch>;
  readonly #seed: number | bigint | undefined;

  private constructor(scorer: Scorer<Batch>, threshold: number, quantile: number, seed: number | bigint | undefined) {
    this.#scorer = scorer;
    this.threshold = threshold;
    this.quantile = quantile;
    this.#seed = seed;
  }

  /**
   * Scores normal examples and puts the threshold at a quantile of them. The model is borrowed: it is
   * to be closed after the detector is done with.
   *
   * @throws VaeError ERR_VAE_OPTION, or what score() throws.
   */
  static async fit<Batch>(
    scorer: Scorer<Batch>,
    normal: Batch,
    options: AnomalyOptions = {},
  ): Promise<AnomalyDetector<Batch>> {
    const { quantile, seed, signal } = parseOptions(fitSchema, options, 'AnomalyDetector.fit()');
    const { elbo } = await scorer.score(normal, { ...(seed !== undefined && { seed }), ...(signal && { signal }) });
    return new AnomalyDetector(scorer, quantileOf(negated(elbo), quantile), quantile, seed);
  }

  /** A detector from what toJSON() gave. */
  static from<Batch>(scorer: Scorer<Batch>, saved: AnomalyThreshold): AnomalyDetector<Batch> {
    const { threshold, quantile, seed } = saved;
    if (!Number.isFinite(threshold) || !(quantile > 0 && quantile < 1)) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `AnomalyDetector.from(): expected { threshold, quantile } as toJSON() gives them, received threshold ${threshold}, quantile ${quantile}.`,
      );
    }
    return new AnomalyDetector(scorer, threshold, quantile, seed === undefined ? undefined : BigInt(seed));
  }

  /** @throws what the model's score() throws. */
  async score(batch: Batch, options: { readonly signal?: AbortSignal } = {}): Promise<AnomalyResult> {
    const { elbo } = await this.#scorer.score(batch, {
      ...(this.#seed !== undefined && { seed: this.#seed }),
      ...(options.signal && { signal: options.signal }),
    });
    const scores = negated(elbo);
    return { scores, anomalous: Array.from(scores, (score) => score > this.threshold) };
  }

  /** What the detector is without its model. */
  toJSON(): AnomalyThreshold {
    const { threshold, quantile } = this;
    return { threshold, quantile, ...(this.#seed !== undefined && { seed: String(this.#seed) }) };
  }
}

function negated(values: Float32Array): Float32Array {
  return values.map((value) => -value);
}

/** Linear between order statistics (type 7 of Hyndman and Fan 1996). */
function quantileOf(values: Float32Array, quantile: number): number {
  const sorted = values.slice().sort();
  const at = (sorted.length - 1) * quantile;
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}
