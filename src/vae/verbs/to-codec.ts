/** vae.toCodec() */
import { z } from 'zod';
import type { Codec } from '../../codecs/lossless/codec.js';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { DatasetInput } from '../../data/to-dataset.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject(signalShape);

declare module '../vae.js' {
  interface Vae {
    /**
     * The model's networks in integers, as a codec whose archives decode on every machine. It must have
     * the `mlp` architecture with `relu` and the `local-mixture` likelihood. `calibration` holds 8-bit
     * items like those to be compressed; a few hundred are enough.
     *
     * @throws VaeError ERR_VAE_OPTION, saying why, for a model that cannot be one; ERR_VAE_DATA for items
     *   that are not bytes.
     */
    toCodec(calibration: DatasetInput, options?: InputOf<typeof schema>): Promise<Codec>;
  }
}

export function toCodec(this: Vae, calibration: DatasetInput, options: InputOf<typeof schema> = {}): Promise<Codec> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const where = 'toCodec()';
    const { signal } = parseOptions(schema, options, where);
    const { codecFromModel } = await import('../../codecs/lossless/from-vae.js');
    const { toDataset } = await import('../../data/to-dataset.js');
    const rowShape = this.dataShape;
    const data = await toDataset(calibration, { where, rowShape, ...(signal && { signal }) });
    return codecFromModel(await state.recipe(where), data, signal);
  });
}
