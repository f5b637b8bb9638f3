/**
 * The transforms of lossy compression as graph fragments: analysis and synthesis with divisive
 * normalisation (Ballé, Laparra, Simoncelli 2017), and the hyperprior's pair (Minnen et al. 2018).
 */
import type { Value } from '../../graph/builder.js';
import { channelsOf } from '../../nn/convolution.js';
import { type Initializer, ONES, ZEROS } from '../../nn/initializers.js';
import type { Scope } from '../../nn/scope.js';
import type { LossyConfig } from './config.js';

/** Pixels have three channels in the networks; grey ones are three times the same. */
export const PIXEL_CHANNELS = 3;

/** Pixels [N, 3, H, W] in -0.5..0.5, H and W multiples of 16, to latents [N, latents, H/16, W/16]. */
export function analysis(scope: Scope, x: Value, { widths, latents }: LossyConfig): Value {
  let value = x;
  for (const [index, width] of widths.entries()) {
    const layer = scope.at(index);
    value = normalise(layer.at('norm'), halve(layer, value, width), 'divide');
  }
  return halve(scope.at(widths.length), value, latents);
}

/** The way back: latents [N, latents, h, w] to pixels [N, 3, 16h, 16w]. */
export function synthesis(scope: Scope, y: Value, { widths }: LossyConfig): Value {
  let value = y;
  for (const [index, width] of [...widths].reverse().entries()) {
    const layer = scope.at(index);
    value = normalise(layer.at('norm'), double(layer, value, width), 'multiply');
  }
  return double(scope.at(widths.length), value, PIXEL_CHANNELS);
}

/** Latents to hyper-latents [N, hyperLatents, ⌈h/4⌉, ⌈w/4⌉]. */
export function hyperAnalysis(scope: Scope, y: Value, { hyperWidth, hyperLatents }: LossyConfig): Value {
  const { g } = scope;
  // Latents differ by a thousand times, and their scales, which this is to tell, are a matter of ratios.
  const first = g.op('Relu', [conv(scope.at(0), g.op('Asinh', [y]), hyperWidth, 3, 1, 1)]);
  const second = g.op('Relu', [conv(scope.at(1), first, hyperWidth, 3, 2, 1)]);
  return conv(scope.at(2), second, hyperLatents, 3, 2, 1);
}

/**
 * Integers [N, hyperLatents, h, w] to means and log2 of the scales of the latents, each [N, latents,
 * 4h, 4w]. These layers are the ones that run in integers when a picture is coded.
 */
export function hyperSynthesis(scope: Scope, z: Value, config: LossyConfig): { mean: Value; logScale: Value } {
  const { g } = scope;
  const { hyperWidth, latents } = config;
  const doubled = (layer: Scope, x: Value): Value =>
    g.op('Relu', [g.op('DepthToSpace', [conv(layer, x, 4 * hyperWidth, 3, 1, 1)], { blocksize: 2, mode: 'DCR' })]);
  const value = doubled(scope.at(1), doubled(scope.at(0), z));
  const heads = conv(scope.at(2), value, 2 * latents, 1, 1, 0);
  const [mean, logScale] = g.ops('Split', [heads, g.int64s([latents, latents])], { axis: 1 }, { outputs: 2 });
  return { mean: mean!, logScale: logScale! };
}

/** Half the height and width; a 4 × 4 kernel covers every pixel alike. */
function halve(scope: Scope, x: Value, outputs: number): Value {
  return conv(scope, x, outputs, 4, 2, 1);
}

function double(scope: Scope, x: Value, outputs: number): Value {
  const inputs = channelsOf(x);
  // Every output is made of four of the kernel's places.
  const weight = scope.parameter('weight', [inputs, outputs, 4, 4], keepingSize(inputs * 4));
  const bias = scope.parameter('bias', [outputs], ZEROS, { decay: false });
  const attributes = { kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] };
  return scope.g.op('ConvTranspose', [x, weight, bias], attributes, { name: scope.name('conv') });
}

function conv(scope: Scope, x: Value, outputs: number, kernel: number, stride: number, padding: number): Value {
  const inputs = channelsOf(x);
  const weight = scope.parameter('weight', [outputs, inputs, kernel, kernel], keepingSize(inputs * kernel ** 2));
  const bias = scope.parameter('bias', [outputs], ZEROS, { decay: false });
  return scope.g.op(
    'Conv',
    [x, weight, bias],
    {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
    },
    { name: scope.name('conv') },
  );
}

/** Keeps the variance of what goes through: the transforms begin near a rotation of the pixels. */
function keepingSize(fanIn: number): Initializer {
  return { kind: 'uniform', bound: Math.sqrt(3 / fanIn) };
}

/** Weights that count squared, so that they never become negative; small, so that normalisation begins as none. */
const ROOTS: Initializer = { kind: 'uniform', bound: 0.03 };

/**
 * Divisive normalisation over channels, y = x / (β + γ·|x|), and its approximate inverse, which
 * multiplies: the form without powers (Johnston et al. 2019, arXiv:1912.08771, section 3.3).
 */
function normalise(scope: Scope, x: Value, how: 'divide' | 'multiply'): Value {
  const { g } = scope;
  const channels = channelsOf(x);
  const root = scope.parameter('gamma', [channels, channels, 1, 1], ROOTS, { decay: false });
  const shift = scope.parameter('beta', [channels], ONES, { decay: false });
  const gamma = g.op('Mul', [root, root]);
  const beta = g.op('Add', [g.op('Mul', [shift, shift]), g.scalar(1e-3)]);
  const norm = g.op('Conv', [g.op('Abs', [x]), gamma, beta], { kernel_shape: [1, 1] });
  return g.op(how === 'divide' ? 'Div' : 'Mul', [x, norm]);
}
