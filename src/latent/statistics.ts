/** Which latent dimensions a model uses: divergence and spread of each over a data set. */
import { VaeError } from '../core/errors.js';

/** Consecutive dimensions of a latent that are drawn together. */
export interface LatentLayer {
  readonly name: string;
  /** Number of dimensions. */
  readonly size: number;
}

export interface LatentLayerStatistics extends LatentLayer {
  /** Mean divergence of the layer in nats, where it is known by dimension. */
  readonly kl?: number;
  readonly activeUnits: number;
}

export interface LatentStatistics {
  /** Examples that were seen. */
  readonly rows: number;
  /** KL divergence of the posterior from the prior, in nats: its mean over the examples. */
  readonly kl: number;
  /**
   * The same by dimension, row-major over the latent's shape. Absent where the divergence is no sum over
   * dimensions: with the `vamp` prior and with vector-quantised latents.
   */
  readonly klPerDimension?: Float64Array;
  /**
   * Variance over the examples of the posterior's mean, by dimension: A_u of Burda, Grosse and
   * Salakhutdinov 2016, section 5.2. Absent for models of several layers, where means hang on draws.
   */
  readonly meanVariance?: Float64Array;
  /**
   * Whether each dimension is in use: its `meanVariance` is above the threshold, or, for models of several
   * layers, its divergence is (Sønderby et al. 2016).
   */
  readonly active: readonly boolean[];
  /** Number of dimensions in use. */
  readonly activeUnits: number;
  /** What counted as in use: above this, in squared units of the latents, or in nats. */
  readonly threshold: number;
  /** The same for each stochastic layer, in the order of the latent's dimensions. */
  readonly layers: readonly LatentLayerStatistics[];
}

/** The value of both papers. */
export const ACTIVE_ABOVE = 0.01;

/** What is known of some examples, row by row; each [rows, dimensions] but `kl`, which is [rows]. */
export interface LatentRowStatistics {
  readonly kl: ArrayLike<number>;
  readonly klPerDimension?: ArrayLike<number> | undefined;
  readonly posteriorMean?: ArrayLike<number> | undefined;
}

/** Takes examples piece by piece and sums them up in double precision, in memory for one row. */
export class LatentStatisticsSum {
  readonly #layers: readonly LatentLayer[];
  readonly #size: number;
  #rows = 0;
  #kl = 0;
  #klPerDimension: Float64Array | undefined;
  #mean: Float64Array | undefined;
  /** Sums of squared distances from the mean (Welford 1962). */
  #squares: Float64Array | undefined;

  /** @param layers in the order of the latent's dimensions. */
  constructor(layers: readonly LatentLayer[]) {
    this.#layers = layers;
    this.#size = layers.reduce((sum, { size }) => sum + size, 0);
  }

  /** @throws VaeError ERR_VAE_SHAPE where arrays are not of so many rows and the layers' dimensions. */
  add({ kl, klPerDimension, posteriorMean }: LatentRowStatistics): void {
    const size = this.#size;
    for (const array of [klPerDimension, posteriorMean]) {
      if (array === undefined || array.length === kl.length * size) continue;
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `Latent statistics: expected ${kl.length} rows of ${size} values, received ${array.length} values.`,
      );
    }
    if (klPerDimension !== undefined) this.#klPerDimension ??= new Float64Array(size);
    if (posteriorMean !== undefined) {
      this.#mean ??= new Float64Array(size);
      this.#squares ??= new Float64Array(size);
    }
    for (let row = 0, at = 0; row < kl.length; row += 1, at += size) {
      this.#rows += 1;
      this.#kl += kl[row]!;
      if (klPerDimension !== undefined) {
        const sums = this.#klPerDimension!;
        for (let index = 0; index < size; index += 1) sums[index]! += klPerDimension[at + index]!;
      }
      if (posteriorMean !== undefined) {
        const [mean, squares] = [this.#mean!, this.#squares!];
        for (let index = 0; index < size; index += 1) {
          const value = posteriorMean[at + index]!;
          const before = value - mean[index]!;
          mean[index]! += before / this.#rows;
          squares[index]! += before * (value - mean[index]!);
        }
      }
    }
  }

  /**
   * What all examples so far come to.
   *
   * @param threshold above which a dimension is in use.
   */
  result(threshold: number = ACTIVE_ABOVE): LatentStatistics {
    const rows = this.#rows;
    const klPerDimension = this.#klPerDimension?.map((sum) => sum / rows);
    const meanVariance = this.#squares?.map((sum) => sum / rows);
    const measure = meanVariance ?? klPerDimension;
    const active = Array.from(
      { length: this.#size },
      (_, index) => measure !== undefined && measure[index]! > threshold,
    );
    let from = 0;
    const layers = this.#layers.map(({ name, size }) => {
      const to = from + size;
      const activeUnits = active.slice(from, to).filter(Boolean).length;
      const kl = klPerDimension?.subarray(from, to).reduce((sum, value) => sum + value, 0);
      from = to;
      return { name, size, ...(kl !== undefined && { kl }), activeUnits };
    });
    return {
      rows,
      kl: this.#kl / rows,
      ...(klPerDimension && { klPerDimension }),
      ...(meanVariance && { meanVariance }),
      active,
      activeUnits: active.filter(Boolean).length,
      threshold,
      layers,
    };
  }
}
