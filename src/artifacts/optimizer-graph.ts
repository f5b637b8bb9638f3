/**
 * One optimizer step as a graph of standard operators: the specification of the fused native
 * optimizers, and what runs where there is none.
 */
import { GraphBuilder, type Value } from '../graph/builder.js';
import type { Model } from '../graph/ir.js';
import type { OptimizerConfig } from './optimizer-options.js';

export interface OptimizedParameter {
  readonly name: string;
  readonly dims: readonly number[];
  /** Whether weight decay applies. */
  readonly decay: boolean;
}

export interface OptimizerGraphOptions {
  readonly optimizer: OptimizerConfig;
  /** Largest global L2 norm of the gradient; larger ones are scaled down to it. */
  readonly clipGradientNorm?: number;
}

/**
 * Inputs: `learning_rate` and `step` (the number of this step, from 1; float32 scalars), and for each
 * parameter P: `P`, `P_grad`, `P_moment1` and, for Adam, `P_moment2`. Outputs: `P_out`,
 * `P_moment1_out`, `P_moment2_out`. All float32.
 */
export function buildOptimizer(parameters: readonly OptimizedParameter[], options: OptimizerGraphOptions): Model {
  const g = new GraphBuilder({ name: 'optimizer' });
  const learningRate = g.input('learning_rate', 'float32', []);
  const step = g.input('step', 'float32', []);
  const slots = parameters.map((parameter) => ({
    parameter,
    value: g.input(parameter.name, 'float32', parameter.dims),
    gradient: g.input(`${parameter.name}_grad`, 'float32', parameter.dims),
  }));
  const scale = clipScale(
    g,
    slots.map(({ gradient }) => gradient),
    options.clipGradientNorm,
  );
  const update = updateRule(g, options.optimizer, learningRate, step);
  for (const { parameter, value, gradient } of slots) {
    const moment = (index: 1 | 2): Value => g.input(`${parameter.name}_moment${index}`, 'float32', parameter.dims);
    const clipped = scale ? g.op('Mul', [gradient, scale]) : gradient;
    const result = update({ value, gradient: clipped, moment, decay: parameter.decay });
    g.output(`${parameter.name}_out`, result.value);
    for (const [index, next] of result.moments.entries()) g.output(`${parameter.name}_moment${index + 1}_out`, next);
  }
  return g.model;
}

/** min(1, max / (‖g‖ + 1e-6)) over all gradients, as PyTorch's clip_grad_norm_ has it. */
function clipScale(g: GraphBuilder, gradients: readonly Value[], limit: number | undefined): Value | undefined {
  if (limit === undefined || gradients.length === 0) return undefined;
  const squares = gradients.map((gradient) => g.op('ReduceSumSquare', [gradient], { keepdims: 0 }));
  const norm = g.op('Sqrt', [squares.length === 1 ? squares[0]! : g.op('Sum', squares)]);
  const ratio = g.op('Div', [g.scalar(limit), g.op('Add', [norm, g.scalar(1e-6)])]);
  return g.op('Min', [ratio, g.scalar(1)]);
}

interface StepInput {
  readonly value: Value;
  readonly gradient: Value;
  readonly decay: boolean;
  moment(index: 1 | 2): Value;
}

type UpdateRule = (input: StepInput) => { readonly value: Value; readonly moments: readonly Value[] };

function updateRule(g: GraphBuilder, optimizer: OptimizerConfig, learningRate: Value, step: Value): UpdateRule {
  return optimizer.type === 'sgd' ? sgd(g, optimizer, learningRate, step) : adam(g, optimizer, learningRate, step);
}

/**
 * Kingma and Ba (2015), algorithm 1; with `adamw`, Loshchilov and Hutter (2019), algorithm 2, in PyTorch's form or in
 * that of ONNX Runtime's AdamWOptimizer (adam_mode 1).
 */
