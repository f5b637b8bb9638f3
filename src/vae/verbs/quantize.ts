/** vae.quantize() */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { QuantizationReport } from '../../inference/int8/quantization-report.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import { labelsShape } from '../call-options.js';
import { quantizedOrigin, seedOf } from '../origin.js';
import { makeVae, stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({ ...signalShape, ...labelsShape });

export interface QuantizeOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * The same model in 8-bit integers, for processors with fast integer products: smaller and quicker, and
     * a little worse. Products with constant weights of matrices and convolutions are rewritten; how wide
     * their inputs spread is measured on `data`, a few hundred examples like those to come. The result
     * cannot be trained; it is saved and loaded like any other model, but for imported ones, which save()
     * writes as two ONNX files for Vae.load({ encoder, decoder }).
     *
     * @returns the model, to be closed by the caller, and what it loses, measured on the same data.
     * @throws VaeError ERR_VAE_OPTION where nothing can be gained, and as encode() does for the data.
     */
    quantize(data: BatchInput, options?: QuantizeOptions): Promise<{ vae: Vae; report: QuantizationReport }>;
  }
}

export function quantize(
  this: Vae,
  data: BatchInput,
  options: QuantizeOptions = {},
): Promise<{ vae: Vae; report: QuantizationReport }> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const call = parseOptions(schema, options, 'quantize()');
    const { quantizeEngine } = await import('../../inference/int8/quantize.js');
    const { compareScores } = await import('../../inference/int8/quantization-report.js');
    const seed = seedOf(state.origin);
    const { engine, products, bytes } = await quantizeEngine(state.engine, data, seed, call);
    const vae = makeVae({ origin: quantizedOrigin(state.origin), engine });
    const again = { ...options, seed };
    try {
      const [before, after] = [await this.score(data, again), await vae.score(data, again)];
      return { vae, report: compareScores(before, after, products, bytes) };
    } catch (error) {
      await vae.close();
      throw error;
    }
  });
}
