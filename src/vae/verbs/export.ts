/** vae.export() */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import type { ExportReport } from '../export.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...signalShape,
  /**
   * What the networks compute in. `float16` and `int8` keep inputs and outputs in float32; `int8` rewrites
   * products with constant weights. Default `float32`.
   */
  precision: z.enum(['float32', 'float16', 'int8']).default('float32'),
  calibration: z.unknown().optional(),
});

export interface ExportOptions extends Omit<InputOf<typeof schema>, 'calibration'> {
  /** For `int8`: a few hundred examples like those to come. */
  readonly calibration?: BatchInput | undefined;
}

declare module '../vae.js' {
  interface Vae {
    /**
     * Writes encoder.onnx, decoder.onnx (and prior.onnx, where the prior is a network), and export.json, which names
     * their inputs and outputs, for other runtimes. Files of these names are replaced when all are complete.
     *
     * @throws VaeError ERR_VAE_OPTION where int8 has no calibration data or the model cannot be quantized, ERR_VAE_GRAPH
     *   for weights that float16 cannot hold, ERR_VAE_IO where the folder cannot be written.
     */
    export(directory: string, options?: ExportOptions): Promise<ExportReport>;
  }
}

export function exportNetworks(this: Vae, directory: string, options: ExportOptions = {}): Promise<ExportReport> {
  return stateOf(this).lifetime.run(async () => {
    const { precision, signal } = parseOptions(schema, options, 'export()');
    const { exportModel } = await import('../export.js');
    return exportModel(this, directory, { precision, calibration: options.calibration, signal });
  });
}
