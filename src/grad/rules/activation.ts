/** Activation functions. Slopes come from the output where that is cheaper than from the input. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';

type Gradients = readonly (Value | undefined)[];

/** `above` where x > 0 and `below` elsewhere. */
function bySign(context: GradientContext, x: Value, above: Value, below: Value): Value {
  return context.op('Where', [context.op('Greater', [x, context.scalar(0, x.dtype)]), above, below]);
}

const plus = (context: GradientContext, value: Value, number: number) =>
  context.add(value, context.scalar(number, value.dtype));

/** exp(min(x, 0)·rate): what an exponential side has for a slope, and 1 above zero. */
const decay = (context: GradientContext, x: Value, rate = 1) =>
  context.op('Exp', [context.scale(context.op('Min', [x, context.scalar(0, x.dtype)]), rate)]);

/** γ·x above zero and γα(eˣ-1) below, where the slope is γαeˣ: y + γα would be rounded to 0 far below. */
function exponentialBelow(context: GradientContext, alpha: number, gamma: number): Gradients {
  const x = context.input(0);
  const gradient = context.compactGradient();
  const below = context.mul(gradient, decay(context, x));
  if (alpha * gamma === 1 && gamma === 1) return [below];
  return [bySign(context, x, context.scale(gradient, gamma), context.scale(below, alpha * gamma))];
}

/** e = exp(-rate·|x|), from which both tails of a sigmoid can be made without loss. */
const tails = (context: GradientContext, x: Value, rate = 1) =>
  context.op('Exp', [context.scale(context.op('Abs', [x]), -rate)]);

/**
 * σ(x)(1-σ(x)) = e/(1+e)², e = exp(-|x|). Of the output, as y(1-y), it is lost far from 0: above, where 1-y is rounding, and
 * below -15, where ONNX Runtime's float32 Sigmoid has no digits left.
 */
function sigmoidSlope(context: GradientContext, x: Value): Value {
  const e = tails(context, x);
  return context.op('Div', [e, context.square(plus(context, e, 1))]);
}

/** σ(x), which ONNX Runtime's float32 Sigmoid has not below -15: of e = exp(-|x|), 1/(1+e) above 0 and e/(1+e) below. */
function preciseSigmoid(context: GradientContext, x: Value): Value {
  return context.op('Div', [decay(context, x), plus(context, tails(context, x), 1)]);
}

/** y > 0 exactly where y, which is never negative, is not zero: a conversion to bool instead of a comparison. */
function relu(context: GradientContext): Gradients {
  return [context.mask(context.cast(context.output(), 'bool'), context.compactGradient())];
}

/** A slope of 1 above zero and `alpha` below, as the larger of a 0-or-1 mask and alpha. */
function leakyRelu(context: GradientContext): Gradients {
  const x = context.input(0);
  const gradient = context.compactGradient();
  const alpha = context.float('alpha', 0.01);
  if (alpha < 0 || alpha > 1) return [bySign(context, x, gradient, context.scale(gradient, alpha))];
  const above = context.cast(context.op('Greater', [x, context.scalar(0, x.dtype)]), x.dtype);
  return [context.mul(gradient, context.op('Max', [above, context.scalar(alpha, x.dtype)]))];
}

function parametricRelu(context: GradientContext): Gradients {
  const [x, slope] = [context.input(0), context.input(1)];
  const gradient = context.compactGradient();
  return [
    context.needs(0) ? bySign(context, x, gradient, context.mul(gradient, slope)) : undefined,
    context.needs(1)
      ? context.unbroadcast(context.mul(gradient, context.op('Min', [x, context.scalar(0, x.dtype)])), slope)
      : undefined,
  ];
}

/**
 * R(t) = (1 - Φ(t))/φ(t) for t >= 0, which Erf cannot give: 1 - erf is rounding from 4 on. Factors of the powers of
 * u = 1/(1 + MILLS_RATE·t), from u on, by least squares reweighted until the largest error was least: 7e-7.
 */
