/** vae.save() */
import { z } from 'zod';
import { optimizerSchema } from '../../artifacts/optimizer-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  /**
   * Also write the training artifacts, so that training can go on. Of a model that was not trained yet they are
   * those of its first step: with Adam, or with the optimizer given here. Default false.
   */
  training: z
    .union(
      [z.boolean(), z.strictObject({ optimizer: optimizerSchema, clipGradientNorm: z.number().positive().optional() })],
      {
        error: 'expected true, false, or { optimizer, clipGradientNorm }',
      },
    )
    .default(false),
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
    const parts = await state.recipe('save()');
    if (typeof training === 'object' && parts.training !== undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `save(): this model was trained with the optimizer "${parts.training.optimizer.type}", which its artifacts are ` +
          'made for; use { training: true }.',
      );
    }
    const fresh =
      typeof training === 'object' ? training : training ? { optimizer: optimizerSchema.parse('adam') } : undefined;
    const { summarised } = await import('../../inference/saved/summarise.js');
    const epochs = fresh && (parts.training?.checkpoint.progress.epoch ?? 0);
    await saveModel(directory, parts, { fresh, also: summarised(parts, epochs) });
  });
}
