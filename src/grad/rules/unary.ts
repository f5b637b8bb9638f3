/** Elementwise functions of one input: exponentials, roots, trigonometry. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientEntry, type GradientTable, rule } from '../registry.js';

/** A rule from the slope as a function of input x and output y. */
function slope(make: (context: GradientContext, x: Value, y: Value) => Value): GradientEntry {
  return rule((context) => [context.mul(context.compactGradient(), make(context, context.input(0), context.output()))]);
}

/** A rule that divides by the slope's reciprocal. */
function inverseSlope(make: (context: GradientContext, x: Value, y: Value) => Value): GradientEntry {
  return rule((context) => [context.div(context.compactGradient(), make(context, context.input(0), context.output()))]);
}

const one = (context: GradientContext, like: Value) => context.scalar(1, like.dtype);

/** 1 - x² as (1 - x)(1 + x), which keeps its digits where x is near 1. */
function oneMinusSquare(context: GradientContext, x: Value): Value {
  return context.mul(context.sub(one(context, x), x), context.add(x, one(context, x)));
}

/**
 * -1, 0 or 1. ONNX Runtime's Sign takes three times as long as a product cut off at ±1, which is the
 * same for every number that is not denormal.
 */
export function signOf(context: GradientContext, x: Value): Value {
  const large = x.dtype === 'float32' ? 3e38 : x.dtype === 'float64' ? 1e308 : undefined;
  if (large === undefined) return context.op('Sign', [x]);
  const one = context.scalar(1, x.dtype);
  return context.op('Clip', [context.scale(x, large), context.scalar(-1, x.dtype), one]);
}

export const UNARY: GradientTable = {
  Identity: rule((context) => [context.compactGradient()]),
  Neg: rule((context) => [context.neg(context.compactGradient())]),
  Abs: slope((context, x) => signOf(context, x)),
  Exp: slope((_, __, y) => y),
  Log: inverseSlope((_, x) => x),
  Sqrt: inverseSlope((context, _, y) => context.scale(y, 2)),
  Reciprocal: slope((context, _, y) => context.neg(context.square(y))),
  // 2/√π·exp(-x²)
  Erf: slope((context, x) =>
    context.scale(context.op('Exp', [context.neg(context.square(x))]), 2 / Math.sqrt(Math.PI)),
  ),
  Sin: slope((context, x) => context.op('Cos', [x])),
  Cos: slope((context, x) => context.neg(context.op('Sin', [x]))),
  Tan: slope((context, _, y) => context.add(context.square(y), one(context, y))),
  Asin: inverseSlope((context, x) => context.op('Sqrt', [oneMinusSquare(context, x)])),
  Acos: inverseSlope((context, x) => context.neg(context.op('Sqrt', [oneMinusSquare(context, x)]))),
  Atan: inverseSlope((context, x) => context.add(context.square(x), one(context, x))),
  Sinh: slope((context, x) => context.op('Cosh', [x])),
  Cosh: slope((context, x) => context.op('Sinh', [x])),
  Asinh: inverseSlope((context, x) => context.op('Sqrt', [context.add(context.square(x), one(context, x))])),
  Acosh: inverseSlope((context, x) => context.op('Sqrt', [context.neg(oneMinusSquare(context, x))])),
  Atanh: inverseSlope(oneMinusSquare),
  Cast: rule((context) => [context.cast(context.compactGradient(), context.input(0).dtype)]),
  CastLike: rule((context) => [context.cast(context.compactGradient(), context.input(0).dtype), undefined]),
};
