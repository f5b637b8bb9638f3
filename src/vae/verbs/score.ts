/** vae.score() */
import { z } from 'zod';
import type { InputOf } from '../../core/options.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import type { RowScores } from '../../inference/serving/batcher.js';
import { drawShape, NO_OPTIONS, parseCall } from '../call-options.js';
import { seedOf } from '../origin.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...drawShape,
  /** Draws from the posterior of each example, for the importance-weighted bound. Default: one draw, no such bound. */
  importanceSamples: z
    .int()
    .positive()
    .max(1 << 24)
    .optional(),
});

export interface ScoreOptions extends InputOf<typeof schema> {}

/** One value for each example, in nats. */
export interface Scores extends RowScores {
  /**
   * With `importanceSamples`: the importance-weighted bound of log p(x) (Burda et al. 2016), at least as
   * tight as the ELBO and rising with the number of draws. The other figures are then means over the draws.
   */
  readonly importanceWeighted?: Float32Array;
}

declare module '../vae.js' {
  interface Vae {
    /**
     * The evidence lower bound of each example and its terms, in nats, at one draw from the posterior; with
     * `importanceSamples`, at so many, and with their importance-weighted bound of log p(x). The same
     * seed (default: the model's) gives the same scores.
     */
    score(batch: BatchInput, options?: ScoreOptions): Promise<Scores>;
  }
}

export function score(this: Vae, batch: BatchInput, options: ScoreOptions = NO_OPTIONS): Promise<Scores> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const { seed = seedOf(state.origin), importanceSamples, ...call } = parseCall(schema, options, 'score()');
    const rows = await (importanceSamples === undefined
      ? state.engine.score(batch, BigInt(seed), call, 'score()')
      : state.engine.scoreByImportance(batch, importanceSamples, BigInt(seed), call, 'score()'));
    return { elbo: rows.reconstruction.map((value, row) => -(value + rows.kl[row]!)), ...rows };
  });
}
