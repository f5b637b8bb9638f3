/** Loss terms and gradients of imported graphs against PyTorch's own, for what both of its exporters write. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { TERMS } from '../../src/architectures/names.js';
import { type ImportOptions, importOnnx } from '../../src/artifacts/import-onnx.js';
import { artifactsOf } from '../../src/artifacts/model-io.js';
import { writeModel } from '../../src/graph/index.js';
import { runGraph } from '../../src/inference/imported/run-graph.js';
import { relativeError } from '../golden/load.js';

const file = (name: string): string => fileURLToPath(new URL(`../golden/finetune/${name}`, import.meta.url));
const golden = JSON.parse(readFileSync(file('golden.json'), 'utf8')) as {
  image: number[];
  epsilon: number[];
  loss: number;
  reconstruction: number;
  kl: number;
  gradients: Record<string, number[]>;
};
const ADAM = { type: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 } as const;

describe.each(['torchscript', 'dynamo'])('%s exporter', (exporter) => {
  test('loss terms and gradients agree with PyTorch', async () => {
    const options: ImportOptions = {
      encoder: file(`${exporter}-encoder.onnx`),
      decoder: file(`${exporter}-decoder.onnx`),
      likelihood: { type: 'bernoulli' },
      objective: { type: 'elbo' },
      freeze: [],
      seed: 0,
      untie: false,
    };
    const parts = await importOnnx(options, runGraph);
    const { trainingModel } = artifactsOf(parts, ADAM, undefined);
    const session = await InferenceSession.create(writeModel(trainingModel));
    const feeds: Record<string, Tensor> = {
      input: new Tensor('float32', golden.image, [5, 1, 8, 8]),
      epsilon: new Tensor('float32', golden.epsilon, [5, 3]),
      kl_weight: new Tensor('float32', [1], []),
    };
    for (const spec of parts.parameters.specs) {
      feeds[spec.name] = new Tensor('float32', parts.parameters.view(spec), spec.dims);
    }
    const outputs = await session.run(feeds);
    for (const term of TERMS) {
      expect(Math.abs((outputs[term]!.data[0] as number) / golden[term] - 1), term).toBeLessThan(1e-5);
    }
    // An exporter may fold or transpose a weight and give it a name of its own; those cannot be compared by name.
    let compared = 0;
    for (const [name, expected] of Object.entries(golden.gradients)) {
      const found = outputs[`${name}_grad`];
      if (found === undefined || found.size !== expected.length) continue;
      compared += 1;
      expect(relativeError(found.data as Float32Array, expected), name).toBeLessThan(1e-4);
    }
    expect(compared).toBe(24);
    // The ones, zeros and scales that an exporter writes as weights are none.
    const tiny = parts.parameters.specs.filter(({ dims }) => dims.join() === '1' || dims.join() === '2');
    expect(tiny.map(({ name }) => name)).toEqual(['decoder.up.bias']);
    await session.release();
  });
});
