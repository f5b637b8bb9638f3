/** vae.encodePicture() */
import { parseOptions } from '../../core/options.js';
import { type EncodedPicture, type WholePictureOptions, wholePictureSchema } from '../picture-options.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Encodes one picture file whole, at its own size, with a model that was trained on crops. Sides that are no
     * multiples of the model's stride are mirrored up to one.
     *
     * @returns latents [1, latentDim, places down, places across].
     * @throws VaeError ERR_VAE_OPTION for models that were not trained on crops; as readImages() for the file.
     */
    encodePicture(path: string, options?: WholePictureOptions): Promise<EncodedPicture>;
  }
}

export function encodePicture(this: Vae, path: string, options: WholePictureOptions = {}): Promise<EncodedPicture> {
  return stateOf(this).lifetime.run(async () => {
    const call = parseOptions(wholePictureSchema, options, 'encodePicture()');
    const { encodeWhole } = await import('../whole-pictures.js');
    return encodeWhole(this, path, call);
  });
}
