/** Elementwise arithmetic with broadcasting: sums, products, powers, extremes, selection. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';

/** Gradients of two broadcast inputs, each made only where it is needed. */
function binary(context: GradientContext, left: () => Value, right: () => Value): readonly (Value | undefined)[] {
  return [left, right].map((make, index) =>
    context.needs(index) ? context.unbroadcast(make(), context.input(index)) : undefined,
  );
}

/** The same gradient, times a factor, for every input of a variadic sum. */
function variadicSum(context: GradientContext, factor: number): readonly (Value | undefined)[] {
  const gradient = context.scale(context.compactGradient(), factor);
  return context.inputs.map((input, index) =>
    context.needs(index) ? context.unbroadcast(gradient, input!) : undefined,
  );
}

/** Min and Max. Where several inputs are equally extreme, they share the gradient equally, as in PyTorch. */
function extreme(context: GradientContext, beats: 'Greater' | 'Less'): readonly (Value | undefined)[] {
  const gradient = context.gradient();
  if (context.inputs.length === 1) return [gradient];
  const share = (index: number): Value => {
    if (context.inputs.length === 2) {
      const own = context.input(index);
      const other = context.input(1 - index);
      const tie = context.keepWhere(context.op('Equal', [own, other]), context.scale(gradient, 0.5));
      return context.op('Where', [context.op(beats, [own, other]), gradient, tie]);
    }
    return context.keepWhere(isExtreme(index), shared());
  };
  const isExtreme = (index: number) => context.op('Equal', [context.input(index), context.output()]);
  let sharedGradient: Value | undefined;
  const shared = (): Value => {
    if (sharedGradient === undefined) {
      const counts = context.inputs.map((_, index) => context.cast(isExtreme(index), gradient.dtype));
      sharedGradient = context.div(
        gradient,
        counts.reduce((sum, next) => context.add(sum, next)),
      );
    }
    return sharedGradient;
  };
  return context.inputs.map((input, index) =>
    context.needs(index) ? context.unbroadcast(share(index), input!) : undefined,
  );
}

function power(context: GradientContext): readonly (Value | undefined)[] {
  const base = context.input(0);
  const exponent = context.input(1);
  const y = context.output();
  const gradient = context.compactGradient();
  return binary(
    context,
    () => context.mul(gradient, powerSlope(context, base, exponent, y)),
    () => {
      // d/de x^e = x^e ln x, and 0 where x = 0 (the limit for e > 0), as in PyTorch.
      const zero = context.op('Equal', [base, context.scalar(0, base.dtype)]);
      const log = context.op('Log', [context.op('Where', [zero, context.scalar(1, base.dtype), base])]);
      return context.cast(context.mul(gradient, context.mul(y, log)), exponent.dtype);
    },
  );
}

/** e·x^(e-1), in the cheapest form that the exponent allows. */
function powerSlope(context: GradientContext, base: Value, exponent: Value, y: Value): Value {
  const known = context.constantNumber(1);
  switch (known) {
    case 0:
      return context.scalar(0, base.dtype);
    case 1:
      return context.scalar(1, base.dtype);
    case 2:
      return context.scale(base, 2);
    case 3:
      return context.scale(context.square(base), 3);
    case 0.5:
      return context.op('Div', [context.scalar(0.5, base.dtype), y]);
    case -1:
      return context.neg(context.square(y));
  }
  if (known !== undefined) {
    return context.scale(context.op('Pow', [base, context.scalar(known - 1, base.dtype)]), known);
  }
  const e = context.cast(exponent, base.dtype);
  const slope = context.mul(e, context.op('Pow', [base, context.op('Sub', [e, context.scalar(1, base.dtype)])]));
  // 0·x^(-1) at x = 0 would be NaN.
  return context.dropWhere(context.op('Equal', [e, context.scalar(0, base.dtype)]), slope);
}

