/** Normalisations whose forward node saves its statistics, or whose statistics are given. */
import type { Value } from '../../graph/builder.js';
import type { TensorType } from '../../graph/ir.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';

type Gradients = readonly (Value | undefined)[];

/**
 * Through x̂ = (x - mean)·inv with statistics over `axes`, given the gradient h of x̂:
 * inv·(h - mean(h) - x̂·mean(h·x̂)).
 */
export function throughStandardising(
  context: GradientContext,
  h: Value,
  standardised: Value,
  inverse: Value,
  axes: readonly number[],
): Value {
  const share = context.reduceMean(context.mul(h, standardised), axes, true);
  const centred = context.sub(h, context.reduceMean(h, axes, true));
  return context.mul(context.sub(centred, context.mul(standardised, share)), inverse);
}

/** Ba, Kiros & Hinton 2016. The node is asked for the mean and inverse deviation that it computed anyway. */
function layerNormalization(context: GradientContext): Gradients {
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
  const standardised = context.mul(context.sub(x, mean), inverse);
  return [
    context.needs(0)
      ? throughStandardising(context, context.mul(gradient, context.input(1)), standardised, inverse, axes)
      : undefined,
    context.needs(1) ? context.unbroadcast(context.mul(gradient, standardised), context.input(1)) : undefined,
    context.needs(2) ? context.unbroadcast(gradient, context.input(2)) : undefined,
  ];
}

export const NORMALIZATION: GradientTable = {
  LayerNormalization: rule(layerNormalization),
};
