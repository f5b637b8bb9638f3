/** Datasets, and the readers and writers of the files they come from. */
export { type Batch, type BatchOptions, Dataset, type MapOptions } from './dataset.js';
export { type ReadIdxOptions, readIdx, readIdxArray } from './idx/read.js';
export { type AugmentOptions, augmentImages } from './image/augment.js';
export { type ImageOptions, type ReadImagesOptions, readImages } from './image/read.js';
export type { ImageRecipe } from './image/recipe.js';
export { type Labels, type LabelsInput, UNLABELLED } from './labels.js';
export { parseNpy, readNpy } from './npy/read.js';
export { formatNpy, writeNpy } from './npy/write.js';
export { type DataKind, kindOfData, type ReadDatasetOptions, readDataset } from './read-dataset.js';
export type { DataRecipe } from './recipe.js';
export type { DatasetSource } from './rows/custom.js';
export type { RowMapper } from './rows/mapped.js';
export type { IndexedMemory } from './rows/rows.js';
export type { Parts } from './split.js';
export { type BatchInput, type DatasetInput, type DatasetOptions, datasetFromTensor, toDataset } from './to-dataset.js';
export type { RowArray, RowType } from './values.js';
