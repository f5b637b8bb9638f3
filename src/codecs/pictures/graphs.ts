/** The networks of a trained lossy model as graphs to be run. */
import { GraphBuilder } from '../../graph/builder.js';
import { constantOf, type Model } from '../../graph/index.js';
import { type ParameterSource, Scope } from '../../nn/scope.js';
import type { LossyConfig } from './config.js';
import { analysis, hyperAnalysis, hyperSynthesis, PIXEL_CHANNELS, synthesis } from './networks.js';
import type { WeightsOf } from './to-integers.js';

export const NETWORKS = ['analysis', 'synthesis', 'hyper_analysis'] as const;
export type NetworkName = (typeof NETWORKS)[number];

/** Each takes `input` and gives `output`, [N, channels, height, width] of any size. */
export function buildNetwork(name: NetworkName, config: LossyConfig, source: ParameterSource): Model {
  const g = new GraphBuilder({ name });
  const scope = new Scope(g, source).at(name);
  const channels = name === 'analysis' ? PIXEL_CHANNELS : config.latents;
  const input = g.input('input', 'float32', ['N', channels, 'height', 'width']);
  const make = { analysis, synthesis, hyper_analysis: hyperAnalysis }[name];
  g.output('output', make(scope, input, config));
  return g.model;
}

/** `input`, hyper-latents, to the largest value of each hidden layer of the hyper synthesis: `peak0`, `peak1`. */
export function buildHyperPeaks(config: LossyConfig, source: ParameterSource): Model {
  const g = new GraphBuilder({ name: 'hyper_peaks' });
  const scope = new Scope(g, source).at('hyper_synthesis');
  const input = g.input('input', 'float32', ['N', config.hyperLatents, 'height', 'width']);
  hyperSynthesis(scope, g.op('Round', [input]), config);
  const hidden = g.graph.nodes.filter(({ op }) => op === 'Relu').map(({ outputs }) => g.value(outputs[0]!));
  for (const [index, value] of hidden.entries()) g.output(`peak${index}`, g.op('ReduceMax', [value], { keepdims: 0 }));
  return g.model;
}

/** Weights as constants of a graph. */
export function constantsFrom(weights: WeightsOf): ParameterSource {
  return (spec, g) => g.initializer(spec.name, constantOf(weights(spec.name).data, 'float32', spec.dims));
}
