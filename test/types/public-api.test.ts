/** Types that programs rely on. `tsc` checks them with the rest; vitest only runs the file. */
import type { Tensor } from 'onnxruntime-common';
import { expectTypeOf, test } from 'vitest';
import {
  type FitOptions,
  type FromOnnxOptions,
  type History,
  type OptimizerInput,
  type TensorLike,
  Vae,
  type VaeError,
  type VaeErrorCode,
  type VaeOptions,
} from '../../src/index.js';

/** Never run: only its types matter. */
const typesOf = (_: () => unknown): void => {};
declare const vae: Vae;
declare const rows: { data: Float32Array; shape: number[] };

test('results have exact types', () => {
  typesOf(async () => {
    expectTypeOf(await Vae.create({ input: { kind: 'vector', length: 8 } })).toEqualTypeOf<Vae>();
    const encoding = await vae.encode(rows);
    expectTypeOf(encoding.mean).toEqualTypeOf<Tensor>();
    expectTypeOf(encoding.logVariance).toEqualTypeOf<Tensor>();
    expectTypeOf(await vae.decode(encoding.mean)).toEqualTypeOf<Tensor>();
    expectTypeOf(await vae.sample(3, { seed: 1 })).toEqualTypeOf<Tensor>();
    expectTypeOf((await vae.score(rows)).elbo).toEqualTypeOf<Float32Array>();
    expectTypeOf(await vae.fit(rows)).toEqualTypeOf<History>();
    expectTypeOf(vae.close()).toEqualTypeOf<Promise<void>>();
    for await (const progress of vae.fit(rows)) {
      // One member of the union for each kind.
      if (progress.kind === 'epoch') expectTypeOf(progress.train.loss).toEqualTypeOf<number>();
      if (progress.kind === 'step') expectTypeOf(progress.learningRate).toEqualTypeOf<number>();
    }
  });
});

test('tensors of onnxruntime-common and arrays with a shape are taken alike', () => {
  expectTypeOf<Tensor>().toExtend<TensorLike>();
  expectTypeOf<{ data: Float32Array; shape: readonly number[] }>().toExtend<TensorLike>();
  expectTypeOf<Float32Array>().not.toExtend<TensorLike>();
  expectTypeOf<number[][]>().not.toExtend<TensorLike>();
});

test('mistakes do not compile', () => {
  typesOf(() => {
    // @ts-expect-error: a model needs to know what one example is
    Vae.create({ latentDim: 2 });
    // @ts-expect-error: misspelt
    Vae.create({ input: { kind: 'vector', length: 8 }, latentDims: 2 });
    // @ts-expect-error: no such kind of input
    Vae.create({ input: { kind: 'vektor', length: 8 } });
    // @ts-expect-error: no such likelihood
    Vae.create({ input: { kind: 'vector', length: 8 }, likelihood: 'bernouli' });
    // @ts-expect-error: options are an object
    vae.fit(rows, 10);
    // @ts-expect-error: a count comes first
    vae.sample({ seed: 1 });
    // @ts-expect-error: results are read-only
    vae.info.latentDim = 3;
  });
});

/** Options of every kind with arrays and objects inside, as a settings file in TypeScript has them. */
const WHOLE = {
  input: { kind: 'image', height: 28, width: 28 },
  architecture: { type: 'mlp', hidden: [400, 200] },
  likelihood: { type: 'gaussian', variance: 0.1 },
  posterior: { type: 'gaussian' },
  prior: { type: 'standard' },
  objective: { type: 'elbo' },
  condition: { classes: 10 },
} as const;
const TRAINING = {
  epochs: 3,
  learningRate: { type: 'cosine', from: 1e-3, to: 1e-5 },
  checkpoint: { directory: 'run', keep: 2 },
  earlyStopping: { patience: 3 },
  log: { jsonLines: 'metrics.jsonl' },
} as const;

test('options are read-only, errors have their codes', () => {
  const image = { kind: 'image', height: 28, width: 28 } as const;
  expectTypeOf({ input: image, likelihood: 'bernoulli', seed: 7 } as const).toExtend<VaeOptions>();
  expectTypeOf<{ readonly epochs: 3; readonly validation: typeof rows }>().toExtend<FitOptions<typeof rows>>();
  expectTypeOf(WHOLE).toExtend<VaeOptions>();
  expectTypeOf(TRAINING).toExtend<FitOptions<typeof rows>>();
  expectTypeOf({
    encoder: 'e.onnx',
    decoder: 'd.onnx',
    freeze: ['*.bias', /^norm/],
  } as const).toExtend<FromOnnxOptions>();
  expectTypeOf({ type: 'adam', learningRate: 1e-3 } as const).toExtend<OptimizerInput>();
  expectTypeOf<VaeError['code']>().toEqualTypeOf<VaeErrorCode>();
  expectTypeOf<'ERR_VAE_SHAPE'>().toExtend<VaeErrorCode>();
  expectTypeOf<'ERR_VAE_SHAPES'>().not.toExtend<VaeErrorCode>();
  expectTypeOf<VaeError>().toExtend<Error>();
});
