import { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { fanInUniform } from '../initializers.js';
import { linear } from '../layers.js';
import type { Scope } from '../scope.js';
import { defineLikelihood } from './likelihood.js';
import { gatherNeighbours, neighbourhood, rowLayout } from './neighbours.js';

const schema = z.strictObject({
  type: z.literal('local-mixture'),
  /** Numbers that the decoder gives the local network for each value. */
  features: z.int().positive().max(64).default(8),
  /** Logistic components. */
  components: z.int().positive().max(16).default(5),
  /** Rows above a value that its distribution depends on. */
  above: z.int().min(0).max(16).default(3),
  /** Columns to each side of it. */
  beside: z.int().min(1).max(16).default(3),
  /** Widths of the local network's hidden layers. */
  hidden: z.array(z.int().positive()).min(1).default([96, 96]),
});

export type LocalMixtureConfig = z.output<typeof schema>;

/** Limits of a component's log scale, in log values: a scale of 0.08 to 245 of 255. */
const LOG_SCALE_RANGE = [-2.5, 5.5] as const;

/** What is added to the last layer's output: components spread over the range, scales wide at first. */
export function headOffsets(components: number): Float32Array {
  const offsets = new Float32Array(3 * components + 1);
  for (let k = 0; k < components; k += 1) {
    offsets[components + k] = 0.1 + (0.9 * k) / Math.max(components - 1, 1);
    offsets[2 * components + k] = 2.5;
  }
  return offsets;
}

/**
 * 8-bit data, one value after another: each has a mixture of discretised logistics (Salimans et al.
 * 2017, PixelCNN++, section 2.1) and a probability of its own for 0, both given by a small network
 * that sees the decoder's features and the values already known nearby (Chen et al. 2017,
 * Variational Lossy Autoencoder, section 3.2). Data is in 0..1, in steps of 1/255.
 *
 * This is what codecs are made of: see Vae.toCodec(). The mean looks at the features alone, as if
 * all neighbours were 0.
 */
export const localMixture = defineLikelihood({
  schema,
  make: (config) => ({
    heads: [{ name: 'features', perValue: config.features }],
    domain: 'unit',
    negativeLog: (scope, x, [head]) => {
      const { g } = scope;
      const shape = x.shape!.slice(1) as number[];
      const neighbours = gatherNeighbours(g, x, rowLayout(shape), neighbourhood(config.above, config.beside));
      const values = g.op('Round', [g.op('Mul', [g.op('Reshape', [x, g.int64s([-1, 1])]), g.scalar(255)])]);
      const parts = localNetwork(scope, config, neighbours, featureRows(g, head!, config.features, shape));
      const terms = mixtureNegativeLog(g, values, parts);
      return g.op('Reshape', [terms, g.int64s([-1, ...shape])]);
    },
    mean: (scope, [head]) => {
      const { g } = scope;
      const shape = head!.shape!.slice(config.features === 1 ? 1 : 2) as number[];
      const rows = featureRows(g, head!, config.features, shape);
      const { logits, means, zero } = localNetwork(scope, config, undefined, rows);
      const weights = g.op('Softmax', [logits], { axis: -1 });
      const mixed = g.op('ReduceSum', [g.op('Mul', [weights, means]), g.int64s([1])], { keepdims: 1 });
      const mean = g.op('Mul', [mixed, g.op('Sigmoid', [g.op('Neg', [zero])])]);
      const clipped = g.op('Clip', [mean, g.scalar(0), g.scalar(1)]);
      return g.op('Reshape', [clipped, g.int64s([-1, ...shape])]);
    },
  }),
});

interface MixtureParts {
  /** All [N * values, components], means in units of 1 = 255. */
  readonly logits: Value;
  readonly means: Value;
  readonly logScales: Value;
  /** [N * values, 1] */
  readonly zero: Value;
}

/** [N, features, ...data] to [N * values, features]. */
function featureRows(g: GraphBuilder, head: Value, features: number, shape: readonly number[]): Value {
  const values = shape.reduce((product, dim) => product * dim, 1);
  const flat = g.op('Reshape', [head, g.int64s([-1, features, values])]);
  return g.op('Reshape', [g.op('Transpose', [flat], { perm: [0, 2, 1] }), g.int64s([-1, features])]);
}

/** The network from a value's neighbours and features to its mixture; without neighbours, as if all were 0. */
function localNetwork(
  scope: Scope,
  config: LocalMixtureConfig,
  neighbours: Value | undefined,
  features: Value,
): MixtureParts {
  const { g } = scope;
  const { components, hidden } = config;
  const raws = 3 * components + 1;
  const count = neighbourhood(config.above, config.beside).length;
  const fromNeighbours = (at: Scope, other: Value, outputs: number): Value => {
    const weight = at.parameter('neighbours', [outputs, count], fanInUniform(count));
    return neighbours === undefined ? other : g.op('Gemm', [neighbours, weight, other], { transB: 1 });
  };
  const first = scope.at('hidden').at(0);
  let width = hidden[0]!;
  let top = g.op('Relu', [fromNeighbours(first, linear(first, features, config.features, width), width)]);
  hidden.slice(1).forEach((outputs, index) => {
    top = g.op('Relu', [linear(scope.at('hidden').at(index + 1), top, width, outputs)]);
    width = outputs;
  });
  // The last layer also sees the neighbours themselves: means are near them from the first step on.
  const last = scope.at('output');
  const raw = fromNeighbours(last, linear(last, top, width, raws), raws);
  const offset = g.op('Add', [raw, g.constant(headOffsets(components), 'float32', [raws])]);
  const sizes = g.int64s([components, components, components, 1]);
  const [logits, means, logScales, zero] = g.ops('Split', [offset, sizes], { axis: 1 }, { outputs: 4 });
  return { logits: logits!, means: means!, logScales: logScales!, zero: zero! };
}

/**
 * −log of the share of each value, [N * values, 1]. A component's share of v is S(a) − S(b), with a
 * and b its scaled distances to v ± ½; as S(a) S(−b) (1 − exp(b − a)) it keeps its precision in the
 * tails. 1 takes all below it (0 has its own probability) and 255 all above.
 */
function mixtureNegativeLog(g: GraphBuilder, values: Value, { logits, means, logScales, zero }: MixtureParts): Value {
  const one = g.scalar(1);
  const [low, high] = LOG_SCALE_RANGE;
  const asFloat = (condition: Value): Value => g.op('Cast', [condition], { to: 'float32' });
  const notTop = asFloat(g.op('Less', [values, g.scalar(254.5)]));
  const notBottom = asFloat(g.op('Greater', [values, g.scalar(1.5)]));
  const isZero = asFloat(g.op('Less', [values, g.scalar(0.5)]));

  const inverse = g.op('Exp', [g.op('Neg', [g.op('Clip', [logScales, g.scalar(low), g.scalar(high)])])]);
  const distance = g.op('Sub', [values, g.op('Mul', [means, g.scalar(255)])]);
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
  const logMixture = g.op('Mul', [g.op('Sub', [all, total]), g.op('Sub', [one, isZero])]);
  // softplus(−zero) where the value is 0, softplus(zero) where it is not.
  const sign = g.op('Sub', [one, g.op('Mul', [isZero, g.scalar(2)])]);
  const flag = g.op('Softplus', [g.op('Mul', [zero, sign])]);
  return g.op('Sub', [flag, logMixture]);
}
