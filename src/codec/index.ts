/// <reference types="node" preserve="true" />
/** Compression with a VAE, without loss and with: `node-vae/codec`. */

export type { ArchiveHeader, PictureArchiveHeader, SoundArchiveHeader } from './archive/format.js';
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
export { type CodecInput, type LossyCodecInput, shippedCodecs } from './find-codec.js';
export { type CodecCandidate, codecObstacle } from './from-vae.js';
export {
  type CompressPicturesOptions,
  type CompressPicturesResult,
  compressPictures,
  type PictureReport,
  type PicturesInput,
  type PicturesProgress,
} from './lossy/compress-pictures.js';
export type { LossyConfig } from './lossy/config.js';
export {
  LossyCodec,
  type LossyCodecOptions,
  type LossyEncodeOptions,
} from './lossy/lossy-codec.js';
export { PictureMetrics, type PictureQuality } from './lossy/metrics.js';
export type { Picture } from './lossy/picture.js';
export {
  type NamedPicture,
  type OpenPicturesOptions,
  openPictures,
  PictureArchive,
} from './lossy/picture-archive.js';
export { readPicture } from './lossy/read-picture.js';
export { type LossyProgress, type TrainedLossy, type TrainLossyOptions, trainLossy } from './lossy/train.js';
export { type CodecMeasurement, type Measured, type MeasureOptions, measureCodec, PEER_NAMES } from './measure.js';
export { type ArchivedSound, type OpenSoundsOptions, openSounds, SoundArchive } from './sound/sound-archive.js';
export { type SoundItemsOptions, soundItems } from './sound/sound-items.js';