/** The gradient passes inside the bounds, bounds included; outside it belongs to the bound. */
function clip(context: GradientContext): readonly (Value | undefined)[] {
  const x = context.input(0);
  const gradient = context.compactGradient();
  const bound = (index: number, compare: 'Less' | 'Greater') => {
    if (!context.needs(index)) return undefined;
    const limit = context.input(index);
    return context.unbroadcast(context.mask(context.op(compare, [x, limit]), gradient), limit);
  };
  return [
    // x is inside exactly where clipping has left it as it was: one comparison instead of two.
    context.needs(0) ? context.mask(context.op('Equal', [x, context.output()]), gradient) : undefined,
    bound(1, 'Less'),
    bound(2, 'Greater'),
  ];
}

function where(context: GradientContext): readonly (Value | undefined)[] {
  const condition = context.input(0);
  const gradient = context.compactGradient();
  return [
    undefined,
    context.needs(1) ? context.unbroadcast(context.keepWhere(condition, gradient), context.input(1)) : undefined,
    context.needs(2) ? context.unbroadcast(context.dropWhere(condition, gradient), context.input(2)) : undefined,
  ];
}

/** a - floor(a/b)·b (or trunc with fmod): slope 1 in a, minus the whole quotient in b. */
function modulo(context: GradientContext): readonly (Value | undefined)[] {
  const [a, b] = [context.input(0), context.input(1)];
  const gradient = context.compactGradient();
  return binary(
    context,
    () => gradient,
    () => {
      const whole = context.op('Div', [context.op('Sub', [a, context.output()]), b]);
      return context.neg(context.mul(gradient, context.op('Round', [whole])));
    },
  );
}

/**
 * x·σ(x), as exporters write SiLU: the slope σ(1 + x(1 - σ)) as a whole takes fewer passes than both
 * factors' gradients one by one. It is given to x, and none to σ.
 */
function throughSilu(context: GradientContext): readonly (Value | undefined)[] | undefined {
  for (const [xAt, gateAt] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const [x, gate] = [context.input(xAt), context.input(gateAt)];
    const producer = context.builder.producers.get(gate.name);
    if (producer?.op !== 'Sigmoid' || producer.domain !== '' || producer.inputs[0] !== x.name) continue;
    if (!context.needs(xAt)) continue;
    // Far below, where ONNX Runtime's Sigmoid has no digits left, it is exp(x) as good as exactly.
    const rest = context.sub(context.scalar(1, x.dtype), gate);
    const decay = context.op('Exp', [context.op('Min', [x, context.scalar(0, x.dtype)])]);
    const precise = context.mul(decay, context.op('Max', [gate, rest]));
    const slope = context.mul(precise, context.add(context.mul(x, rest), context.scalar(1, x.dtype)));
    const gradients = [context.mul(context.compactGradient(), slope), context.scalar(0)];
    return xAt === 0 ? gradients : gradients.reverse();
  }
  return undefined;
}

export const ARITHMETIC: GradientTable = {
  Add: rule((context) => {
    const gradient = context.compactGradient();
    return binary(
      context,
      () => gradient,
      () => gradient,
    );
  }),
  Sub: rule((context) => {
    const gradient = context.compactGradient();
    return [
      context.needs(0) ? context.unbroadcast(gradient, context.input(0)) : undefined,
      // Negated after summing, when it is smallest.
      context.needs(1) ? context.neg(context.unbroadcast(gradient, context.input(1))) : undefined,
    ];
  }),
  Mul: rule((context) => {
    const gradient = context.compactGradient();
    const [left, right] = [context.input(0), context.input(1)];
    // A square: the two halves are one.
    if (left.name === right.name) return [context.mul(context.scale(gradient, 2), left), context.scalar(0)];
    const silu = throughSilu(context);
    if (silu !== undefined) return silu;
    return binary(
      context,
      () => context.mul(gradient, context.input(1)),
      () => context.mul(gradient, context.input(0)),
    );
  }),
  Div: rule((context) => {
    const share = context.op('Div', [context.compactGradient(), context.input(1)]);
    return binary(
      context,
      () => share,
      () => context.neg(context.mul(share, context.output())),
    );
  }),
  Pow: rule(power),
  Mod: rule(modulo),
  Min: rule((context) => extreme(context, 'Less')),
  Max: rule((context) => extreme(context, 'Greater')),
  Sum: rule((context) => variadicSum(context, 1)),
  Mean: rule((context) => variadicSum(context, 1 / context.inputs.length)),
  Clip: rule(clip),
  Where: rule(where),
};
