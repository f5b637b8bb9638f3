/** Whole pictures of any size to latents and back, through models of their crops. */
import type { Tensor } from 'onnxruntime-common';
import { VaeError } from '../core/errors.js';
import { asDense, type TensorLike } from '../core/tensor.js';
import { mirroredTo, readPicture } from '../data/image/rebuild.js';
import type { ImageRecipe } from '../data/image/recipe.js';
import type { EncodedPicture, WholePictureOptions } from './picture-options.js';
import type { Vae } from './vae.js';

/** See Vae.encodePicture(). */
export async function encodeWhole(vae: Vae, path: string, options: WholePictureOptions): Promise<EncodedPicture> {
  const recipe = cropRecipe(vae, 'encodePicture()');
  const picture = await readPicture(path, recipe, options.signal);
  const { data, channels, height, width } = mirroredTo(strideOf(vae, recipe), picture);
  await using sized = vae.resized({ height, width });
  const encoded = await sized.encode({ data, shape: [1, channels, height, width] }, options);
  return { ...encoded, width: picture.width, height: picture.height };
}

/** See Vae.decodePicture(). */
export async function decodeWhole(vae: Vae, latents: TensorLike, options: WholePictureOptions): Promise<Tensor> {
  const stride = strideOf(vae, cropRecipe(vae, 'decodePicture()'));
  const { dims } = asDense(latents, 'decodePicture()');
  if (dims.length !== 4 || dims[1] !== vae.latentShape[0]) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `decodePicture(): expected latents [N, ${vae.latentShape[0]}, places down, places across], received [${dims.join(', ')}].`,
    );
  }
  await using sized = vae.resized({ height: dims[2]! * stride, width: dims[3]! * stride });
  return await sized.decode(latents, options);
}

/** Pixels of a side for each place of the latents. */
export function strideOf(vae: Vae, recipe: ImageRecipe): number {
  return Math.max(1, Math.round(recipe.height / (vae.latentShape[1] ?? recipe.height)));
}

function cropRecipe({ recipe }: Vae, where: string): ImageRecipe {
  if (recipe?.kind === 'image' && recipe.anySize) return recipe;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `${where}: only models that were trained on crops of pictures (readImages() with \`crops\`) take pictures of any size; ` +
      'use encode() and decode().',
  );
}
