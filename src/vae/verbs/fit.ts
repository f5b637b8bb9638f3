/** vae.fit() */
import { VaeError } from '../../core/errors.js';
import { parseOptions } from '../../core/options.js';
import type { DatasetInput } from '../../data/to-dataset.js';
import type { FitOptions } from '../../training/fit-options.js';
import { FitRun } from '../../training/fit-run.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Trains. The result is both a promise of the history and an async iterable of progress. Data in
     * memory is borrowed, not copied, and must not change meanwhile; 8-bit values stand for fractions
     * of 255. When the run ends early, by its signal or an error, the model has the parameters of the
     * last step that was completed.
     *
     * @throws VaeError (as a rejection) ERR_VAE_OPTION, ERR_VAE_DATA or ERR_VAE_SHAPE for what was given;
     *   ERR_VAE_BUSY while another fit() is running; ERR_VAE_RUNTIME where training diverges;
     *   the signal's reason when aborted.
     */
    fit(data: DatasetInput, options?: FitOptions<DatasetInput>): FitRun;
  }
}

export function fit(this: Vae, data: DatasetInput, options: FitOptions<DatasetInput> = {}): FitRun {
  const state = stateOf(this);
  return new FitRun((emit) =>
    state.lifetime.run(async () => {
      const { fitOptionsSchema } = await import('../../training/fit-options.js');
      const { fitModel, goingOn } = await import('../fit.js');
      const before = await state.recipe('fit()');
      const resolved = parseOptions(fitOptionsSchema, goingOn(options, before.training), 'fit()');
      if (state.fitting) {
        const message = 'fit(): this model is being trained already; wait for that run or abort it.';
        throw new VaeError('ERR_VAE_BUSY', message);
      }
      state.fitting = true;
      try {
        return await fitModel(before, {
          ...{ data, validation: options.validation, options: resolved, session: state.engine.sessionOptions, emit },
          keep: (parts) => {
            state.origin = { parts };
          },
        });
      } finally {
        state.fitting = false;
        await state.renewEngine();
      }
    }),
  );
}
