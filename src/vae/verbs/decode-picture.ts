/** vae.decodePicture() */
import type { Tensor } from 'onnxruntime-common';
import { parseOptions } from '../../core/options.js';
import type { TensorLike } from '../../core/tensor.js';
import { type WholePictureOptions, wholePictureSchema } from '../picture-options.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Decodes latents of whole pictures, all of one size, with a model that was trained on crops.
     *
     * @param latents float32 [N, latentDim, places down, places across], as encodePicture() gives them.
     * @returns float32 [N, channels, height, width].
     * @throws VaeError ERR_VAE_OPTION for models that were not trained on crops, ERR_VAE_SHAPE for other latents.
     */
    decodePicture(latents: TensorLike, options?: WholePictureOptions): Promise<Tensor>;
  }
}

export function decodePicture(this: Vae, latents: TensorLike, options: WholePictureOptions = {}): Promise<Tensor> {
  return stateOf(this).lifetime.run(async () => {
    const call = parseOptions(wholePictureSchema, options, 'decodePicture()');
    const { decodeWhole } = await import('../whole-pictures.js');
    return decodeWhole(this, latents, call);
  });
}
