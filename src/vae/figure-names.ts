/** Names of the figures, in the order they are drawn. */
export const FIGURE_NAMES = [
  'reconstructions',
  'samples',
  'waveforms',
  'spectrograms',
  'clips',
  'columns',
  'traversals',
  'interpolations',
  'manifold',
  'latent-space',
  'latent-use',
  'residuals',
] as const;
export type FigureName = (typeof FIGURE_NAMES)[number];