const MILLS_RATE = 0.295;
const MILLS = [0.29709783, 0.26724951, 0.4124978, -0.15202192, 0.64220153, -0.21371117];

/**
 * d/dx x·Φ(x) = Φ(x) + x·φ(x) (Hendrycks & Gimpel 2016). With m = φ(t)·(t - R(t)), t = |x|, it is 1 + m above 0 and -m
 * below, where no difference of near equals is left.
 */
function gelu(context: GradientContext): Gradients {
  const x = context.input(0);
  const gradient = context.compactGradient();
  if (context.string('approximate', 'none') === 'tanh') return [context.mul(gradient, tanhGeluSlope(context, x))];
  const t = context.op('Abs', [x]);
  const u = context.op('Reciprocal', [plus(context, context.scale(t, MILLS_RATE), 1)]);
  const [lowest, ...higher] = MILLS;
  const rest = higher.reduceRight<Value | undefined>(
    (sum, factor) => context.mul(sum === undefined ? context.scalar(factor, x.dtype) : plus(context, sum, factor), u),
    undefined,
  );
  const sum = plus(context, rest!, lowest!);
  const beyond = context.sub(t, context.mul(sum, u));
  const density = context.scale(
    context.op('Exp', [context.scale(context.square(x), -0.5)]),
    1 / Math.sqrt(2 * Math.PI),
  );
  const m = context.mul(density, beyond);
  return [context.mul(gradient, bySign(context, x, plus(context, m, 1), context.neg(m)))];
}

/** Slope of x/2·(1 + tanh u) = x·σ(2u) with u = √(2/π)·(x + 0.044715x³). */
function tanhGeluSlope(context: GradientContext, x: Value): Value {
  const c = Math.sqrt(2 / Math.PI);
  const squared = context.square(x);
  const twice = context.mul(x, plus(context, context.scale(squared, 2 * 0.044715 * c), 2 * c));
  const du = plus(context, context.scale(squared, 6 * 0.044715 * c), 2 * c);
  const rest = context.mul(context.mul(x, du), sigmoidSlope(context, twice));
  return context.add(preciseSigmoid(context, twice), rest);
}

/**
 * d/dx x·tanh(s), s = softplus(x): t + x·σ(x)·(1 - t²), t = tanh(s) (Misra 2019). With w = exp(min(x, 0)) and
 * v = exp(-max(x, 0)), t = (w² + 2wv)/(w² + 2wv + 2v²): no tail is rounded away.
 */
function mish(context: GradientContext): Gradients {
  const x = context.input(0);
  const w = decay(context, x);
  const v = context.op('Exp', [context.neg(context.op('Max', [x, context.scalar(0, x.dtype)]))]);
  const upper = context.mul(w, context.add(w, context.scale(v, 2)));
  const rest = context.scale(context.square(v), 2);
  const whole = context.add(upper, rest);
  const t = context.op('Div', [upper, whole]);
  // 1 - t² = (1 - t)(1 + t)
  const slope = context.mul(context.op('Div', [rest, whole]), plus(context, t, 1));
  const inner = context.mul(context.mul(x, preciseSigmoid(context, x)), slope);
  return [context.mul(context.compactGradient(), context.add(t, inner))];
}

function hardSigmoid(context: GradientContext): Gradients {
  const y = context.output();
  const inside = context.op('And', [
    context.op('Greater', [y, context.scalar(0, y.dtype)]),
    context.op('Less', [y, context.scalar(1, y.dtype)]),
  ]);
  return [context.mask(inside, context.scale(context.compactGradient(), context.float('alpha', 0.2)))];
}

