import type { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import type { StochasticTerm } from '../stochastic.js';

/** What an objective is made from. N examples, R = N times draws, in that order. */
export interface ObjectiveContext {
  readonly g: GraphBuilder;
  /** Draws for each example. */
  readonly samples: number;
  /** −log p(x | z) at the draws, [R], in nats. */
  readonly reconstruction: Value;
  /** The stochastic layers, the first drawn first. */
  readonly terms: readonly StochasticTerm[];
  /** Costs of the posterior itself, [R]. */
  readonly penalty: Value | undefined;
  /** β, a scalar: weight of everything that is not reconstruction. */
  readonly klWeight: Value;
  /** Examples in the training data, a scalar that the training loop gives. */
  datasetSize(): Value;
  /** Nats of each dimension that cost nothing, a scalar that the training loop gives by its schedule. */
  freeBits(): Value;
}

/** How a VAE is trained: the scalar that training makes small. */
export interface Objective {
  /** Draws from the posterior for each example. */
  readonly samples: number;
  /** Of each example, [N], its mean being the loss; or of the whole batch, a scalar. */
  loss(context: ObjectiveContext): Value;
}

/** What an objective can need of a model. */
export type Requirement =
  /** One stochastic layer with a diagonal Gaussian posterior. */
  | 'gaussian-posterior'
  /** A standard normal prior. */
  | 'standard-prior'
  /** A density of the posterior that differs from draw to draw. */
  | 'posterior-density';

/** An entry of the table of objectives. */
export interface ObjectiveDefinition<S extends z.ZodObject = z.ZodObject> {
  /** The paper it is faithful to. */
  readonly source: string;
  readonly schema: S;
  readonly requires: readonly Requirement[];
  make(config: z.output<S>): Objective;
}

export function defineObjective<S extends z.ZodObject>(definition: ObjectiveDefinition<S>): ObjectiveDefinition<S> {
  return definition;
}
