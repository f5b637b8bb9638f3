/** vae.sample() */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { type InputOf, parseOptions } from '../../core/options.js';
import { drawShape } from '../call-options.js';
import { sampleRows } from '../draws.js';
import { stateOf, type Vae } from '../vae.js';

const countSchema = z.int().positive();
const schema = z.strictObject({
  ...drawShape,
  /** Standard deviation of the latents drawn; the prior's is 1. Default 1. */
  temperature: z.number().min(0).max(100).default(1),
});

export interface SampleOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /** Decodes `count` draws from the prior; float32 [count, ...data]. */
    sample(count: number, options?: SampleOptions): Promise<Tensor>;
  }
}

export function sample(this: Vae, count: number, options: SampleOptions = {}): Promise<Tensor> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    parseOptions(countSchema, count, 'sample(), count');
    const call = parseOptions(schema, options, 'sample()');
    return state.withEngine((engine) => sampleRows(engine, count, call, state.draws));
  });
}
