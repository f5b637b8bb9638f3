/** vae.plot() */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { Dataset } from '../../data/dataset.js';
import type { Figure } from '../../report/figure.js';
import { FIGURE_NAMES } from '../figure-names.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...signalShape,
  /** Default: all that the data allow. */
  only: z.array(z.enum(FIGURE_NAMES)).min(1).optional(),
  /** Whether the model was trained on this data, for captions. Default false. */
  seenInTraining: z.boolean().default(false),
  /** Of draws. Default 0. */
  seed: z.int().min(0).default(0),
});

export interface PlotOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * The figures of a model, as far as the data allow them: reconstructions, samples, traversals, interpolations, the latent
     * plane, latent space, use of dimensions, residuals; waveforms or spectrograms of sound, clips of video, columns of
     * tables. Each draws itself: see figureToPng(), figureToSvg(), writeReport().
     *
     * @param data of the shape and kind the model was trained on, as `vae.read()` gives it.
     * @throws VaeError ERR_VAE_OPTION for a name in `only` that the data do not allow; what reading and running throws.
     */
    plot(data: Dataset, options?: PlotOptions): Promise<Figure[]>;
  }
}

export function plot(this: Vae, data: Dataset, options: PlotOptions = {}): Promise<Figure[]> {
  return stateOf(this).lifetime.run(async () => {
    const request = parseOptions(schema, options, 'plot()');
    const { drawFigures } = await import('../figures.js');
    return drawFigures(this, data, request);
  });
}
