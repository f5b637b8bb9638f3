/** Tools for latents, by themselves: they take and give tensors and know nothing of networks. */
export {
  AnomalyDetector,
  type AnomalyOptions,
  type AnomalyResult,
  type AnomalyThreshold,
  type Scorer,
} from './anomaly.js';
export { arithmetic, type WeightedLatents } from './arithmetic.js';
export { LatentIndex, type Neighbour, type SearchOptions } from './neighbours.js';
export { type InterpolateOptions, interpolate, type TraverseOptions, traverse } from './paths.js';
export { type Projection, type ProjectOptions, project } from './projection.js';
export type { LatentLayer, LatentLayerStatistics, LatentStatistics } from './statistics.js';
