import type { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import type { Scope } from '../scope.js';

/** What the decoder must produce for a likelihood: one head for each of its parameters. */
export interface LikelihoodHead {
  /** Name of the decoder's last layer for it: `decoder.<name>`. */
  readonly name: string;
  /** Values of this parameter for each value of the data. */
  readonly perValue: number;
}

/** p(x | z): how the decoder's output is compared with data. */
export interface Likelihood {
  readonly heads: readonly LikelihoodHead[];
  /** Data it is defined on: the closed unit interval, all real numbers, or evenly spaced levels from 0 to 1. */
  readonly domain: 'unit' | 'real' | 'levels';
  /** How many levels, where it is those. */
  readonly levels?: number;
  /**
   * −log p(x | z) of every value, [N, ...data], in nats. `heads` have the data's shape, with an axis of
   * `perValue` before it where that is not 1.
   */
  negativeLog(scope: Scope, x: Value, heads: readonly Value[]): Value;
  /** E[x | z], [N, ...data]: what decode() returns. */
  mean(scope: Scope, heads: readonly Value[]): Value;
  /** The same where the heads hold probabilities instead of logits, as decoders of other makers may give them. */
  readonly ofProbabilities?: Pick<Likelihood, 'negativeLog' | 'mean'>;
}

/** An entry of the table of likelihoods: its options, `type` first, and how to make it from them. */
export interface LikelihoodDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly schema: S;
  make(config: z.output<S>): Likelihood;
}

/** Keeps the schema's own type, so that the options of every likelihood are known by name. */
export function defineLikelihood<S extends z.ZodObject>(definition: LikelihoodDefinition<S>): LikelihoodDefinition<S> {
  return definition;
}
