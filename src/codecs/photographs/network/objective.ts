/** What the network of one plane is trained for: the bits that a sample takes under its mixture. */
import { NAMES, perExample, TERMS } from '../../../architectures/names.js';
import { GraphBuilder, type Value } from '../../../graph/builder.js';
import type { Model } from '../../../graph/ir.js';
import { linear } from '../../../nn/layers.js';
import { meanOverBatch } from '../../../nn/reduce.js';
import { type ParameterSource, Scope } from '../../../nn/scope.js';

/** [N, features + 5]: features, then prediction, alternative, scale, value and the largest value, in sample steps. */
export const ROWS = 'rows';
export const EXTRA = 5;

/** Limits of log2 of a component's scale; a sample's step is 1. */
const LOG_SCALE_RANGE = [-6, 14] as const;
/** A sample that nobody could foresee has no more say than this. */
const MOST_BITS = 30;

export interface NetworkShape {
  readonly features: number;
  readonly hidden: readonly number[];
  readonly components: number;
}

/** @returns a graph with the outputs of a VAE's objective; `kl` is 0 and `reconstruction` the bits. */
export function buildPhotoObjective(
  shape: NetworkShape,
  source: ParameterSource,
): { model: Model; stopped: readonly string[] } {
  const { features, hidden, components } = shape;
  const g = new GraphBuilder({ name: 'photograph_bits' });
  const scope = new Scope(g, source);
  const rows = g.input(ROWS, 'float32', ['N', features + EXTRA]);
  const klWeight = g.input(NAMES.klWeight, 'float32', []);
  const [seen, prediction, alternative, scale, value, most] = g.ops(
    'Split',
    [rows, g.int64s([features, 1, 1, 1, 1, 1])],
    { axis: 1 },
    { outputs: 6 },
  ) as [Value, Value, Value, Value, Value, Value];

  let top = seen;
  let width = features;
  for (const [index, outputs] of hidden.entries()) {
    top = g.op('Relu', [linear(scope.at(index), top, width, outputs)]);
    width = outputs;
  }
  const raw = linear(scope.at(hidden.length), top, width, 3 * components);
  const bits = sampleBits(g, raw, components, { prediction, alternative, scale, value, most });

  const reconstruction = g.op('Reshape', [bits, g.int64s([-1])]);
  const kl = g.op('Mul', [reconstruction, g.scalar(0)]);
  const loss = g.op('Add', [reconstruction, g.op('Mul', [kl, klWeight])]);
  const terms = { loss, reconstruction, kl };
  for (const term of TERMS) {
    g.output(term, meanOverBatch(g, terms[term]));
    g.output(perExample(term), terms[term]);
  }
  return { model: g.model, stopped: scope.stopped };
}

/** What is known around a sample, and the sample, in its steps; [N, 1] each. */
export interface SampleValues {
  readonly prediction: Value;
  readonly alternative: Value;
  readonly scale: Value;
  readonly value: Value;
  readonly most: Value;
}

/** The bits that samples take, [N, 1], by what networks give for them, [N, 3 · components]. */
export function sampleBits(g: GraphBuilder, given: Value, components: number, values: SampleValues): Value {
  const { prediction, alternative, scale, value, most } = values;
  const raw = g.op('Add', [given, g.constant(startingScales(components), 'float32', [3 * components])]);
  const sizes = g.int64s([components, components, components]);
  const [logits, offsets, logScales] = g.ops('Split', [raw, sizes], { axis: 1 }, { outputs: 3 }) as [
    Value,
    Value,
    Value,
  ];
  // The last component stands on the alternative prediction.
  const spread = g.op('Sub', [alternative, prediction]);
  const isLast = g.constant(
    Float32Array.from({ length: components }, (_, k) => (k + 1 === components ? 1 : 0)),
    'float32',
    [components],
  );
  const places = g.op('Add', [prediction, g.op('Mul', [spread, isLast])]);
  const means = g.op('Add', [places, g.op('Mul', [offsets, scale])]);
  const logScale = g.op('Add', [logScales, g.op('Mul', [g.op('Log', [scale]), g.scalar(1 / Math.LN2)])]);
  const [low, high] = LOG_SCALE_RANGE;
  const limited = g.op('Clip', [logScale, g.scalar(low), g.scalar(high)]);
  const bits = mixtureBits(g, { value, most, logits, means, logScale: limited });
  return g.op('Min', [bits, g.scalar(MOST_BITS)]);
}

/** What is added to the last layer's output: components of several scales to begin with. */
export function startingScales(components: number): Float32Array {
  const offsets = new Float32Array(3 * components);
  for (let k = 0; k < components; k += 1) offsets[2 * components + k] = k + 1 === components ? 0 : k - 2;
  return offsets;
}

interface Mixture {
  readonly value: Value;
  readonly most: Value;
  readonly logits: Value;
  readonly means: Value;
  /** log2 */
  readonly logScale: Value;
}

/**
 * −log2 of the share of each value, [N, 1]. A component's share of v is S(a) − S(b), a and b being its scaled distances
 * to v ± ½; as S(a) S(−b) (1 − exp(b − a)) it keeps its precision in the tails. 0 takes all below it and the largest
 * value all above.
 */
function mixtureBits(g: GraphBuilder, { value, most, logits, means, logScale }: Mixture): Value {
  const asFloat = (condition: Value): Value => g.op('Cast', [condition], { to: 'float32' });
  const notTop = asFloat(g.op('Less', [value, g.op('Sub', [most, g.scalar(0.5)])]));
  const notBottom = asFloat(g.op('Greater', [value, g.scalar(0.5)]));
  const inverse = g.op('Exp', [g.op('Mul', [logScale, g.scalar(-Math.LN2)])]);
  const distance = g.op('Sub', [value, means]);
  const upper = g.op('Mul', [g.op('Add', [distance, g.scalar(0.5)]), inverse]);
  const lower = g.op('Sub', [upper, inverse]);
  const below = g.op('Mul', [g.op('Softplus', [g.op('Neg', [upper])]), notTop]);
  const above = g.op('Mul', [g.op('Softplus', [lower]), notBottom]);
  const width = g.op('Log', [g.op('Sub', [g.scalar(1 + 1e-7), g.op('Exp', [g.op('Neg', [inverse])])])]);
  const inner = g.op('Mul', [width, g.op('Mul', [notTop, notBottom])]);
  const logShares = g.op('Sub', [inner, g.op('Add', [below, above])]);
  const axes = g.int64s([1]);
  const all = g.op('ReduceLogSumExp', [g.op('Add', [logits, logShares]), axes], { keepdims: 1 });
  const total = g.op('ReduceLogSumExp', [logits, axes], { keepdims: 1 });
  return g.op('Mul', [g.op('Sub', [total, all]), g.scalar(1 / Math.LN2)]);
}
