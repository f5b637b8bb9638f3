/// <reference types="node" preserve="true" />
/** Pictures and pages from plain arrays. */
export type { Figure, Layout } from './figure.js';
export { type LatentScatterOptions, latentScatter } from './figures/latent-scatter.js';
export { priorSamples, type ReconstructionsOptions, reconstructions } from './figures/pictures.js';
export {
  type EpochTerms,
  type LossTerms,
  type TrainingCurvesOptions,
  trainingCurves,
} from './figures/training-curves.js';
export { type GridOptions, imageGrid, imageToPng } from './images/png.js';
export { writeImages } from './images/write.js';
export type { Highlight } from './page.js';
export { figureToPng, figureToSvg, type Report, type WrittenReport, writeReport } from './write-report.js';
export { type WriteRowsOptions, writeRows } from './write-rows.js';
