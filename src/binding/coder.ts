/** The face of native/coder: items, or the latents of pictures, to bytes and back under an integer model. */
import type { ItemCodecSpec, LatentCodecSpec, NativeItemCodec, NativeLatentCodec } from './coder-types.js';
import { loadAddon } from './index.js';
import type { NativePhotoCodec, PhotoCodecSpec } from './photo-types.js';

export type * from './coder-types.js';
export type * from './photo-types.js';

/** @throws VaeError ERR_VAE_FORMAT when the numbers do not make a model, or could overflow. */
export async function createItemCodec(spec: ItemCodecSpec): Promise<NativeItemCodec> {
  return loadAddon().createItemCodec(spec);
}

/** @throws VaeError ERR_VAE_FORMAT when the numbers do not make a model, or could overflow. */
export async function createLatentCodec(spec: LatentCodecSpec): Promise<NativeLatentCodec> {
  return loadAddon().createLatentCodec(spec);
}

/** @throws VaeError ERR_VAE_FORMAT when the numbers do not make a model, or could overflow. */
export async function createPhotoCodec(spec: PhotoCodecSpec): Promise<NativePhotoCodec> {
  return loadAddon().createPhotoCodec(spec);
}
