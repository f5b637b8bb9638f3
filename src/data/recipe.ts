/** What turned files into rows: kept in a model's config.json, so that serving reads files as training did. */
import { z } from 'zod';
import type { InputOptions } from '../architectures/input.js';
import { VaeError } from '../core/errors.js';
import { describeIssue } from '../core/options.js';
import { arrayRecipeSchema } from './array/recipe.js';
import { audioRecipeSchema } from './audio/recipe.js';
import { CHANNELS, imageRecipeSchema } from './image/recipe.js';
import { layoutHint } from './row-shape.js';
import { layoutOf, tableRecipeSchema } from './table/recipe.js';
import { videoRecipeSchema } from './video/recipe.js';

/** The kinds of data with a recipe; a new kind is one more entry here and in `inputOf`. */
export const dataRecipeSchema = z.discriminatedUnion('kind', [
  imageRecipeSchema,
  tableRecipeSchema,
  audioRecipeSchema,
  videoRecipeSchema,
  arrayRecipeSchema,
]);

export type DataRecipe = z.output<typeof dataRecipeSchema>;

/**
 * A recipe as config.json holds it.
 *
 * @throws VaeError ERR_VAE_FORMAT naming what is wrong.
 */
export function parseRecipe(value: unknown, where: string): DataRecipe {
  const result = dataRecipeSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value, dataRecipeSchema)).join('; ');
  throw new VaeError('ERR_VAE_FORMAT', `${where}: not a valid recipe of data: ${problems}.`);
}

/** What a model of such data takes. */
export function inputOf(recipe: DataRecipe): InputOptions {
  switch (recipe.kind) {
    case 'image': {
      const { height, width, volume } = recipe;
      const channels = CHANNELS[recipe.colour];
      if (volume !== undefined) return { kind: 'video', frames: volume, height, width, channels };
      return { kind: 'image', height, width, channels };
    }
    case 'audio':
      return recipe.mel
        ? {
            kind: 'image',
            height: recipe.mel.bands,
            width: recipe.frame / recipe.mel.fftHop,
            channels: recipe.channels,
          }
        : { kind: 'sequence', length: recipe.frame, channels: recipe.channels };
    case 'video': {
      const { frames, height, width, colour } = recipe;
      const channels = colour === 'grey' ? 1 : 3;
      return frames === 1
        ? { kind: 'image', height, width, channels }
        : { kind: 'video', frames, height, width, channels };
    }
    case 'table':
      return { kind: 'vector', length: layoutOf(recipe).width };
    case 'array':
      return inputOfRows(recipe.shape);
  }
}

/** [C, H, W] and [H, W] are pictures, [D] is a vector, [C, T, H, W] a clip. */
export function inputOfRows(rowShape: readonly number[]): InputOptions {
  const [a, b, c, d] = rowShape as [number, number, number, number];
  if (rowShape.length === 1) return { kind: 'vector', length: a };
  if (rowShape.length === 2) return { kind: 'image', height: a, width: b, channels: 1 };
  // Pictures are never so narrow, and never of so many channels.
  if (rowShape.length === 3 && a > 4 && b > 4 && [1, 3, 4].includes(c)) {
    throw new VaeError('ERR_VAE_SHAPE', `Rows of shape [${rowShape.join(', ')}]:${layoutHint(rowShape)}`);
  }
  if (rowShape.length === 3) return { kind: 'image', height: b, width: c, channels: a };
  if (rowShape.length === 4) return { kind: 'video', channels: a, frames: b, height: c, width: d };
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `Rows of shape [${rowShape.join(', ')}] are neither vectors [size], pictures [channels, height, width] nor clips ` +
      '[channels, frames, height, width].',
  );
}
