/** vae.reconstruct() */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import type { InputOf } from '../../core/options.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import { drawShape, floats, NO_OPTIONS, parseCall } from '../call-options.js';
import { reconstructRows } from '../draws.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...drawShape,
  /** As with DecodeOptions.into. */
  into: floats.optional(),
  /** Decode a draw from the posterior rather than its mean. Default false. */
  sample: z.boolean().default(false),
});

export interface ReconstructOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /** Encodes and decodes: from the posterior's mean, or from a draw with `{ sample: true }`. */
    reconstruct(batch: BatchInput, options?: ReconstructOptions): Promise<Tensor>;
  }
}

export function reconstruct(this: Vae, batch: BatchInput, options: ReconstructOptions = NO_OPTIONS): Promise<Tensor> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const call = parseCall(schema, options, 'reconstruct()');
    return state.withEngine((engine) => reconstructRows(engine, batch, call, state.draws));
  });
}
