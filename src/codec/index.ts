/// <reference types="node" preserve="true" />
/** Lossless compression with a VAE: `node-vae/codec`. */

export type { ArchiveHeader } from './archive/format.js';
export {
  Archive,
  type ArchiveItems,
  type DamagedChunk,
  type OpenArchiveOptions,
  openArchive,
} from './archive.js';
export { Codec, type CodeOptions } from './codec.js';
export {
  type CompressInput,
  type CompressOptions,
  type CompressProgress,
  type CompressResult,
  compress,
} from './compress.js';
export {
  type DecompressOptions,
  type DecompressProgress,
  type DecompressResult,
  decompress,
} from './decompress.js';
export { type CodecInput, shippedCodecs } from './find-codec.js';
export { codecObstacle } from './from-vae.js';
export { type CodecMeasurement, type Measured, type MeasureOptions, measureCodec, PEER_NAMES } from './measure.js';
