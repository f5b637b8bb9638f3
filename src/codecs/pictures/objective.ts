/**
 * Rate plus λ times distortion, as a graph to be trained: Ballé, Laparra, Simoncelli 2017
 * (arXiv:1611.01704), equation 12, with several λ in one model by a gain for each channel and level
 * (Cui et al. 2021, arXiv:2003.02012).
 */
import { NAMES, perExample, TERMS } from '../../architectures/names.js';
import { GraphBuilder, type Value } from '../../graph/builder.js';
import type { Model } from '../../graph/ir.js';
import { meanOverBatch, sumPerExample } from '../../nn/reduce.js';
import { type ParameterSource, Scope } from '../../nn/scope.js';
import { DOWNSAMPLING, HYPER_DOWNSAMPLING, type LossyConfig } from './config.js';
import { analysis, hyperAnalysis, hyperSynthesis, PIXEL_CHANNELS, synthesis } from './networks.js';

/**
 * What stands for rounding while training. 'noise' adds uniform noise of one step everywhere (Ballé et
 * al. 2017); 'straight-through' rounds and lets gradients pass (Theis et al. 2017, arXiv:1703.00395);
 * 'mixed' counts the rate under noise and lets the decoder see rounded latents (Minnen and Singh 2020,
 * arXiv:2007.08739).
 */
export type Relaxation = 'noise' | 'straight-through' | 'mixed';

/** The scale of index 0 is 2^(-4), and eight steps double it: as the coder's tables have it. */
export const SCALE_STEPS = 8;
export const LEAST_LOG_SCALE = -4;
export const MOST_LOG_SCALE = 8;

/** What a scale costs for each octave outside of the coder's range: it comes back when it matters. */
const BITS_OF_EXCESS = 0.01;
const LAMBDA_OF_STEP_ONE = 7e-5;

export const INPUTS = { pixels: 'pixels', level: 'level', noise: 'noise', hyperNoise: 'hyper_noise' } as const;

export interface LossyObjective {
  /**
   * Inputs `pixels` [N, 3, size, size] in -0.5..0.5, `level` int64 [N], `noise` and, with a hyperprior,
   * `hyper_noise`: uniform in 0..1, of the shapes of the latents and hyper-latents; `kl_weight`, a scalar that
   * the rate is multiplied by. Outputs, means over the batch: `loss`; its parts by the names of a VAE's,
   * `kl` for the rate and `reconstruction` for the weighted distortion, each also for every example;
   * `bits_per_pixel`, `squared_error` in steps of 8-bit values.
   */
  readonly model: Model;
  readonly stopped: readonly string[];
}

