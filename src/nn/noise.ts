/** Random numbers that a graph takes as an input, one row for each example. */
export interface NoiseSpec {
  readonly name: string;
  /** Standard normal, or uniform in [0, 1). */
  readonly kind: 'normal' | 'uniform';
  /** Shape of one row. */
  readonly dims: readonly number[];
}