/** x·clip(x/6 + 1/2, 0, 1): slope x/3 + 1/2 between -3 and 3. */
function hardSwish(context: GradientContext): Gradients {
  const x = context.input(0);
  const gradient = context.compactGradient();
  const middle = context.mul(gradient, plus(context, context.scale(x, 1 / 3), 0.5));
  const upper = context.op('Where', [context.op('Greater', [x, context.scalar(3, x.dtype)]), gradient, middle]);
  return [context.dropWhere(context.op('Less', [x, context.scalar(-3, x.dtype)]), upper)];
}

/** g·y is summed along the axis: y·(g - Σg·y). */
function softmax(context: GradientContext): Gradients {
  const y = context.output();
  const gradient = context.gradient();
  const axis = context.axis(-1);
  const total = context.reduceSum(context.mul(gradient, y), [axis], true);
  return [context.mul(context.sub(gradient, total), y)];
}

/** g - softmax·Σg, and softmax = exp(y). */
function logSoftmax(context: GradientContext): Gradients {
  const gradient = context.gradient();
  const total = context.reduceSum(gradient, [context.axis(-1)], true);
  return [context.sub(gradient, context.mul(context.op('Exp', [context.output()]), total))];
}

/** x·σ(αx): s + αx·s(1 - s), s = σ(αx) (Ramachandran, Zoph & Le 2017). */
function swishSlope(context: GradientContext): Value {
  const scaled = context.scale(context.input(0), context.float('alpha', 1));
  return context.add(preciseSigmoid(context, scaled), context.mul(scaled, sigmoidSlope(context, scaled)));
}

/** |x| > λ passes, shifted by the bias. */
function shrink(context: GradientContext): Gradients {
  const x = context.input(0);
  const limit = context.scalar(context.float('lambd', 0.5), x.dtype);
  return [context.mask(context.op('Greater', [context.op('Abs', [x]), limit]), context.compactGradient())];
}

export const ACTIVATION: GradientTable = {
  Relu: rule(relu),
  LeakyRelu: rule(leakyRelu),
  PRelu: rule(parametricRelu),
  ThresholdedRelu: rule((context) => {
    const x = context.input(0);
    const threshold = context.scalar(context.float('alpha', 1), x.dtype);
    return [context.mask(context.op('Greater', [x, threshold]), context.compactGradient())];
  }),
  Elu: rule((context) => exponentialBelow(context, context.float('alpha', 1), 1)),
  Selu: rule((context) =>
    exponentialBelow(context, context.float('alpha', 1.6732631921768188), context.float('gamma', 1.0507010221481323)),
  ),
  // x above zero, α(e^(x/α)-1) below: slope e^(x/α).
  Celu: rule((context) => {
    const slope = decay(context, context.input(0), 1 / context.float('alpha', 1));
    return [context.mul(context.compactGradient(), slope)];
  }),
  Gelu: rule(gelu),
  Swish: rule((context) => [context.mul(context.compactGradient(), swishSlope(context))]),
  Sigmoid: rule((context) => [context.mul(context.compactGradient(), sigmoidSlope(context, context.input(0)))]),
  HardSigmoid: rule(hardSigmoid),
  HardSwish: rule(hardSwish),
  // σ(x) = exp(x - softplus(x)), which keeps its digits below as a Sigmoid of ONNX Runtime does not.
  Softplus: rule((context) => {
    const slope = context.op('Exp', [context.sub(context.input(0), context.output())]);
    return [context.mul(context.compactGradient(), slope)];
  }),
  // 1/(1+|x|)²
  Softsign: rule((context) => [
    context.div(context.compactGradient(), context.square(plus(context, context.op('Abs', [context.input(0)]), 1))),
  ]),
  Mish: rule(mish),
  // 1 - tanh² = 4e/(1+e)², e = exp(-2|x|)
  Tanh: rule((context) => {
    const e = tails(context, context.input(0), 2);
    const slope = context.op('Div', [e, context.square(plus(context, e, 1))]);
    return [context.mul(context.compactGradient(), context.scale(slope, 4))];
  }),
  Shrink: rule(shrink),
  Softmax: rule(softmax),
  LogSoftmax: rule(logSoftmax),
};