/** @param size height and width of the crops, a multiple of 64. */
export function buildLossyObjective(
  config: LossyConfig,
  size: number,
  relaxation: Relaxation,
  source: ParameterSource,
): LossyObjective {
  const g = new GraphBuilder({ name: 'rate_distortion' });
  const scope = new Scope(g, source);
  const { latents, hyperLatents, lambdas, prior } = config;
  const side = size / DOWNSAMPLING;
  const x = g.input(INPUTS.pixels, 'float32', ['N', PIXEL_CHANNELS, size, size]);
  const level = oneHot(g, g.input(INPUTS.level, 'int64', ['N']), lambdas.length);
  const noise = uniformNoise(g, INPUTS.noise, [latents, side, side]);
  const klWeight = g.input(NAMES.klWeight, 'float32', []);

  const gains = levelGains(scope, config, level);
  const y = g.op('Mul', [analysis(scope.at('analysis'), x, config), gains.up]);
  const noisy = g.op('Add', [y, noise]);

  let bits: Value;
  let rounded: Value;
  let pull: Value | undefined;
  if (prior === 'hyperprior') {
    const hyperSide = side / HYPER_DOWNSAMPLING;
    const hyperNoise = uniformNoise(g, INPUTS.hyperNoise, [hyperLatents, hyperSide, hyperSide]);
    const z = hyperAnalysis(scope.at('hyper_analysis'), y, config);
    const noisyZ = g.op('Add', [z, hyperNoise]);
    const roundedZ = roundStraight(scope, z);
    const { mean, logScale } = hyperSynthesis(
      scope.at('hyper_synthesis'),
      relaxation === 'noise' ? noisyZ : roundedZ,
      config,
    );
    const seen = relaxation === 'straight-through' ? y : noisy;
    const off = g.op('Sub', [seen, mean]);
    rounded = g.op('Add', [roundStraight(scope, g.op('Sub', [y, mean])), mean]);
    const counted = relaxation === 'straight-through' ? roundStraight(scope, off) : off;
    const { inverse, excess } = inverseScale(g, logScale);
    pull = g.op('Mul', [excess, g.scalar(BITS_OF_EXCESS)]);
    const yBits = sumPerExample(g, toBits(g, logLogisticMass(g, counted, inverse)));
    const zCounted = relaxation === 'straight-through' ? roundedZ : noisyZ;
    bits = g.op('Add', [yBits, factorisedBits(scope.at('prior'), zCounted, level, config)]);
  } else {
    rounded = roundStraight(scope, y);
    const counted = relaxation === 'straight-through' ? rounded : noisy;
    bits = factorisedBits(scope.at('prior'), counted, level, config);
  }
  const received = g.op('Mul', [relaxation === 'noise' ? noisy : rounded, gains.down]);
  const output = synthesis(scope.at('synthesis'), received, config);

  const error = g.op('Sub', [output, x]);
  const squares = sumPerExample(g, g.op('Mul', [error, error]));
  const squaredError = g.op('Mul', [squares, g.scalar(255 ** 2 / (PIXEL_CHANNELS * size * size))]);
  const bitsPerPixel = g.op('Mul', [bits, g.scalar(1 / (size * size))]);
  // High qualities have losses many times those of low ones and would have all the say.
  const perLevel = (values: number[]): Value =>
    g.op('Reshape', [
      g.op('MatMul', [level, g.constant(Float32Array.from(values), 'float32', [values.length, 1])]),
      g.int64s([-1]),
    ]);
  const rate = pull ? g.op('Mul', [g.op('Add', [bits, pull]), g.scalar(1 / (size * size))]) : bitsPerPixel;
  const middle = lambdas[Math.floor(lambdas.length / 2)]!;
  const share = perLevel(lambdas.map((lambda) => Math.sqrt(middle / lambda)));
  const kl = g.op('Mul', [rate, share]);
  const reconstruction = g.op('Mul', [g.op('Mul', [squaredError, perLevel([...lambdas])]), share]);
  const loss = g.op('Add', [reconstruction, g.op('Mul', [kl, klWeight])]);
  const terms = { loss, reconstruction, kl };
  for (const term of TERMS) {
    g.output(term, meanOverBatch(g, terms[term]));
    g.output(perExample(term), terms[term]);
  }
  g.output('bits_per_pixel', meanOverBatch(g, bitsPerPixel));
  g.output('squared_error', meanOverBatch(g, squaredError));
  return { model: g.model, stopped: scope.stopped };
}

/** [N, count] with a single 1 in each row. */
function oneHot(g: GraphBuilder, index: Value, count: number): Value {
  const all = g.int64s(Array.from({ length: count }, (_, level) => level));
  return g.op('Cast', [g.op('Equal', [g.op('Unsqueeze', [index, g.int64s([-1])]), all])], { to: 'float32' });
}

/** Uniform in ±0.5, of an input that is uniform in 0..1. */
function uniformNoise(g: GraphBuilder, name: string, shape: readonly number[]): Value {
  return g.op('Sub', [g.input(name, 'float32', ['N', ...shape]), g.scalar(0.5)]);
}

/** Names of the parameters that a codec needs outside of the networks. */
export const gainName = (direction: 'up' | 'down', level: number): string => `gain.${direction}.${level}`;
export const PRIOR_PARTS = ['logits', 'means', 'log_scales'] as const;
export const priorName = (part: (typeof PRIOR_PARTS)[number]): string => `prior.${part}`;

