/** vae.encode() */
import { z } from 'zod';
import type { InputOf } from '../../core/options.js';
import { floatTensor } from '../../core/tensor.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import { callShape, type Encoding, floats, labelsShape, NO_OPTIONS, parseCall } from '../call-options.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...callShape,
  ...labelsShape,
  /**
   * The caller's own arrays to write into, of N × latent elements each: the results are those very
   * arrays. They are the library's until the promise settles, and the caller's again after.
   */
  into: z.strictObject({ mean: floats.optional(), logVariance: floats.optional() }).optional(),
});

export interface EncodeOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * The posterior of each example.
     *
     * @param batch float32 (or uint8, as the range of the data says: fractions of 255, or −1 to 1 for
     *   diffusion models) [N, ...data] or flattened [N, size]. Contiguous float32 is used where it lies:
     *   borrowed, neither to be changed nor transferred until the promise settles.
     * @returns float32 [N, ...latent]; arrays of the caller's own where `into` names them. An encoder that
     *   gives a latent instead of a distribution has it as the mean, with a log-variance of −30.
     */
    encode(batch: BatchInput, options?: EncodeOptions): Promise<Encoding>;
  }
}

export function encode(this: Vae, batch: BatchInput, options: EncodeOptions = NO_OPTIONS): Promise<Encoding> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const { into, ...call } = parseCall(schema, options, 'encode()');
    const { mean, logVariance, dims } = await state.engine.encode(batch, call, 'encode()', into);
    return { mean: floatTensor(mean, dims), logVariance: floatTensor(logVariance, dims) };
  });
}
