/// <reference types="node" preserve="true" />
/**
 * Compression with a VAE, without loss and with.
 *
 * @module node-vae/codec
 */

export type { ArchiveFile, DamagedChunk } from '../archive/archive.js';
export type { Skipped } from '../archive/folder-sink.js';
export type { Renamed } from '../archive/names.js';
export type { PhotoTileShape } from '../binding/coder.js';
export type { ModelInput, WritingModelInput } from './by-kind.js';
export { compress } from './compress.js';
export type { CompressInput, CompressOptions, CompressProgress, CompressResult } from './compress-options.js';
export {
  type DecompressOptions,
  type DecompressProgress,
  type DecompressResult,
  decompress,
} from './decompress.js';
export { type ArchivedCoder, type ArchivedFile, type ListOptions, listArchive } from './edit/list.js';
export { type MergeOptions, type MergeResult, mergeArchives } from './edit/merge.js';
export { type ReadArchivedOptions, readArchived } from './edit/read-out.js';
export { type RemoveOptions, type RemoveResult, removeFromArchive } from './edit/remove.js';
export { type SplitOptions, type SplitResult, splitArchive } from './edit/split.js';
export type { EditedArchive, EditProgress, TouchedChunk } from './edit/write.js';
export type { LeftOut } from './inputs/selection.js';
export { type ArchiveReport, type InspectOptions, inspectArchive } from './inspect.js';
export { Codec, type CodeOptions, type EncodeItemsOptions } from './lossless/codec.js';
export { type CodecCandidate, codecObstacle } from './lossless/from-vae.js';
export type { ArchiveHeader } from './lossless/header.js';
export { Archive, type ArchiveItems, type OpenArchiveOptions } from './lossless/item-archive.js';
export { type CodecInput, shippedCodecs } from './lossless/models.js';
export {
  type CodecMeasurement,
  type Measured,
  type MeasureOptions,
  measureCodec,
  PEER_NAMES,
} from './measure/measure.js';
export type { PeerItems, PeerPicture } from './measure/mosaic.js';
export type { Peer, PeerInput } from './measure/peers.js';
export { openArchive, openPictures, openSounds } from './open.js';
export type { PhotographHeader } from './photographs/header.js';
export type { PhotoConfig } from './photographs/network/config.js';
export { type DecodeTileOptions, type EncodeTileOptions, PhotoCodec } from './photographs/photo-codec.js';
export {
  type ArchivedPhotograph,
  type Photograph,
  PhotographArchive,
  type ReadPhotographOptions,
} from './photographs/photograph-archive.js';
export {
  type CompressPicturesOptions,
  type CompressPicturesResult,
  compressPictures,
  type PicturesInput,
  type PicturesProgress,
} from './pictures/compress.js';
export type { LossyConfig } from './pictures/config.js';
export type { PictureArchiveHeader } from './pictures/header.js';
export {
  LossyCodec,
  type LossyCodecOptions,
  type LossyEncodeOptions,
} from './pictures/lossy-codec.js';
export { PictureMetrics, type PictureQuality } from './pictures/metrics.js';
export type { LossyCodecInput } from './pictures/models.js';
export type { Picture } from './pictures/picture.js';
export { type NamedPicture, type OpenPicturesOptions, PictureArchive } from './pictures/picture-archive.js';
export { readPicture, readPictureBytes } from './pictures/read-picture.js';
export type { PictureReport } from './pictures/reports.js';
export { type LossyProgress, type TrainedLossy, type TrainLossyOptions, trainLossy } from './pictures/train.js';
export type { SoundArchiveHeader } from './sound/header.js';
export { type SoundItemsOptions, soundItems } from './sound/items.js';
export { type ArchivedSound, type OpenSoundsOptions, SoundArchive } from './sound/sound-archive.js';