function adam(
  g: GraphBuilder,
  optimizer: Extract<OptimizerConfig, { type: 'adam' | 'adamw' }>,
  learningRate: Value,
  step: Value,
): UpdateRule {
  const { beta1, beta2, epsilon, weightDecay } = optimizer;
  const corrects = optimizer.type === 'adam' || optimizer.biasCorrection !== false;
  // 1 − βᵗ in double: in float32 it loses half its digits for β near 1.
  const correction = (beta: number): Value => {
    const power = g.op('Pow', [g.scalar(beta, 'float64'), g.op('Cast', [step], { to: 11 })]);
    return g.op('Sub', [g.scalar(1, 'float64'), power]);
  };
  const toFloat = (x: Value): Value => g.op('Cast', [x], { to: 1 });
  const stepSize = corrects ? g.op('Div', [learningRate, toFloat(correction(beta1))]) : learningRate;
  const rootCorrection = corrects ? toFloat(g.op('Sqrt', [correction(beta2)])) : g.scalar(1);
  if (optimizer.type === 'adamw' && optimizer.form === 'onnxruntime') {
    const wholeStep = g.op('Mul', [stepSize, rootCorrection]);
    return ({ value, gradient, decay, moment }) => {
      const first = blend(g, moment(1), gradient, beta1);
      const second = blend(g, moment(2), g.op('Mul', [gradient, gradient]), beta2);
      const deviation = g.op('Add', [g.op('Sqrt', [second]), g.scalar(epsilon)]);
      const stepped = g.op('Sub', [value, g.op('Div', [g.op('Mul', [wholeStep, first]), deviation])]);
      if (!decay || weightDecay === 0) return { value: stepped, moments: [first, second] };
      const shrink = g.op('Mul', [g.op('Mul', [learningRate, g.scalar(weightDecay)]), stepped]);
      return { value: g.op('Sub', [stepped, shrink]), moments: [first, second] };
    };
  }
  return ({ value, gradient, decay, moment }) => {
    const decays = decay && weightDecay > 0;
    const coupled = decays && optimizer.type === 'adam';
    const slope = coupled ? g.op('Add', [gradient, g.op('Mul', [value, g.scalar(weightDecay)])]) : gradient;
    const first = blend(g, moment(1), slope, beta1);
    const second = blend(g, moment(2), g.op('Mul', [slope, slope]), beta2);
    const deviation = g.op('Add', [g.op('Div', [g.op('Sqrt', [second]), rootCorrection]), g.scalar(epsilon)]);
    const shrunk =
      decays && !coupled
        ? g.op('Mul', [value, g.op('Sub', [g.scalar(1), g.op('Mul', [learningRate, g.scalar(weightDecay)])])])
        : value;
    const next = g.op('Sub', [shrunk, g.op('Mul', [stepSize, g.op('Div', [first, deviation])])]);
    return { value: next, moments: [first, second] };
  };
}

/** Momentum as PyTorch has it: the buffer starts as the first gradient (Sutskever et al. 2013 for Nesterov). */
function sgd(
  g: GraphBuilder,
  { momentum, dampening, nesterov, weightDecay }: Extract<OptimizerConfig, { type: 'sgd' }>,
  learningRate: Value,
  step: Value,
): UpdateRule {
  const isFirst = momentum > 0 ? g.op('Equal', [step, g.scalar(1)]) : undefined;
  return ({ value, gradient, decay, moment }) => {
    const slope =
      decay && weightDecay > 0 ? g.op('Add', [gradient, g.op('Mul', [value, g.scalar(weightDecay)])]) : gradient;
    const buffer = moment(1);
    if (isFirst === undefined) {
      return { value: g.op('Sub', [value, g.op('Mul', [slope, learningRate])]), moments: [buffer] };
    }
    const scaled = g.op('Mul', [slope, g.scalar(1 - dampening)]);
    const rolled = g.op('Add', [g.op('Mul', [buffer, g.scalar(momentum)]), scaled]);
    const next = g.op('Where', [isFirst, slope, rolled]);
    const direction = nesterov ? g.op('Add', [slope, g.op('Mul', [next, g.scalar(momentum)])]) : next;
    return { value: g.op('Sub', [value, g.op('Mul', [direction, learningRate])]), moments: [next] };
  };
}

/** β a + (1 − β) b. */
function blend(g: GraphBuilder, a: Value, b: Value, beta: number): Value {
  return g.op('Add', [g.op('Mul', [a, g.scalar(beta)]), g.op('Mul', [b, g.scalar(1 - beta)])]);
}
