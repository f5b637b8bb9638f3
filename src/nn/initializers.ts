/** How a parameter's first values are drawn. Drawing itself happens where random numbers are (artifacts). */
export type Initializer =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly std: number; readonly mean?: number }
  /** The first values of another array of the same shape that comes before it. */
  | { readonly kind: 'copy'; readonly of: string };

export const ZEROS: Initializer = { kind: 'constant', value: 0 };
export const ONES: Initializer = { kind: 'constant', value: 1 };

/**
 * Uniform in ±1/sqrt(fanIn), what PyTorch gives the weight and the bias of a linear or convolution
 * layer (He et al. 2015, with a = sqrt(5)).
 */
export function fanInUniform(fanIn: number): Initializer {
  return { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
}

/** Uniform in ±sqrt(6/fanIn): keeps the size of signals through rectifiers (He et al. 2015, equation 10). */
export function heUniform(fanIn: number): Initializer {
  return { kind: 'uniform', bound: Math.sqrt(6 / fanIn) };
}
