/** The face of native/coder: items, or the latents of pictures, to bytes and back under an integer model. */
import type { ItemCodecSpec, LatentCodecSpec, NativeItemCodec, NativeLatentCodec } from './coder-types.js';
import { loadAddon } from './index.js';

export type * from './coder-types.js';

/** @throws VaeError ERR_VAE_FORMAT when the numbers do not make a model, or could overflow. */
export async function createItemCodec(spec: ItemCodecSpec): Promise<NativeItemCodec> {
  return loadAddon().createItemCodec(spec);
}

/** @throws VaeError ERR_VAE_FORMAT when the numbers do not make a model, or could overflow. */
export async function createLatentCodec(spec: LatentCodecSpec): Promise<NativeLatentCodec> {
  return loadAddon().createLatentCodec(spec);
}
