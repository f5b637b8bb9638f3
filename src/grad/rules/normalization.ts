/** Normalisations over the last axes or one axis: layer, root mean square, Lp, mean and variance. */
import type { Value } from '../../graph/builder.js';
import type { TensorType } from '../../graph/ir.js';
import type { GradientContext } from '../context.js';
import { type Expanded, expansion, type GradientTable, rule } from '../registry.js';
import { axisFromFront } from '../shapes.js';
import { signOf } from './unary.js';

type Gradients = readonly (Value | undefined)[];

/** Ba, Kiros & Hinton 2016. The node is asked for the mean and inverse deviation that it computed anyway. */
function layerNormalization(context: GradientContext): Gradients {
  if (context.hasGradient(1) || context.hasGradient(2)) {
    context.fail('the loss depends on the mean or deviation that it gives beside its result');
  }
  const x = context.input(0);
  const rank = context.rank(x);
  const first = context.axis(-1);
  const axes = Array.from({ length: rank - first }, (_, index) => first + index);
  const saved: TensorType = {
    // Statistics are kept in float32 unless the data is wider.
    dtype: x.dtype === 'float64' ? 'float64' : 'float32',
    shape: x.shape!.map((dim, axis) => (axis < first ? dim : 1)),
  };
  const mean = context.cast(context.extraOutput(1, saved), x.dtype);
  const inverse = context.cast(context.extraOutput(2, saved), x.dtype);
  const gradient = context.gradient();
  const standardised = context.needs(0) || context.needs(1) ? context.mul(context.sub(x, mean), inverse) : undefined;
  const dx = () => {
    const h = context.mul(gradient, context.input(1));
    const share = context.reduceMean(context.mul(h, standardised!), axes, true);
    const centred = context.sub(h, context.reduceMean(h, axes, true));
    return context.mul(context.sub(centred, context.mul(standardised!, share)), inverse);
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? context.unbroadcast(context.mul(gradient, standardised!), context.input(1)) : undefined,
    context.needs(2) ? context.unbroadcast(gradient, context.input(2)) : undefined,
  ];
}

/** Zhang & Sennrich 2019: x/√(mean(x²) + ε)·s. */
function rmsNormalization(context: GradientContext): Expanded {
  const [x, scale] = [context.input(0), context.input(1)];
  const rank = context.rank(x);
  const first = context.axis(-1);
  const axes = Array.from({ length: rank - first }, (_, index) => first + index);
  const epsilon = context.scalar(context.float('epsilon', 1e-5), x.dtype);
  const meanSquare = context.reduceMean(context.square(x), axes, true);
  const inverse = context.op('Reciprocal', [context.op('Sqrt', [context.add(meanSquare, epsilon)])]);
  const standardised = context.mul(x, inverse);
  return {
    outputs: [context.mul(standardised, scale)],
    gradient: (backward) => {
      const gradient = backward.gradient();
      const dx = () => {
        const h = backward.mul(gradient, scale);
        const share = backward.reduceMean(backward.mul(h, standardised), axes, true);
        return backward.mul(backward.sub(h, backward.mul(standardised, share)), inverse);
      };
      return [
        backward.needs(0) ? dx() : undefined,
        backward.needs(1) ? backward.unbroadcast(backward.mul(gradient, standardised), scale) : undefined,
      ];
    },
  };
}

/** x/‖x‖ along an axis: (g - n·Σg·y)/‖x‖ where n is the norm's own slope, y for p = 2 and sign(x) for p = 1. */
function lpNormalization(context: GradientContext): Gradients {
  const x = context.input(0);
  const y = context.output();
  const axis = context.axis(-1);
  const first = context.int('p', 2) === 1;
  const gradient = context.gradient();
  const norm = context.op(first ? 'ReduceL1' : 'ReduceL2', [x, context.builder.int64s([axis])], { keepdims: 1 });
  const share = context.reduceSum(context.mul(gradient, y), [axis], true);
  const slope = first ? signOf(context, x) : y;
  const change = context.op('Div', [context.sub(gradient, context.mul(slope, share)), norm]);
  // A vector of zeros stays one, whatever the direction.
  return [context.dropWhere(context.op('Equal', [norm, context.scalar(0, x.dtype)]), change)];
}

/** (x - mean)/(deviation + 1e-9), over batch and places unless told otherwise. */
function meanVariance(context: GradientContext): Expanded {
  const x = context.input(0);
  const rank = context.rank(x);
  const axes = (context.ints('axes') ?? [0, 2, 3]).map((axis) => axisFromFront(axis, rank));
  const centred = context.sub(x, context.reduceMean(x, axes, true));
  const deviation = context.op('Sqrt', [context.reduceMean(context.square(centred), axes, true)]);
  return { outputs: [context.op('Div', [centred, context.add(deviation, context.scalar(1e-9, x.dtype))])] };
}

export const NORMALIZATION: GradientTable = {
  LayerNormalization: rule(layerNormalization),
  RMSNormalization: expansion(rmsNormalization),
  LpNormalization: rule(lpNormalization),
  MeanVarianceNormalization: expansion(meanVariance),
};
