/// <reference types="node" preserve="true" />
/**
 * Pictures and pages from plain arrays.
 *
 * @module node-vae/report
 */
export { requireDrawing } from './drawing/require.js';
export type { Figure, Layout } from './figure.js';
export { columnDistributions } from './figures/columns.js';
export { type LatentScatterOptions, latentScatter } from './figures/latent-scatter.js';
export { latentUse } from './figures/latent-use.js';
export { priorSamples, type ReconstructionsOptions, reconstructions } from './figures/pictures.js';
export { residuals } from './figures/residuals.js';
export { type SpectrogramsOptions, spectrograms, waveforms } from './figures/sound.js';
export {
  type EpochTerms,
  type LossTerms,
  type TrainingCurvesOptions,
  trainingCurves,
} from './figures/training-curves.js';
export { contactSheet, interpolations, manifold, type TraversalsOptions, traversals } from './figures/walks.js';
export { pictureDetails, pictureSpectra, type WholePicture } from './figures/whole-pictures.js';
export { type GridOptions, imageGrid, imageToPng } from './images/png.js';
export { writeImages } from './images/write.js';
export type { Highlight } from './page.js';
export {
  figureToPng,
  figureToSvg,
  type Report,
  type WriteFiguresOptions,
  type WrittenReport,
  writeFigures,
  writeReport,
} from './write-report.js';
export { type WriteRowsOptions, writeRows } from './write-rows.js';
