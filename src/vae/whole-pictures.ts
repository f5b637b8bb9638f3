/** Whole pictures of any size to latents and back, through models of their crops. */
import type { Tensor } from 'onnxruntime-common';
import { VaeError } from '../core/errors.js';
import { asDense, type TensorLike } from '../core/tensor.js';
import { mirroredTo, readPicture } from '../data/image/rebuild.js';
import type { ImageRecipe } from '../data/image/recipe.js';
import type { Encoding } from './options.js';
import type { Vae } from './vae.js';

export interface WholePictureOptions {
  readonly signal?: AbortSignal;
}

export interface EncodedPicture extends Encoding {
  /** Sides of the picture; the latents may stand for a few rows and columns more. */
  readonly width: number;
  readonly height: number;
}

/**
 * Encodes one picture file whole, at its own size, with a model that was trained on crops. Sides that are no multiples
 * of the model's stride are mirrored up to one.
 *
 * @returns latents [1, latentDim, places down, places across].
 * @throws VaeError ERR_VAE_OPTION for models that were not trained on crops; as readImages() for the file.
 */
export async function encodePicture(
  vae: Vae,
  path: string,
  options: WholePictureOptions = {},
): Promise<EncodedPicture> {
  const recipe = cropRecipe(vae, 'encodePicture()');
  const picture = await readPicture(path, recipe, options.signal);
  const { data, channels, height, width } = mirroredTo(strideOf(vae, recipe), picture);
  await using sized = vae.resized({ height, width });
  const encoded = await sized.encode({ data, shape: [1, channels, height, width] }, options);
  return { ...encoded, width: picture.width, height: picture.height };
}

/**
 * Decodes latents of whole pictures, all of one size, with a model that was trained on crops.
 *
 * @param latents float32 [N, latentDim, places down, places across], as encodePicture() gives them.
 * @returns float32 [N, channels, height, width].
 * @throws VaeError ERR_VAE_OPTION for models that were not trained on crops, ERR_VAE_SHAPE for other latents.
 */
export async function decodePicture(vae: Vae, latents: TensorLike, options: WholePictureOptions = {}): Promise<Tensor> {
  const stride = strideOf(vae, cropRecipe(vae, 'decodePicture()'));
  const { dims } = asDense(latents, 'decodePicture()');
  if (dims.length !== 4 || dims[1] !== vae.latentShape[0]) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `decodePicture(): expected latents [N, ${vae.latentShape[0]}, places down, places across], received [${dims.join(', ')}].`,
    );
  }
  await using sized = vae.resized({ height: dims[2]! * stride, width: dims[3]! * stride });
  return sized.decode(latents, options);
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
