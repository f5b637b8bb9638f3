/**
 * The optimizer's step as graphs for a provider with memory of its own: parameters, moments, averages and states go in
 * and come out there, and nothing else leaves the device than one row of a table of losses and norms.
 *
 * Inputs are named by letter and number, in the order of the manifest: p parameters, g gradients, m and v first and
 * second moments, e moving averages, a accumulated gradients, s states, n their next values, x scalar outputs of the
 * training graph. What is changed comes out as the same name and `_out`. Beside them:
 *
 * - `alive` [1]: 1 until a loss, a gradient or a state is not finite; from then on nothing changes any more.
 * - `log` [rows, columns] and `row` [1]: the row that is written: scalars, norm of the gradient, norm of the update,
 *   `alive` afterwards.
 * - `hyper` [n]: numbers of this step, as native/training/optimizer.cc orders them.
 */
import { GraphBuilder, type Value } from '../graph/builder.js';
import { type Model, type Shape, writeModel } from '../graph/index.js';
import type { OptimizerConfig } from './optimizer-options.js';

/** Rows of the table of losses and norms: so many micro-batches run before something is waited for. */
const DEVICE_LOG_ROWS = 64;

export interface DeviceStepOptions {
  readonly parameters: readonly { readonly dims: readonly number[]; readonly decay: boolean }[];
  readonly states: readonly { readonly dims: readonly number[] }[];
  /** Shapes of the scalar outputs: [] or ones. */
  readonly scalars: readonly Shape[];
  readonly optimizer: OptimizerConfig;
  readonly clipGradientNorm: number | undefined;
  readonly average: boolean;
}

/** The graphs, as the native session takes them. */
export interface DeviceGraphs {
  /** Clips and applies a gradient. */
  readonly step: Uint8Array;
  /** Adds a gradient to those before; the first takes their place. */
  readonly accumulate: Uint8Array;
  /** Float32 of any shape as it is: what brings values up and down. */
  readonly copy: Uint8Array;
  readonly logRows: number;
}

export function deviceGraphs(options: DeviceStepOptions): DeviceGraphs {
  return {
    step: writeModel(stepGraph(options)),
    accumulate: writeModel(accumulateGraph(options)),
    copy: writeModel(copyGraph()),
    logRows: DEVICE_LOG_ROWS,
  };
}

/** Scale of the gradient, and rate of the moving average. */
const COMMON = { neutral: [1, 0] } as const;

/** What the numbers of a step are when nothing may change, by optimizer; after COMMON's. */
const NEUTRAL = {
  // l2, shrink's 1 − x, rate1, beta2, rate2, step size, root scale
  adam: [0, 0, 0, 1, 0, 0, 1],
  // beta1, rate1, beta2, rate2, step size, decay
  adamWOrt: [1, 0, 1, 0, 0, 0],
  // weight decay, kept of the buffer, taken of the gradient, learning rate
  sgd: [0, 1, 0, 0],
} as const;

interface Frame {
  readonly g: GraphBuilder;
  /** Of the next values: whether all is finite, as 1 or 0. */
  readonly alive: Value;
  readonly isAlive: Value;
  readonly norm: Value;
  readonly gradients: readonly Value[];
  finish(update: Value): void;
}

/** What both graphs begin and end with. `scale` is applied to the norm. */
function frame(
  { parameters, states, scalars }: DeviceStepOptions,
  name: string,
  scale?: (g: GraphBuilder) => Value,
): Frame {
  const g = new GraphBuilder({ name });
  const one = [1];
  const alive = g.input('alive', 'float32', one);
  const columns = scalars.length + 3;
  const log = g.input('log', 'float32', [DEVICE_LOG_ROWS, columns]);
  const row = g.input('row', 'float32', one);
  const losses = scalars.map((shape, index) => flat(g, g.input(`x${index}`, 'float32', shape)));
  const gradients = parameters.map(({ dims }, index) => g.input(`g${index}`, 'float32', dims));
  const next = states.map(({ dims }, index) => g.input(`n${index}`, 'float32', dims));
  const factor = scale?.(g);
  const unscaled = g.op('Sqrt', [sumOfSquares(g, gradients)]);
  const norm = factor === undefined ? unscaled : g.op('Mul', [unscaled, factor]);
  // Written so that NaN says no: a comparison with it is false.
  const small = (value: Value): Value => asFloat(g, g.op('Less', [value, g.constant([3e38], 'float32', one)]));
  const finite = [small(norm), small(g.op('Abs', [losses[0]!]))];
  if (next.length > 0) finite.push(small(sumOfSquares(g, next)));
  const still = finite.reduce((product, value) => g.op('Mul', [product, value]), alive);
  const isAlive = g.op('Greater', [still, g.constant([0.5], 'float32', one)]);
  for (const [index, { dims }] of states.entries()) {
    const now = g.input(`s${index}`, 'float32', dims);
    g.output(`s${index}_out`, g.op('Where', [isAlive, next[index]!, now]));
  }
  const finish = (update: Value): void => {
    g.output('alive_out', g.op('Identity', [still]));
    const entry = g.op('Concat', [...losses, norm, update, still], { axis: 0 });
    const numbers = g.constant(
      Array.from({ length: DEVICE_LOG_ROWS }, (_, index) => index),
      'float32',
      [DEVICE_LOG_ROWS, 1],
    );
    // A row number is exact in float32, and lies within a half of itself.
    const distance = g.op('Abs', [g.op('Sub', [numbers, row])]);
    const isRow = g.op('Less', [distance, g.constant([0.5], 'float32', one)]);
    const wide = g.op('Reshape', [entry, g.int64s([1, columns])]);
    g.output('log_out', g.op('Where', [isRow, wide, log]));
  };
  return { g, alive: still, isAlive, norm, gradients, finish };
}

