/** vae.decode() */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import type { InputOf } from '../../core/options.js';
import { floatTensor } from '../../core/tensor.js';
import type { RowsInput } from '../../inference/rows/rows.js';
import { callShape, floats, labelsShape, NO_OPTIONS, parseCall } from '../call-options.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...callShape,
  ...labelsShape,
  /** The caller's own array of N × data elements to write into; as with EncodeOptions.into. */
  into: floats.optional(),
});

export interface DecodeOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * The mean of p(x|z) for each latent.
     *
     * @param latents float32 [N, ...latent], in any form that encode() takes; borrowed as encode() borrows its batch.
     * @returns float32 [N, ...data]; over the caller's own array where `into` names it.
     */
    decode(latents: RowsInput, options?: DecodeOptions): Promise<Tensor>;
  }
}

export function decode(this: Vae, latents: RowsInput, options: DecodeOptions = NO_OPTIONS): Promise<Tensor> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const { into, ...call } = parseCall(schema, options, 'decode()');
    const { data, dims } = await state.engine.decode(latents, call, 'decode()', into);
    return floatTensor(data, dims);
  });
}
