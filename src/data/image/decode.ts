/** Picture files to rows: channels first, of the sides and colours of a recipe. */
import type { RowArray } from '../values.js';
import type { PictureLimits } from './limits.js';
import { decodePixels, type PictureSource, toPlanes } from './pixels.js';
import { CHANNELS, type ImageRecipe } from './recipe.js';

export interface Picture {
  readonly data: RowArray;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export type PictureForm = Pick<ImageRecipe, 'colour' | 'depth'> &
  PictureLimits & {
    /** Sides to bring it to; left out: its own. */
    readonly size?: Pick<ImageRecipe, 'height' | 'width' | 'fit'>;
    /** Longest side; a picture with a longer one is made smaller. */
    readonly longestSide?: number | undefined;
  };

/**
 * Decodes one picture, upright, channels first: bytes with `depth` 8, float32 fractions of 65535 with 16.
 *
 * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_DATA, as decodePixels().
 */
export async function decodePicture(source: PictureSource, form: PictureForm, signal?: AbortSignal): Promise<Picture> {
  const { data, width, height, channels: stored } = await decodePixels(source, { ...form, signal });
  const channels = CHANNELS[form.colour];
  const wide = data instanceof Uint16Array;
  const out = wide ? new Float32Array(width * height * channels) : undefined;
  return { data: toPlanes(data, stored, channels, out, wide ? 1 / 65535 : 1), channels, height, width };
}
