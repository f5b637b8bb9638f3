/** vae.save() */
import { z } from 'zod';
import { type InputOf, parseOptions } from '../../core/options.js';
import { recipeOf } from '../origin.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  /** Also write the training artifacts, so that training can go on. Default false. */
  training: z.boolean().default(false),
});

export interface SaveOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * Writes a model directory: config.json, encoder.onnx (`input` to `mean`, `log_variance`) and
     * decoder.onnx (`latent` to `output`), which any ONNX runtime can run. Earlier files stay whole
     * until all new ones are complete.
     *
     * @throws VaeError ERR_VAE_IO where the disk is full or read-only.
     */
    save(directory: string, options?: SaveOptions): Promise<void>;
  }
}

export function save(this: Vae, directory: string, options: SaveOptions = {}): Promise<void> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const { training } = parseOptions(schema, options, 'save()');
    const { origin, engine } = state;
    if (!training && 'frozen' in origin) {
      const { saveQuantized } = await import('../../inference/int8/quantized-model.js');
      return saveQuantized(directory, origin.frozen, engine.networks);
    }
    if (!training && 'imported' in origin && origin.quantized) {
      const { saveNetworks } = await import('../../inference/imported/save-networks.js');
      return saveNetworks(directory, engine.networks);
    }
    const { saveModel } = await import('../../artifacts/model-io.js');
    await saveModel(directory, recipeOf(origin, 'save()'), training);
  });
}
