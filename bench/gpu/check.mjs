#!/usr/bin/env node
// Holds what an execution provider computes against the processor, and times both:
//
//   npm run build && node bench/gpu/check.mjs [--provider cuda] [--model mnist-conv] [--rows 1024]
//
// Needs nothing but this package, built, and ONNX Runtime with the provider's files; with a library of
// one's own, NODE_VAE_ONNXRUNTIME_LIBRARY names it. Ends with 1 where results differ by more than --tolerance
// of the largest value (default 0.002, room for TF32), or where tensors do not stay on the device.
import { parseArgs } from 'node:util';
import { Vae } from 'node-vae';

const { values } = parseArgs({
  options: {
    provider: { type: 'string', default: 'cuda' },
    model: { type: 'string', default: 'mnist-mlp' },
    rows: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '30' },
    tolerance: { type: 'string', default: '0.002' },
  },
});
const rows = Number(values.rows);
const rounds = Number(values.rounds);

const processor = await Vae.load(values.model);
const device = await Vae.load(values.model, { provider: values.provider });
const size = device.dataShape.reduce((product, dim) => product * dim, 1);
const batch = {
  data: Float32Array.from({ length: rows * size }, (_, index) => ((index * 2654435761) >>> 0) / 2 ** 32),
  shape: [rows, ...device.dataShape],
};

/** The largest difference, as a part of the largest value. */
function difference(actual, expected) {
  let [worst, largest] = [0, 0];
  for (let index = 0; index < expected.data.length; index += 1) {
    worst = Math.max(worst, Math.abs(actual.data[index] - expected.data[index]));
    largest = Math.max(largest, Math.abs(expected.data[index]));
  }
  return worst / largest;
}

/** Milliseconds of the median round, after three that do not count. */
async function time(work) {
  const taken = [];
  for (let round = -3; round < rounds; round += 1) {
    const from = performance.now();
    await work();
    if (round >= 0) taken.push(performance.now() - from);
  }
  return taken.sort((a, b) => a - b)[Math.floor(taken.length / 2)];
}

const expected = await processor.encode(batch);
const decodedThere = await processor.decode(expected.mean);
const inMemory = await device.encode(batch);
const { mean, logVariance } = await device.encodeOnDevice(batch);
const decoded = await device.decodeOnDevice(mean);
const differences = {
  'encode, mean': difference(inMemory.mean, expected.mean),
  'encode, log-variance': difference(inMemory.logVariance, expected.logVariance),
  decode: difference(await device.decode(expected.mean), decodedThere),
  'encodeOnDevice, mean': difference(await mean.download(), expected.mean),
  'encodeOnDevice, log-variance': difference(await logVariance.download(), expected.logVariance),
  decodeOnDevice: difference(await decoded.download(), decodedThere),
};
console.log(`${values.model}, ${rows} rows, provider ${device.provider}; tensors stay in: ${mean.location}`);
console.table(differences);

const throughMemory = (vae) => async () => {
  await vae.decode((await vae.encode(batch)).mean);
};
const milliseconds = {
  'processor, encode + decode': await time(throughMemory(processor)),
  'device, encode + decode': await time(throughMemory(device)),
  'device, encodeOnDevice + decodeOnDevice': await time(async () => {
    const encoding = await device.encodeOnDevice(batch);
    const result = await device.decodeOnDevice(encoding.mean);
    for (const tensor of [encoding.mean, encoding.logVariance, result]) tensor.dispose();
  }),
  'device, encodeOnDevice + decodeOnDevice + download': await time(async () => {
    const encoding = await device.encodeOnDevice(batch);
    const result = await device.decodeOnDevice(encoding.mean);
    await result.download();
    for (const tensor of [encoding.mean, encoding.logVariance, result]) tensor.dispose();
  }),
};
console.table(milliseconds);

for (const tensor of [mean, logVariance, decoded]) tensor.dispose();
await Promise.all([processor.close(), device.close()]);
const shared = ['cpu', 'xnnpack', 'openvino', 'coreml', 'dml', 'webgpu', 'qnn'].includes(device.provider);
const moved = !shared && mean.location === 'cpu';
if (moved) console.error(`With ${device.provider}, tensors should not lie in the processor's memory.`);
const wrong = Object.entries(differences).filter(([, value]) => !(value <= Number(values.tolerance)));
for (const [name, value] of wrong) console.error(`${name} differs by ${value}`);
process.exitCode = moved || wrong.length > 0 ? 1 : 0;