/** What latents are multiplied by before rounding and after, [N, latents, 1, 1]: e to the trained values. */
function levelGains(scope: Scope, { lambdas, latents }: LossyConfig, level: Value): { up: Value; down: Value } {
  const { g } = scope;
  const make = (direction: 'up' | 'down'): Value => {
    const rows = lambdas.map((lambda, index) => {
      // The best step is proportional to 1/√λ where bits are many: about a twelfth of the range for 0.01.
      const start = (direction === 'up' ? 0.5 : -0.5) * Math.log(lambda / LAMBDA_OF_STEP_ONE);
      const row = scope
        .at('gain')
        .at(direction)
        .parameter(String(index), [latents], { kind: 'constant', value: start }, { decay: false });
      return g.op('Unsqueeze', [row, g.int64s([0])]);
    });
    const table = rows.length === 1 ? rows[0]! : g.op('Concat', rows, { axis: 0 });
    const own = g.op('Exp', [g.op('MatMul', [level, table])]);
    return g.op('Reshape', [own, g.int64s([-1, latents, 1, 1])]);
  };
  return { up: make('up'), down: make('down') };
}

/** -log2 of the probability of each value, summed over each example. */
function factorisedBits(scope: Scope, values: Value, level: Value, config: LossyConfig): Value {
  const { g } = scope;
  const { components, lambdas } = config;
  const channels = values.shape![1] as number;
  const spatial = values.shape!.slice(2) as number[];
  const size = spatial.reduce((product, dim) => product * dim, 1);
  const part = (name: (typeof PRIOR_PARTS)[number], std: number, mean = 0): Value => {
    const all = scope.parameter(
      name,
      [lambdas.length, channels * components],
      { kind: 'normal', std, mean },
      { decay: false },
    );
    return g.op('Reshape', [g.op('MatMul', [level, all]), g.int64s([-1, channels, components, 1])]);
  };
  const logWeights = g.op('LogSoftmax', [part('logits', 0.1)], { axis: 2 });
  const means = part('means', 2);
  const inverse = g.op('Exp', [g.op('Neg', [part('log_scales', 0.3, 0.7)])]);
  const spread = g.op('Reshape', [values, g.int64s([-1, channels, 1, size])]);
  const mass = logLogisticMass(g, g.op('Sub', [spread, means]), inverse);
  const mixed = g.op('ReduceLogSumExp', [g.op('Add', [mass, logWeights]), g.int64s([2])], { keepdims: 0 });
  return sumPerExample(g, toBits(g, mixed));
}

/**
 * log of the mass of a logistic around 0 within half a step of x: S(a) S(−b) (1 − exp(b − a)), with a and
 * b the scaled distances of x ± ½, keeps its precision, and a gradient, however far out x is.
 */
function logLogisticMass(g: GraphBuilder, x: Value, inverse: Value): Value {
  const distance = g.op('Abs', [x]);
  const upper = g.op('Mul', [g.op('Add', [distance, g.scalar(0.5)]), inverse]);
  const lower = g.op('Mul', [g.op('Sub', [distance, g.scalar(0.5)]), inverse]);
  const outside = g.op('Add', [g.op('Softplus', [g.op('Neg', [upper])]), g.op('Softplus', [lower])]);
  const width = g.op('Log', [g.op('Sub', [g.scalar(1 + 1e-7), g.op('Exp', [g.op('Neg', [inverse])])])]);
  return g.op('Sub', [width, outside]);
}

function toBits(g: GraphBuilder, logProbability: Value): Value {
  return g.op('Mul', [logProbability, g.scalar(-1 / Math.LN2)]);
}

/**
 * 2^-logScale within the coder's range, and how far outside of it the scales are, summed over each
 * example. Gradients end with the range: the rate alone would drive the scales of the many latents that
 * are always 0 down for ever, and the hidden layers they share with those that are not.
 */
function inverseScale(g: GraphBuilder, logScale: Value): { inverse: Value; excess: Value } {
  const clipped = g.op('Clip', [logScale, g.scalar(LEAST_LOG_SCALE), g.scalar(MOST_LOG_SCALE)]);
  return {
    inverse: g.op('Exp', [g.op('Mul', [clipped, g.scalar(-Math.LN2)])]),
    excess: sumPerExample(g, g.op('Abs', [g.op('Sub', [logScale, clipped])])),
  };
}

/** Rounds forwards; backwards it is not there. */
function roundStraight(scope: Scope, x: Value): Value {
  return straightThrough(scope, x, scope.g.op('Round', [x]));
}

function straightThrough(scope: Scope, x: Value, instead: Value): Value {
  const { g } = scope;
  return g.op('Add', [x, scope.stopGradient(g.op('Sub', [instead, x]))]);
}
