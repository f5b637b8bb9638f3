/** Whole pictures of any size through a model of their crops. */
import type { FoundFile } from '../find-files.js';
import { decodePicture, type Picture } from './decode.js';
import type { ImageRecipe } from './recipe.js';

/** A picture as an array: [1, channels, height, width], bytes, or float32 fractions with 16 bits. */
export async function readPicture(
  path: string,
  recipe: Pick<ImageRecipe, 'colour' | 'depth'>,
  signal?: AbortSignal,
): Promise<Picture> {
  const file: FoundFile = { path, name: path, folder: undefined };
  return decodePicture(file, { colour: recipe.colour, depth: recipe.depth }, signal);
}

/** Peak signal-to-noise ratio in decibels of values from 0 to `range`; Infinity for equal ones. */
export function psnrOf(
  original: ArrayLike<number>,
  other: ArrayLike<number>,
  range: number,
  otherRange = range,
): number {
  let squares = 0;
  for (let at = 0; at < original.length; at += 1) {
    const value = Math.min(1, Math.max(0, other[at]! / otherRange));
    squares += (original[at]! / range - value) ** 2;
  }
  return 10 * Math.log10(original.length / squares);
}
