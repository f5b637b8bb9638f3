import type { z } from 'zod';
import type { Value } from '../graph/builder.js';
import type { LikelihoodHead } from '../nn/likelihoods/likelihood.js';
import type { Scope } from '../nn/scope.js';
import type { ImportedGraphs } from './imported-graph.js';
import type { LatentNetwork } from './latent-network.js';

/** What an architecture is told about the data and the model around it. */
export interface NetworkContext {
  /** Shape of one example, channels first: [1, 28, 28] for a grey image. */
  readonly dataShape: readonly number[];
  readonly latentDim: number;
  /** The decoder's outputs, one for each parameter of the likelihood. */
  readonly heads: readonly LikelihoodHead[];
  /** Length of the vector that stands for an example's label; 0 without labels. */
  readonly conditionDim: number;
  /** Graphs that came from outside, for the architecture `onnx`. */
  readonly imported?: ImportedGraphs | undefined;
}

/** Two networks with one stochastic layer between them, as functions over a graph under construction. */
export interface Network {
  /** Shape of one latent: [latentDim], or with spatial axes. */
  readonly latentShape: readonly number[];
  /**
   * [N, ...data] and, with labels, [N, conditionDim] to one value [N, ...latent] for each name of
   * `heads`, which names the last layer. `scope` is named `encoder`.
   */
  encode(scope: Scope, x: Value, heads: readonly string[], condition?: Value): Value[];
  /** [N, ...latent] to one value of shape [N, ...data] for each head. `scope` is named `decoder`. */
  decode(scope: Scope, z: Value, condition?: Value): Value[];
}

interface Definition<S extends z.ZodObject> {
  /** The paper it is faithful to. */
  readonly source: string;
  /** Its own options, `type` first. */
  readonly schema: S;
  /** Number of latents where none is given. Default 32. */
  latentDim?(options: z.output<S>): number;
  /** Why it does not fit data of this shape, if it does not. */
  refuse?(options: z.output<S>, context: NetworkContext): string | undefined;
}

/** An entry with one stochastic layer, which posteriors and priors can be chosen for. */
export interface NetworkDefinition<S extends z.ZodObject = z.ZodObject> extends Definition<S> {
  build(options: z.output<S>, context: NetworkContext): Network;
}

/** An entry that has latents, posterior and prior of its own making. */
export interface HierarchyDefinition<S extends z.ZodObject = z.ZodObject> extends Definition<S> {
  buildHierarchy(options: z.output<S>, context: NetworkContext): LatentNetwork;
}

/** An entry of the table of architectures. */
export type ArchitectureDefinition = NetworkDefinition | HierarchyDefinition;

export function defineArchitecture<S extends z.ZodObject>(definition: NetworkDefinition<S>): NetworkDefinition<S> {
  return definition;
}

export function defineHierarchy<S extends z.ZodObject>(definition: HierarchyDefinition<S>): HierarchyDefinition<S> {
  return definition;
}

/** Shape of the values of a decoder's head. */
export function headShape({ perValue }: LikelihoodHead, dataShape: readonly number[]): readonly number[] {
  return perValue === 1 ? dataShape : [perValue, ...dataShape];
}
