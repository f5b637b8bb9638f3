/** vae.estimateFit() */
import { parseOptions } from '../../core/options.js';
import type { DatasetInput } from '../../data/to-dataset.js';
import type { TrainingEstimate } from '../../training/estimate/estimate.js';
import type { EstimateOptions } from '../../training/fit-options.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * What a fit() of this data with these options would take: shapes and memory from its graphs and, by a few
     * steps of it on a session of its own, time and the memory that they need. Neither the model nor any file is
     * touched.
     *
     * @throws VaeError as fit() does.
     */
    estimateFit(data: DatasetInput, options?: EstimateOptions<DatasetInput>): Promise<TrainingEstimate>;
  }
}

export function estimateFit(
  this: Vae,
  data: DatasetInput,
  options: EstimateOptions<DatasetInput> = {},
): Promise<TrainingEstimate> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const where = 'estimateFit()';
    const { estimateSchema } = await import('../../training/fit-options.js');
    const { estimateTraining } = await import('../../training/estimate/estimate.js');
    const { openFitData } = await import('../../training/fit-data.js');
    const { measureSeconds, ...resolved } = parseOptions(estimateSchema, options, where);
    const parts = await state.recipe(where);
    const recipe = parts.description.data;
    const opened = await openFitData(data, options.validation, this.dataShape, { ...resolved, recipe });
    const session = state.engine.sessionOptions;
    return estimateTraining(parts, { options: resolved, ...opened, session, measureSeconds });
  });
}
