/** What interval an operator's results lie in, given those of its inputs. Operators that are not here may give anything. */
import type { Attribute, Node } from '../ir.js';
import {
  ANY,
  add,
  clamp,
  divide,
  falling,
  hull,
  type Interval,
  multiply,
  negate,
  power,
  reciprocal,
  rising,
  subtract,
  withLeast,
} from './interval.js';

/** What a rule sees of its node. */
export interface RangeContext {
  readonly node: Node;
  /** Intervals of the inputs; undefined for omitted ones. */
  readonly inputs: readonly (Interval | undefined)[];
  /** The number that an input is: a constant of one element. */
  number(index: number): number | undefined;
  float(name: string, fallback: number): number;
  int(name: string, fallback: number): number;
  string(name: string, fallback: string): string;
}

export type RangeRule = (context: RangeContext) => Interval;

const first = ({ inputs }: RangeContext): Interval => inputs[0] ?? ANY;
const second = ({ inputs }: RangeContext): Interval => inputs[1] ?? ANY;
const given = ({ inputs }: RangeContext): Interval[] => inputs.filter((each) => each !== undefined);

const unary =
  (f: (x: Interval) => Interval): RangeRule =>
  (context) =>
    f(first(context));
const binary =
  (f: (a: Interval, b: Interval) => Interval): RangeRule =>
  (context) =>
    f(first(context), second(context));
const always =
  (low: number, high: number): RangeRule =>
  () => [low, high];
const bool = always(0, 1);
/** Elements are those of the input, in whatever place. */
const same = unary((x) => x);
/** The same, or zeros among them. */
const sameOrZero = unary((x) => hull(x, [0, 0]));

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)));
const elu = (x: number, alpha: number): number => (x > 0 ? x : alpha * Math.expm1(x));
/** Where x Φ(x), x σ(x) and x tanh(softplus x) are smallest is between -2 and 0; none goes below this. */
const LEAST_OF_GATED = -0.32;
const gated = unary(([low, high]) => [low >= 0 ? 0 : LEAST_OF_GATED, Math.max(high, 0)]);

const minimum: RangeRule = (context) => {
  const parts = given(context);
  return [Math.min(...parts.map(([low]) => low)), Math.min(...parts.map(([, high]) => high))];
};
const maximum: RangeRule = (context) => {
  const parts = given(context);
  return [Math.max(...parts.map(([low]) => low)), Math.max(...parts.map(([, high]) => high))];
};
const total = (context: RangeContext): Interval => given(context).reduce(add, [0, 0]);

function clip(context: RangeContext): Interval {
  const { inputs } = context;
  const [least, most] = [inputs[1]?.[0] ?? Number.NEGATIVE_INFINITY, inputs[2]?.[1] ?? Number.POSITIVE_INFINITY];
  return clamp(first(context), [least, most]);
}

function raised(context: RangeContext): Interval {
  const exponent = context.number(1);
  return exponent === undefined ? ANY : power(first(context), exponent);
}

function product(context: RangeContext): Interval {
  const { inputs } = context.node;
  // A square is never negative.
  return inputs[0] === inputs[1] ? power(first(context), 2) : multiply(first(context), second(context));
}

function resized(context: RangeContext): Interval {
  // Cubic interpolation reaches beyond the values it goes between.
  return context.string('mode', 'nearest') === 'cubic' ? ANY : hull(first(context), [0, 0]);
}

function padded(context: RangeContext): Interval {
  if (context.string('mode', 'constant') !== 'constant') return first(context);
  return hull(first(context), context.inputs[2] ?? [0, 0]);
}

