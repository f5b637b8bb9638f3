import { z } from 'zod';
import { elementCount } from '../../core/dtype.js';
import type { Value } from '../../graph/builder.js';
import { reparameterise, standardLogDensity } from '../gaussian.js';
import { fanInUniform, ZEROS } from '../initializers.js';
import type { Scope } from '../scope.js';
import { definePosterior } from './posterior.js';

/** Added to the gate, so that a fresh step changes little, as section 3 of the paper advises. */
const GATE_OFFSET = 1.5;

interface Flowed {
  readonly z: Value;
  /** log of the diagonal of dz/dε, [R, D]. */
  readonly logScale: Value;
}

/**
 * A Gaussian sent through steps of inverse autoregressive flow, z ← σ z + (1 − σ) m, with σ and m from
 * a masked network of z and a context that the encoder gives (section 3 of the paper, the numerically
 * stable form; the masks are those of MADE, Germain et al. 2015). Dimensions change places between steps.
 *
 * The exported encoder gives the flow's value at the centre of the noise as `mean`, and the log of
 * the squared diagonal of its Jacobian there as `log_variance`.
 */
export const iaf = definePosterior({
  source: 'Kingma et al., Improved Variational Inference with Inverse Autoregressive Flow, NeurIPS 2016',
  schema: z.strictObject({
    type: z.literal('iaf'),
    /** Steps of the flow. */
    steps: z.int().positive().max(64).default(2),
    /** Width of each step's hidden layer. */
    hidden: z.int().positive().max(16384).default(256),
  }),
  refuse: (latentShape) =>
    elementCount(latentShape) < 2 ? 'an autoregressive flow needs at least two latent dimensions' : undefined,
  make: ({ steps, hidden }, latentShape) => {
    const size = elementCount(latentShape);

    const flow = (scope: Scope, heads: readonly Value[], epsilon: Value | undefined): Flowed => {
      const { g } = scope;
      const flat = (value: Value): Value => (latentShape.length === 1 ? value : g.op('Flatten', [value], { axis: 1 }));
      const [mean, logVariance, context] = heads.map(flat);
      let z =
        epsilon === undefined ? mean! : reparameterise(g, { mean: mean!, logVariance: logVariance! }, flat(epsilon));
      let logScale = g.op('Mul', [logVariance!, g.scalar(0.5)]);
      for (let step = 0; step < steps; step += 1) {
        if (step > 0) {
          z = reverse(scope, z, size);
          logScale = reverse(scope, logScale, size);
        }
        const [shift, gate] = autoregressive(scope.at(step), z, context!, size, hidden);
        const raised = g.op('Add', [gate, g.scalar(GATE_OFFSET)]);
        const sigma = g.op('Sigmoid', [raised]);
        // σ z + (1 − σ) m = m + σ (z − m)
        z = g.op('Add', [shift, g.op('Mul', [sigma, g.op('Sub', [z, shift])])]);
        // log σ(s) = −softplus(−s)
        logScale = g.op('Sub', [logScale, g.op('Softplus', [g.op('Neg', [raised])])]);
      }
      return { z, logScale };
    };
    const shaped = ({ g }: Scope, value: Value): Value =>
      latentShape.length === 1 ? value : g.op('Reshape', [value, g.int64s([-1, ...latentShape])]);

    return {
      heads: ['mean', 'log_variance', 'context'],
      noisy: true,
      described: false,
      outputNames: ['mean', 'log_variance'],
      outputs: (scope, heads) => {
        const { z, logScale } = flow(scope, heads, undefined);
        const { g } = scope;
        return { mean: shaped(scope, z), log_variance: shaped(scope, g.op('Mul', [logScale, g.scalar(2)])) };
      },
      draw: (scope, heads, epsilon) => {
        const { g } = scope;
        const { z, logScale } = flow(scope, heads, epsilon);
        return {
          z: shaped(scope, z),
          logDensity: () => {
            // Each step that changes places has taken the noise along: put it into the same order.
            let noise = latentShape.length === 1 ? epsilon! : g.op('Flatten', [epsilon!], { axis: 1 });
            if (steps % 2 === 0) noise = reverse(scope, noise, size);
            return g.op('Sub', [standardLogDensity(g, noise), logScale]);
          },
        };
      },
    };
  },
});

/** The dimensions in reverse order. */
function reverse({ g }: Scope, x: Value, size: number): Value {
  const order = Array.from({ length: size }, (_, index) => size - 1 - index);
  return g.op('Gather', [x, g.int64s(order)], { axis: 1 });
}

/** Shift and gate of each dimension, from the dimensions before it and the context. */
function autoregressive(scope: Scope, z: Value, context: Value, size: number, hidden: number): [Value, Value] {
  const { g } = scope;
  // A hidden unit sees the first so many dimensions (with none: the context alone), and output d is
  // made from the units that see no more than the d dimensions before it.
  const seen = (unit: number): number => unit % size;
  const inward = mask(hidden, size, (unit, input) => input < seen(unit));
  const outward = mask(size, hidden, (output, unit) => seen(unit) <= output);
  const fromZ = masked(scope.at('input'), z, size, hidden, inward);
  const weight = scope.at('context').parameter('weight', [hidden, size], fanInUniform(size));
  const joined = g.op('Add', [fromZ, g.op('Gemm', [context, weight], { transB: 1 })]);
  const top = g.op('Elu', [joined], { alpha: 1 });
  return [masked(scope.at('shift'), top, hidden, size, outward), masked(scope.at('gate'), top, hidden, size, outward)];
}

function masked(scope: Scope, x: Value, inputs: number, outputs: number, allowed: Float32Array): Value {
  const { g } = scope;
  const weight = scope.parameter('weight', [outputs, inputs], fanInUniform(inputs));
  const bias = scope.parameter('bias', [outputs], ZEROS, { decay: false });
  const kept = g.op('Mul', [weight, g.constant(allowed, 'float32', [outputs, inputs])]);
  return g.op('Gemm', [x, kept, bias], { transB: 1 });
}

function mask(rows: number, columns: number, allowed: (row: number, column: number) => boolean): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, index) =>
    allowed(Math.floor(index / columns), index % columns) ? 1 : 0,
  );
}
