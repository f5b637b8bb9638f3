/** Small programs of a stranger's project: each uses the installed package in one way and says what came out. */

export interface ProgramCheck {
  /** Completes the sentence "the package …". */
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** The one of them to run. */
  readonly main: string;
  readonly stdout: string;
}

/** Trains, encodes and decodes: JavaScript, the addon and ONNX Runtime all take part. */
const USE = `
const main = async ({ Vae }) => {
  const vae = await Vae.create({ input: { kind: 'vector', length: 8 }, latentDim: 2, seed: 1 });
  const data = { data: Float32Array.from({ length: 800 }, (_, i) => (i % 13) / 13), shape: [100, 8] };
  const { epochs } = await vae.fit(data, { epochs: 2 });
  const { mean } = await vae.encode(data);
  console.log(epochs.length, (await vae.decode(mean)).dims.join('x'));
  await vae.close();
};
`;
const USED = '2 100x8\n';

const beside = (order: string, first: string, second: string): ProgramCheck => ({
  name: `lives beside a program that loads onnxruntime-node ${order} it`,
  main: `beside-${order}.mjs`,
  files: {
    [`beside-${order}.mjs`]: `${USE} ${first} ${second}
      const ort = (await import('onnxruntime-node')).default; console.log(typeof ort.InferenceSession.create);`,
  },
  stdout: `${USED}function\n`,
});
const LOAD_ORT = `await import('onnxruntime-node');`;
const LOAD_VAE = `await main(await import('node-vae'));`;

export const PROGRAMS: readonly ProgramCheck[] = [
  {
    name: 'is imported',
    main: 'import.mjs',
    files: { 'import.mjs': `import * as library from 'node-vae';${USE} await main(library);` },
    stdout: USED,
  },
  {
    name: 'is required',
    main: 'require.cjs',
    files: { 'require.cjs': `${USE} main(require('node-vae'));` },
    stdout: USED,
  },
  {
    name: 'runs in worker threads',
    main: 'workers.mjs',
    files: {
      'workers.mjs': `import { Worker, isMainThread } from 'node:worker_threads'; import * as library from 'node-vae';${USE}
        if (isMainThread) for (let i = 0; i < 2; i += 1) new Worker(new URL(import.meta.url)); else await main(library);`,
    },
    stdout: USED + USED,
  },
  {
    name: 'opens a model that it brings',
    main: 'model.mjs',
    files: {
      'model.mjs': `import { Vae } from 'node-vae';
        const vae = await Vae.load('mnist-mlp');
        console.log((await vae.sample(2, { seed: 1 })).dims.join('x'));
        await vae.close();`,
    },
    stdout: '2x1x28x28\n',
  },
  {
    name: 'draws pictures',
    main: 'picture.mjs',
    files: {
      'picture.mjs': `import { imageGrid } from 'node-vae/report';
        const images = { data: Float32Array.from({ length: 64 }, (_, i) => i / 64), shape: [4, 1, 4, 4] };
        const png = await imageGrid(images);
        console.log(Buffer.from(png.subarray(1, 4)).toString());`,
    },
    stdout: 'PNG\n',
  },
];

/** Two that need onnxruntime-node to be visible from the project, as npm puts it and pnpm does not. */
export const BESIDE: readonly ProgramCheck[] = [
  beside('before', LOAD_ORT, LOAD_VAE),
  beside('after', LOAD_VAE, LOAD_ORT),
];

/** Bundled by esbuild with the package external, in both module formats; `bundle` makes what `main` runs. */
export const BUNDLES = (['esm', 'cjs'] as const).map((format) => ({
  name: `is bundled as ${format}, itself external`,
  format,
  source: 'bundle-source.mjs',
  main: `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`,
  code: `import * as library from 'node-vae';${USE} main(library);`,
  stdout: USED,
}));

/** A program in TypeScript that touches every entry of the package, to be compiled under strict settings. */
export const TYPED_PROGRAM = `
import { Tensor } from 'onnxruntime-common';
import { Vae, VaeError, type Scores, type VaeOptions } from 'node-vae';
import { decompress } from 'node-vae/codec';
import { type GradientRule, registerGradient } from 'node-vae/grad';
import { GraphBuilder, writeModel } from 'node-vae/graph';
import { imageGrid } from 'node-vae/report';

export async function use(options: VaeOptions, signal: AbortSignal): Promise<Scores> {
  const vae = await Vae.create(options);
  try {
    for await (const progress of vae.fit({ data: new Float32Array(8), shape: [1, 8] }, { epochs: 1, signal })) {
      if (progress.kind === 'epoch') console.log(progress.train.loss.toFixed(2));
    }
    const { mean } = await vae.encode(new Tensor('float32', new Float32Array(8), [1, 8]));
    const decoded: Tensor = await vae.decode(mean, { signal });
    return await vae.score(decoded);
  } catch (error) {
    if (error instanceof VaeError && error.code === 'ERR_VAE_OPTION') console.error(error.message);
    throw error;
  } finally {
    await vae.close();
  }
}

const same: GradientRule = (context) => [context.gradient()];
registerGradient('Same', same, 'my.domain');
const g = new GraphBuilder({ name: 'g' });
g.output('y', g.op('Neg', [g.input('x', 'float32', ['N'])]));
export const bytes: Uint8Array = writeModel(g.model);
export const unpack: (path: string) => Promise<unknown> = (path) => decompress(path, { output: 'out' });
export const grid: (images: { data: Uint8Array; shape: number[] }) => Promise<Uint8Array> = imageGrid;
`;

export const TYPED_SETTINGS = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
};
