/** Latents of many rows, as far as a map needs them: of the dimensions that vary most. */
import { LatentIndex } from '../../latent/neighbours.js';
import { project } from '../../latent/projection.js';

/** Dimensions that are kept of each row. */
const MOST_KEPT = 64;

export class LatentMap {
  readonly rows: number;
  /** Numbers of the dimensions, those that vary most first. */
  readonly kept: readonly number[];
  /** [rows, kept] */
  readonly latents: Float32Array;
  /** A latent in the middle, of all dimensions. */
  readonly base: Float32Array;
  #filled = 0;
  #index: LatentIndex | undefined;

  /**
   * @param first [n, dimensions]: the first rows, which say what varies.
   * @param kept the dimensions to keep, where that was decided before.
   */
  constructor(rows: number, dimensions: number, first: Float32Array, kept?: readonly number[]) {
    this.rows = rows;
    const count = first.length / dimensions;
    const mean = new Float64Array(dimensions);
    const squares = new Float64Array(dimensions);
    for (let at = 0; at < first.length; at += 1) mean[at % dimensions]! += first[at]! / count;
    for (let at = 0; at < first.length; at += 1)
      squares[at % dimensions]! += (first[at]! - mean[at % dimensions]!) ** 2;
    this.base = Float32Array.from(mean);
    const order = Array.from(squares, (_, index) => index).sort((a, b) => squares[b]! - squares[a]! || a - b);
    this.kept = kept ?? order.slice(0, MOST_KEPT);
    this.latents = new Float32Array(rows * this.kept.length);
  }

  get filled(): number {
    return this.#filled;
  }

  /** The next rows: [n, dimensions]. */
  add(latents: Float32Array): void {
    const size = this.base.length;
    const count = latents.length / size;
    const width = this.kept.length;
    for (let row = 0; row < count; row += 1) {
      const to = (this.#filled + row) * width;
      for (let index = 0; index < width; index += 1)
        this.latents[to + index] = latents[row * size + this.kept[index]!]!;
    }
    this.#filled += count;
  }

  /** Where rows lie along the two directions of largest variance, and those directions: latent = mean + x · axes[0] + y · axes[1]. */
  async project(): Promise<{ points: Float32Array; mean: Float32Array; axes: Float32Array; explained: number[] }> {
    const width = this.kept.length;
    if (width < 2 || this.rows < 3) return this.#alongOne();
    const projection = await project({ data: this.latents, shape: [this.rows, width] });
    const corners = projection.inverse({ data: Float32Array.of(0, 0, 1, 0, 0, 1), shape: [3, 2] }).data as Float32Array;
    const mean = corners.slice(0, width);
    const axes = corners.slice(width);
    for (let at = 0; at < axes.length; at += 1) axes[at]! -= mean[at % width]!;
    return { points: projection.points.data as Float32Array, mean, axes, explained: [...projection.explained] };
  }

  /** The nearest rows. @param latent the kept dimensions. */
  async nearest(
    latent: Float32Array,
    count: number,
    signal: AbortSignal,
  ): Promise<{ row: number; distance: number }[]> {
    const width = this.kept.length;
    if (this.#index === undefined) {
      this.#index = new LatentIndex();
      this.#index.add({ data: this.latents, shape: [this.rows, width] });
    }
    const [found = []] = await this.#index.search({ data: latent, shape: [1, width] }, { count, signal });
    return found.map(({ row, distance }) => ({ row, distance }));
  }

  /** One dimension, or hardly any rows: the second axis only spreads the rows. */
  #alongOne(): { points: Float32Array; mean: Float32Array; axes: Float32Array; explained: number[] } {
    const width = this.kept.length;
    const points = new Float32Array(2 * this.rows);
    for (let row = 0; row < this.rows; row += 1) {
      points[2 * row] = this.latents[row * width]! - this.base[this.kept[0]!]!;
      points[2 * row + 1] = ((row * 0.618034) % 1) - 0.5;
    }
    const axes = new Float32Array(2 * width);
    axes[0] = 1;
    return {
      points,
      mean: Float32Array.from(this.kept, (dimension) => this.base[dimension]!),
      axes,
      explained: [1, 0],
    };
  }
}