export const RANGE_RULES: Readonly<Record<string, RangeRule>> = {
  // Activations
  Sigmoid: unary(rising(sigmoid)),
  HardSigmoid: (context) => {
    const line = add(multiply(first(context), [context.float('alpha', 0.2), context.float('alpha', 0.2)]), [
      context.float('beta', 0.5),
      context.float('beta', 0.5),
    ]);
    return clamp(line, [0, 1]);
  },
  Softmax: bool,
  Hardmax: bool,
  LogSoftmax: always(Number.NEGATIVE_INFINITY, 0),
  Tanh: unary(rising(Math.tanh)),
  Softsign: unary(rising((x) => (Number.isFinite(x) ? x / (1 + Math.abs(x)) : Math.sign(x)))),
  Relu: unary((x) => clamp(x, [0, Number.POSITIVE_INFINITY])),
  ThresholdedRelu: unary(([, high]) => [0, Math.max(high, 0)]),
  LeakyRelu: (context) => {
    const alpha = context.float('alpha', 0.01);
    return alpha < 0 ? ANY : rising((x) => (x < 0 ? alpha * x : x))(first(context));
  },
  Elu: (context) => rising((x) => elu(x, context.float('alpha', 1)))(first(context)),
  Celu: (context) => {
    const alpha = context.float('alpha', 1);
    return rising((x) => (x > 0 ? x : alpha * Math.expm1(x / alpha)))(first(context));
  },
  Selu: (context) => {
    const gamma = context.float('gamma', 1.0507009873554805);
    return rising((x) => gamma * elu(x, context.float('alpha', 1.6732632423543772)))(first(context));
  },
  Softplus: unary(rising(softplus)),
  Gelu: gated,
  Mish: gated,
  HardSwish: unary(([low, high]) => [low >= 0 ? 0 : -0.375, Math.max(high, 0)]),
  Clip: clip,

  // Functions
  Exp: unary(rising(Math.exp)),
  Log: unary((x) => rising(Math.log)(clamp(x, [0, Number.POSITIVE_INFINITY]))),
  Sqrt: unary((x) => rising(Math.sqrt)(clamp(x, [0, Number.POSITIVE_INFINITY]))),
  Reciprocal: unary(reciprocal),
  Abs: unary(withLeast(0, Math.abs)),
  Neg: unary(negate),
  Sign: unary(rising(Math.sign)),
  Floor: unary(rising(Math.floor)),
  Ceil: unary(rising(Math.ceil)),
  Round: unary(rising(Math.round)),
  Erf: always(-1, 1),
  Sin: always(-1, 1),
  Cos: always(-1, 1),
  Atan: unary(rising(Math.atan)),
  Asin: always(-Math.PI / 2, Math.PI / 2),
  Acos: unary((x) => falling(Math.acos)(clamp(x, [-1, 1]))),
  Pow: raised,

  // Arithmetic
  Add: binary(add),
  Sub: binary(subtract),
  Mul: product,
  Div: binary(divide),
  Min: minimum,
  Max: maximum,
  Sum: total,
  Mean: (context) => divide(total(context), [given(context).length, given(context).length]),
  Where: ({ inputs }) => hull(inputs[1] ?? ANY, inputs[2] ?? ANY),
  Equal: bool,
  Greater: bool,
  GreaterOrEqual: bool,
  Less: bool,
  LessOrEqual: bool,
  And: bool,
  Or: bool,
  Xor: bool,
  Not: bool,
  IsNaN: bool,
  IsInf: bool,
  Cast: same,
  CastLike: same,

  // What moves or chooses elements
  Identity: same,
  Dropout: same,
  Transpose: same,
  Reshape: same,
  Flatten: same,
  Squeeze: same,
  Unsqueeze: same,
  Slice: same,
  Gather: same,
  GatherElements: same,
  GatherND: same,
  Expand: same,
  Tile: same,
  Split: same,
  DepthToSpace: same,
  SpaceToDepth: same,
  ReverseSequence: same,
  Concat: (context) => hull(...given(context)),
  ScatterElements: (context) =>
    context.string('reduction', 'none') === 'none' ? hull(first(context), context.inputs[2] ?? ANY) : ANY,
  ScatterND: (context) =>
    context.string('reduction', 'none') === 'none' ? hull(first(context), context.inputs[2] ?? ANY) : ANY,
  Trilu: sameOrZero,
  CenterCropPad: sameOrZero,
  Pad: padded,

  // Means and extremes
  ReduceMean: same,
  ReduceMax: same,
  ReduceMin: same,
  GlobalAveragePool: same,
  GlobalMaxPool: same,
  MaxPool: same,
  AveragePool: sameOrZero,
  MaxUnpool: sameOrZero,
  Resize: resized,
  GridSample: (context) => (/cubic/.test(context.string('mode', 'linear')) ? ANY : hull(first(context), [0, 0])),
};

/** A number attribute, or what it is without. */
export function attributeOr(attribute: Attribute | undefined, fallback: number): number {
  return attribute?.kind === 'float' || attribute?.kind === 'int' ? attribute.value : fallback;
}
