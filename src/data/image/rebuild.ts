/** Whole pictures of any size through a model of their crops. */
import { fileAt } from '../find-files.js';
import { allocateRows } from '../values.js';
import { decodePicture, type Picture } from './decode.js';
import type { DecodeOptions } from './pixels.js';
import type { ImageRecipe } from './recipe.js';

/** A picture as an array: [1, channels, height, width], bytes, or float32 with 16 and 32 bits. */
export async function readPicture(
  path: string,
  recipe: Pick<ImageRecipe, 'colour' | 'depth' | 'range' | 'clip' | 'values'>,
  signal?: AbortSignal,
  options: Pick<DecodeOptions, 'page' | 'strict' | 'maxPixels'> = {},
): Promise<Picture> {
  const { colour, depth, range, clip, values } = recipe;
  return decodePicture(fileAt(path), { ...options, colour, depth, range, clip, values, single: true }, signal);
}

/**
 * The picture with its last rows and columns mirrored until both sides are multiples of `factor`: what remains of a
 * stride at an edge would reach the latents in part only, and come back wrong.
 */
export function mirroredTo(factor: number, picture: Picture): Picture {
  const height = Math.ceil(picture.height / factor) * factor;
  const width = Math.ceil(picture.width / factor) * factor;
  if (height === picture.height && width === picture.width) return picture;
  const data = allocateRows(
    picture.data instanceof Uint8Array ? 'uint8' : 'float32',
    picture.channels * height * width,
  );
  for (let plane = 0; plane < picture.channels; plane += 1) {
    for (let y = 0; y < height; y += 1) {
      const from = (plane * picture.height + mirrored(y, picture.height)) * picture.width;
      const to = (plane * height + y) * width;
      for (let x = 0; x < width; x += 1) data[to + x] = picture.data[from + mirrored(x, picture.width)]!;
    }
  }
  return { ...picture, data, height, width };
}

/** Place `at` of an axis that goes on as its mirror image. */
function mirrored(at: number, length: number): number {
  return at < length ? at : Math.max(0, 2 * length - 1 - at);
}

/** The first rows and columns of planes [channels, ..., ...], as many as `picture` has. */
export function cutTo(
  { channels, height, width }: Omit<Picture, 'data'>,
  planes: Float32Array,
  from: Omit<Picture, 'data'>,
): Float32Array {
  if (from.height === height && from.width === width) return planes;
  const out = new Float32Array(channels * height * width);
  for (let line = 0; line < channels * height; line += 1) {
    const start = (Math.floor(line / height) * from.height + (line % height)) * from.width;
    out.set(planes.subarray(start, start + width), line * width);
  }
  return out;
}
