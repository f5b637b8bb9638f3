/** Native kernels against the standard graph that they stand in for. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { KERNEL_DOMAIN, withNativeKernels } from '../../src/artifacts/native-kernels.js';
import type { Model } from '../../src/graph/index.js';
import { readModel, writeModel } from '../../src/graph/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { distance, KERNEL_GRAPHS, type KernelGraph, prepare, runGradients } from './fixtures/kernel-graphs.js';

/** Rounding of sums of a few thousand float32 products, added in another order. */
const TOLERANCE = 5e-6;

const graph = (name: string): KernelGraph => KERNEL_GRAPHS.find((one) => one.name.includes(name))!;

function counts(model: Model): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { op } of model.graph.nodes) found[op] = (found[op] ?? 0) + 1;
  return found;
}

describe.each(KERNEL_GRAPHS)('$name', (one) => {
  test('gives the loss and the gradients of the standard graph', async () => {
    const prepared = prepare(one);
    const native = await runGradients(prepared, { kernels: true });
    const standard = await runGradients(prepared, { kernels: false });
    expect(Math.abs(native.loss - standard.loss)).toBeLessThan(TOLERANCE * Math.max(1, Math.abs(standard.loss)) * 10);
    expect(distance(prepared.artifacts, native.gradient, standard.gradient)).toBeLessThan(TOLERANCE);
  });

  test('is run by kernels, and written without them', () => {
    const { trainingModel } = prepare(one).artifacts;
    const lowered = withNativeKernels(trainingModel);
    const found = counts(lowered);
    for (const [op, count] of Object.entries(one.kernels)) expect([op, found[op] ?? 0]).toEqual([op, count]);
    for (const { op, domain } of lowered.graph.nodes) {
      if (op.startsWith('Conv')) expect(domain).toBe(KERNEL_DOMAIN);
    }
    const written = readModel(writeModel(trainingModel));
    expect(new Set(written.graph.nodes.map(({ domain }) => domain))).toEqual(new Set(['']));
    expect([...written.opsets.keys()]).toEqual(['']);
  });

  test('goes against central differences', async () => {
    const prepared = prepare(one);
    const { parameters } = prepared.artifacts.checkpoint;
    const { gradient } = await runGradients(prepared, { kernels: true });
    const direction = parameters.map((_, i) => Math.sin(i * 1.7 + 0.3));
    const step = 1e-2;
    const at = async (factor: number): Promise<number> =>
      (
        await runGradients(prepared, {
          kernels: true,
          parameters: parameters.map((v, i) => v + factor * direction[i]!),
        })
      ).loss;
    const numeric = ((await at(step)) - (await at(-step))) / (2 * step);
    const analytic = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    const norm = Math.hypot(...gradient) * Math.hypot(...direction);
    expect(Math.abs(numeric - analytic) / norm).toBeLessThan(1e-3);
  });
});

test.each([1, 7, 40])('a batch of %i', async (rows) => {
  for (const name of ['3×3, rows with gaps', '4×4, stride 2', 'a residual block']) {
    const prepared = prepare(graph(name), rows);
    const native = await runGradients(prepared, { kernels: true });
    const standard = await runGradients(prepared, { kernels: false });
    expect(distance(prepared.artifacts, native.gradient, standard.gradient)).toBeLessThan(TOLERANCE);
  }
});

test('the same bits again, and with any number of threads', async () => {
  for (const name of [
    '3×3, rows of whole vectors',
    'more images than tasks',
    'group normalisation and SiLU of [8,4,4]',
  ]) {
    const prepared = prepare(graph(name));
    const { gradient } = await runGradients(prepared, { kernels: true, threads: 2 });
    for (const threads of [1, 2, 3]) {
      // The gradient of the data's own parameter is summed over the batch by ONNX Runtime.
      const again = await runGradients(prepared, { kernels: true, threads });
      expect(Buffer.from(again.gradient.buffer).equals(Buffer.from(gradient.buffer))).toBe(true);
    }
  }
});

test.each(['avx2', 'generic'])('the %s kernels agree with the standard graph', { timeout: 120_000 }, async (isa) => {
  const script = fileURLToPath(new URL('fixtures/kernel-gradients.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, NODE_VAE_KERNELS_ISA: isa },
  });
  const distances = JSON.parse(stdout) as Record<string, number>;
  expect(Object.keys(distances)).toHaveLength(KERNEL_GRAPHS.length);
  expect(Object.entries(distances).filter(([, value]) => !(value < TOLERANCE))).toEqual([]);
});

describe('marks that do not fit', () => {
  const KEY = 'node-vae.kernels';
  const { trainingModel } = prepare(graph('3×3, rows with gaps')).artifacts;
  const marked = (text: string): Model => ({
    ...trainingModel,
    metadata: new Map([...trainingModel.metadata, [KEY, text]]),
  });

  test.each(['', 'no JSON', '{}', '[{"op":"Evil","inputs":[],"outputs":[],"attributes":{}}]'])('%j is none', (text) => {
    const model = marked(text);
    expect(withNativeKernels(model)).toBe(model);
  });

  test('a value that the graph does not have leaves the piece standard', () => {
    const marks = JSON.parse(trainingModel.metadata.get(KEY)!) as { op: string; inputs: string[]; outputs: string[] }[];
    const strange = marks.map((mark) =>
      mark.op === 'Conv' ? { ...mark, inputs: ['gone', ...mark.inputs.slice(1)] } : mark,
    );
    const lowered = withNativeKernels(marked(JSON.stringify(strange)));
    const conv = lowered.graph.nodes.filter(({ op }) => op === 'Conv');
    expect(conv.map(({ domain }) => domain)).toEqual(['']);
    expect(counts(lowered)['ConvWeightGradient']).toBe(1);
  });

  test('the graph that was given is left as it was', () => {
    const before = Buffer.from(writeModel(trainingModel));
    withNativeKernels(trainingModel);
    expect(Buffer.from(writeModel(trainingModel)).equals(before)).toBe(true);
  });
});

test('a model learns the same with and without them, and is saved without', { timeout: 180_000 }, async () => {
  const folder = temporaryFolderOfTest('kernels');
  const data = { data: Uint8Array.from({ length: 48 * 64 }, (_, i) => (i * i) % 251), shape: [48, 1, 8, 8] };
  const losses: number[] = [];
  for (const nativeKernels of [true, false]) {
    await using vae = await Vae.create({
      architecture: { type: 'resnet', channels: [8, 16], groups: 4 },
      input: { kind: 'image', height: 8, width: 8 },
      latentDim: 4,
      seed: 3,
    });
    const history = await vae.fit(data, { epochs: 3, batchSize: 12, nativeKernels });
    losses.push(history.epochs.at(-1)!.train.loss);
    await vae.save(join(folder, `model-${nativeKernels}`), { training: true });
  }
  expect(Math.abs(losses[0]! / losses[1]! - 1)).toBeLessThan(1e-4);
  const training = await readModel(join(folder, 'model-true', 'training', 'training_model.onnx'));
  expect(new Set(training.graph.nodes.map(({ domain }) => domain))).toEqual(new Set(['']));
  expect(withNativeKernels(training).graph.nodes.some(({ domain }) => domain === KERNEL_DOMAIN)).toBe(true);
});
