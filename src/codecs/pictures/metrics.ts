/** How near a picture is to its original: PSNR and MS-SSIM. */
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import { psnrOfError } from '../../data/image/psnr.js';
import { GraphBuilder, type Value } from '../../graph/builder.js';
import { type Model, writeModel } from '../../graph/index.js';
import { GraphSession } from '../../inference/sessions/session.js';
import type { Picture } from './picture.js';

/** Exponents of the five scales, and the window and constants of Wang, Simoncelli and Bovik 2003. */
const EXPONENTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
const WINDOW = 11;
const SIGMA = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;
/** Below this the smallest scale has no window left. */
const LEAST_MS_SSIM_SIDE = WINDOW * 2 ** (EXPONENTS.length - 1);

export interface PictureQuality {
  /** Peak signal-to-noise ratio over all channels in decibels; Infinity for equal pictures. */
  readonly psnr: number;
  /** Multi-scale structural similarity, mean over channels, 0..1; undefined below 176 pixels a side. */
  readonly msSsim: number | undefined;
}

/** Compares pictures; the filters of MS-SSIM run off the JavaScript thread. */
export class PictureMetrics implements AsyncDisposable {
  #session: Promise<GraphSession> | undefined;
  readonly #lifetime = new Lifetime('PictureMetrics');

  /** @throws VaeError ERR_VAE_SHAPE unless both have the same size and channels. */
  compare(original: Picture, other: Picture): Promise<PictureQuality> {
    return this.#lifetime.run(async () => {
      const { width, height, channels } = original;
      if (width !== other.width || height !== other.height || channels !== other.channels) {
        throw new VaeError(
          'ERR_VAE_SHAPE',
          `PictureMetrics: expected two pictures of one size, received ${width} × ${height} × ${channels} and ${other.width} × ${other.height} × ${other.channels}.`,
        );
      }
      let squares = 0;
      for (let at = 0; at < original.data.length; at += 1) squares += (original.data[at]! - other.data[at]!) ** 2;
      const psnr = psnrOfError(squares / original.data.length, 255);
      if (Math.min(width, height) < LEAST_MS_SSIM_SIDE) return { psnr, msSsim: undefined };
      this.#session ??= GraphSession.open(writeModel(buildMsSsim()), 'ms_ssim');
      const dims = [channels, 1, height, width];
      const feeds = {
        a: { dtype: 'float32' as const, dims, data: planes(original) },
        b: { dtype: 'float32' as const, dims, data: planes(other) },
      };
      const [result] = await (await this.#session).run(feeds, [{ name: 'ms_ssim' }]);
      return { psnr, msSsim: (result!.data as Float32Array)[0]! };
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await (await this.#session)?.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function planes({ data, width, height, channels }: Picture): Float32Array {
  const result = new Float32Array(data.length);
  const plane = width * height;
  for (let at = 0; at < plane; at += 1) {
    for (let channel = 0; channel < channels; channel += 1)
      result[channel * plane + at] = data[at * channels + channel]!;
  }
  return result;
}

/** `a` and `b`, [channels, 1, height, width] in 0..255, to `ms_ssim`, one value: equation 7 of the paper. */
function buildMsSsim(): Model {
  const g = new GraphBuilder({ name: 'ms_ssim' });
  let a = g.input('a', 'float32', ['C', 1, 'height', 'width']);
  let b = g.input('b', 'float32', ['C', 1, 'height', 'width']);
  const factors: Value[] = [];
  for (const [scale, exponent] of EXPONENTS.entries()) {
    const last = scale === EXPONENTS.length - 1;
    const { contrast, similarity } = ssim(g, a, b);
    // A negative mean has no real power; such pictures have nothing in common.
    const positive = g.op('Relu', [g.op('ReduceMean', [last ? similarity : contrast, g.int64s([1, 2, 3])])]);
    factors.push(g.op('Pow', [positive, g.scalar(exponent)]));
    if (!last) [a, b] = [halve(g, a), halve(g, b)];
  }
  const product = factors.reduce((left, right) => g.op('Mul', [left, right]));
  g.output('ms_ssim', g.op('ReduceMean', [product], { keepdims: 0 }));
  return g.model;
}

/** Equations 2 to 6: contrast and structure, and the same times luminance, at every place. */
function ssim(g: GraphBuilder, a: Value, b: Value): { contrast: Value; similarity: Value } {
  const mul = (x: Value, y: Value): Value => g.op('Mul', [x, y]);
  const [meanA, meanB] = [blur(g, a), blur(g, b)];
  const [aa, bb, ab] = [mul(meanA, meanA), mul(meanB, meanB), mul(meanA, meanB)];
  const varianceA = g.op('Sub', [blur(g, mul(a, a)), aa]);
  const varianceB = g.op('Sub', [blur(g, mul(b, b)), bb]);
  const covariance = g.op('Sub', [blur(g, mul(a, b)), ab]);
  const ratio = (double: Value, sum: Value, constant: number): Value =>
    g.op('Div', [g.op('Add', [mul(double, g.scalar(2)), g.scalar(constant)]), g.op('Add', [sum, g.scalar(constant)])]);
  const contrast = ratio(covariance, g.op('Add', [varianceA, varianceB]), C2);
  const luminance = ratio(ab, g.op('Add', [aa, bb]), C1);
  return { contrast, similarity: mul(contrast, luminance) };
}

/** A Gaussian window, without what would reach beyond the edge. */
function blur(g: GraphBuilder, x: Value): Value {
  const weights = Float32Array.from({ length: WINDOW }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * SIGMA ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const normal = weights.map((weight) => weight / total);
  const down = g.constant(normal, 'float32', [1, 1, WINDOW, 1]);
  const across = g.constant(normal, 'float32', [1, 1, 1, WINDOW]);
  const rows = g.op('Conv', [x, down], { kernel_shape: [WINDOW, 1] });
  return g.op('Conv', [rows, across], { kernel_shape: [1, WINDOW] });
}

function halve(g: GraphBuilder, x: Value): Value {
  return g.op('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
}