function accumulateGraph(options: DeviceStepOptions): Model {
  const { g, isAlive, gradients, finish } = frame(options, 'accumulate');
  const isFirst = g.op('Greater', [g.input('first', 'float32', [1]), g.constant([0.5], 'float32', [1])]);
  for (const [index, { dims }] of options.parameters.entries()) {
    const sum = g.input(`a${index}`, 'float32', dims);
    const gradient = gradients[index]!;
    const added = g.op('Where', [isFirst, gradient, g.op('Add', [sum, gradient])]);
    g.output(`a${index}_out`, g.op('Where', [isAlive, added, sum]));
  }
  finish(g.constant([0], 'float32', [1]));
  return g.model;
}

function stepGraph(options: DeviceStepOptions): Model {
  const { parameters, optimizer, clipGradientNorm, average } = options;
  const kind = optimizer.type === 'sgd' ? 'sgd' : isOrtForm(optimizer) ? 'adamWOrt' : 'adam';
  const neutral = [...COMMON.neutral, ...NEUTRAL[kind]];
  let hyper: Value | undefined;
  const scale = (g: GraphBuilder): Value => {
    hyper = g.input('hyper', 'float32', [neutral.length]);
    return at(g, hyper, 0);
  };
  const { g, alive, isAlive, norm, gradients, finish } = frame(options, 'step', scale);
  const still = g.constant(neutral, 'float32', [neutral.length]);
  // Where something is not finite the numbers of the step are those that change nothing.
  const numbers = g.op('Add', [still, g.op('Mul', [g.op('Sub', [hyper!, still]), alive])]);
  const number = (index: number): Value => at(g, numbers, COMMON.neutral.length + index);
  const factor = clipped(g, at(g, hyper!, 0), norm, clipGradientNorm);
  const rule = RULES[kind](g, optimizer, number);
  const averageRate = average ? at(g, numbers, 1) : undefined;
  const squares: Value[] = [];
  for (const [index, { dims, decay }] of parameters.entries()) {
    const value = g.input(`p${index}`, 'float32', dims);
    const slope = g.op('Where', [isAlive, g.op('Mul', [gradients[index]!, factor]), g.constant([0], 'float32', [1])]);
    const moment = (letter: 'm' | 'v'): Value => g.input(`${letter}${index}`, 'float32', dims);
    const result = rule({ value, slope, decay, moment });
    squares.push(g.op('Sub', [result.value, value]));
    g.output(`p${index}_out`, result.value);
    for (const [letter, next] of Object.entries(result.moments)) g.output(`${letter}${index}_out`, next);
    if (averageRate === undefined) continue;
    const mean = g.input(`e${index}`, 'float32', dims);
    const step = g.op('Mul', [g.op('Sub', [result.value, mean]), averageRate]);
    g.output(`e${index}_out`, g.op('Add', [mean, step]));
  }
  finish(g.op('Sqrt', [sumOfSquares(g, squares)]));
  return g.model;
}

interface Slot {
  readonly value: Value;
  /** The gradient, scaled and clipped. */
  readonly slope: Value;
  readonly decay: boolean;
  moment(letter: 'm' | 'v'): Value;
}

type Rule = (slot: Slot) => { readonly value: Value; readonly moments: Readonly<Record<string, Value>> };
type RuleMaker = (g: GraphBuilder, optimizer: OptimizerConfig, number: (index: number) => Value) => Rule;

