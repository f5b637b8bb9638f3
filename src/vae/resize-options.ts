/** What resized() takes, and who does it. */
import { z } from 'zod';
import type { ModelParts } from '../artifacts/model-io.js';
import { VaeError } from '../core/errors.js';
import type { InputOf } from '../core/options.js';
import type { Networks } from '../inference/networks.js';

const side = z
  .int()
  .positive()
  .max(1 << 20)
  .optional();
export const resizeSchema = z.strictObject({ height: side, width: side, length: side, frames: side });

/** What a model is resized to: the sides its data has. */
export interface ResizeOptions extends InputOf<typeof resizeSchema> {}

/**
 * resized() cannot wait for an import, and needs code that many programs do without: it is here wherever there are parts
 * of a model (resize.ts).
 * @internal
 */
export const resizing: {
  resized?: (parts: ModelParts, sides: ResizeOptions) => { readonly parts: ModelParts; readonly networks: Networks };
} = {};

export function dependsOnSides(parameter?: string): VaeError {
  const which = parameter === undefined ? '' : ` (${parameter})`;
  return new VaeError(
    'ERR_VAE_OPTION',
    `resized(): this model's parameters depend on the size of its data${which}. Only models whose latents ` +
      "have places can be resized: architecture { type: 'conv', latent: 'map' }, or resnet, conv1d, conv3d likewise.",
  );
}