/** The arithmetic of native/training/kernels.cc, in its order. */
const RULES: Readonly<Record<keyof typeof NEUTRAL, RuleMaker>> = {
  adam: (g, optimizer, number) => {
    const [l2, unshrunk, rate1, beta2, rate2, stepSize, rootScale] = Array.from({ length: 7 }, (_, i) => number(i));
    const { epsilon, weightDecay, type } = optimizer as Extract<OptimizerConfig, { type: 'adam' | 'adamw' }>;
    const shrink = g.op('Sub', [g.constant([1], 'float32', [1]), unshrunk!]);
    return ({ value, slope, decay, moment }) => {
      const decays = decay && weightDecay > 0;
      const d = decays && type === 'adam' ? g.op('Add', [slope, g.op('Mul', [value, l2!])]) : slope;
      const before = moment('m');
      const m = g.op('Add', [before, g.op('Mul', [g.op('Sub', [d, before]), rate1!])]);
      const v = g.op('Add', [g.op('Mul', [moment('v'), beta2!]), g.op('Mul', [g.op('Mul', [d, d]), rate2!])]);
      const root = g.op('Add', [g.op('Mul', [g.op('Sqrt', [v]), rootScale!]), g.constant([epsilon], 'float32', [1])]);
      const kept = decays && type === 'adamw' ? g.op('Mul', [value, shrink]) : value;
      return { value: g.op('Sub', [kept, g.op('Mul', [g.op('Div', [m, root]), stepSize!])]), moments: { m, v } };
    };
  },
  adamWOrt: (g, optimizer, number) => {
    const [beta1, rate1, beta2, rate2, stepSize, decayRate] = Array.from({ length: 6 }, (_, i) => number(i));
    const { epsilon, weightDecay } = optimizer as Extract<OptimizerConfig, { type: 'adam' | 'adamw' }>;
    return ({ value, slope, decay, moment }) => {
      const m = g.op('Add', [g.op('Mul', [moment('m'), beta1!]), g.op('Mul', [slope, rate1!])]);
      const v = g.op('Add', [g.op('Mul', [moment('v'), beta2!]), g.op('Mul', [g.op('Mul', [slope, slope]), rate2!])]);
      const root = g.op('Add', [g.op('Sqrt', [v]), g.constant([epsilon], 'float32', [1])]);
      const stepped = g.op('Sub', [value, g.op('Div', [g.op('Mul', [m, stepSize!]), root])]);
      if (!decay || weightDecay === 0) return { value: stepped, moments: { m, v } };
      return { value: g.op('Sub', [stepped, g.op('Mul', [stepped, decayRate!])]), moments: { m, v } };
    };
  },
  sgd: (g, optimizer, number) => {
    const [l2, keep, take, rate] = Array.from({ length: 4 }, (_, i) => number(i));
    const { momentum, nesterov, weightDecay } = optimizer as Extract<OptimizerConfig, { type: 'sgd' }>;
    return ({ value, slope, decay, moment }) => {
      const d = decay && weightDecay > 0 ? g.op('Add', [slope, g.op('Mul', [value, l2!])]) : slope;
      if (momentum === 0) return { value: g.op('Sub', [value, g.op('Mul', [d, rate!])]), moments: {} };
      const m = g.op('Add', [g.op('Mul', [moment('m'), keep!]), g.op('Mul', [d, take!])]);
      const ahead = nesterov ? g.op('Add', [d, g.op('Mul', [m, g.constant([momentum], 'float32', [1])])]) : m;
      return { value: g.op('Sub', [value, g.op('Mul', [ahead, rate!])]), moments: { m } };
    };
  },
};

function copyGraph(): Model {
  const g = new GraphBuilder({ name: 'copy' });
  g.output('output', g.op('Identity', [g.input('input', 'float32', undefined)]));
  return g.model;
}

function isOrtForm(optimizer: OptimizerConfig): boolean {
  return optimizer.type === 'adamw' && optimizer.form === 'onnxruntime';
}

/** scale · min(1, limit / (‖g‖ + 1e-6)), as PyTorch's clip_grad_norm_ has it. */
function clipped(g: GraphBuilder, scale: Value, norm: Value, limit: number | undefined): Value {
  if (limit === undefined) return scale;
  const one = (value: number): Value => g.constant([value], 'float32', [1]);
  const ratio = g.op('Div', [one(limit), g.op('Add', [norm, one(1e-6)])]);
  return g.op('Mul', [scale, g.op('Min', [ratio, one(1)])]);
}

/** [1] */
function sumOfSquares(g: GraphBuilder, values: readonly Value[]): Value {
  if (values.length === 0) return g.constant([0], 'float32', [1]);
  const squares = values.map((value) => flat(g, g.op('ReduceSumSquare', [value], { keepdims: 0 })));
  return squares.reduce((sum, value) => g.op('Add', [sum, value]));
}

function flat(g: GraphBuilder, value: Value): Value {
  return g.op('Reshape', [value, g.int64s([1])]);
}

function at(g: GraphBuilder, vector: Value, index: number): Value {
  return g.op('Slice', [vector, g.int64s([index]), g.int64s([index + 1])]);
}

function asFloat(g: GraphBuilder, value: Value): Value {
  return g.op('Cast', [value], { to: 1 });
}
