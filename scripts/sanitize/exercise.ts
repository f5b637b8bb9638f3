/** Opens, uses, fails and closes everything native, twice, and ends: what is left then is a leak. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { trainLossy } from '../../src/codecs/pictures/train.js';
import { Vae } from '../../src/vae/index.js';
import { drawing } from '../../test/codecs/drawing.js';
import { randomItems, randomSpec } from '../../test/codecs/random-spec.js';

const folder = await mkdtemp(join(tmpdir(), 'node-vae-exercise-'));
const data = { data: Float32Array.from({ length: 800 }, (_, i) => (i % 13) / 13), shape: [100, 8] };
const wrong = { data: new Float32Array(9), shape: [1, 9] };

/** Ends without a word where `work` fails, as it should. */
async function fails(work: () => Promise<unknown>): Promise<void> {
  const failed = await work().then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error(`expected to fail: ${work}`);
}

for (let round = 0; round < 2; round += 1) {
  const vae = await Vae.create({ input: { kind: 'vector', length: 8 }, latentDim: 2, seed: round });
  await vae.fit(data, { epochs: 2, batchSize: 10 });
  const stop = new AbortController();
  const long = vae.fit(data, { epochs: 100_000, batchSize: 10, signal: stop.signal });
  setTimeout(() => stop.abort(), 100);
  await fails(async () => long);
  const { mean } = await vae.encode(data);
  await Promise.all([vae.decode(mean), vae.sample(3), vae.score(data), vae.reconstruct(data)]);
  await fails(() => vae.encode(wrong));
  const batcher = vae.batcher({ maxBatch: 4 });
  const row = { data: new Float32Array(8), shape: [1, 8] };
  await Promise.all(Array.from({ length: 9 }, () => batcher.encode(row)));
  await batcher.close();
  await vae.save(join(folder, `model-${round}`), { training: true });
  await vae.close();
  await fails(() => vae.encode(data));

  const again = await Vae.load(join(folder, `model-${round}`));
  await again.fit(data, { epochs: 1, batchSize: 10 });
  await again.close();
  const pair = { encoder: join(folder, `model-${round}`, 'config.json'), decoder: join(folder, 'nothing.onnx') };
  await fails(() => Vae.load(pair));

  const codec = await Codec.make([1, 6, 5], randomSpec(round, 6, 5));
  const chunk = await codec.encode(randomItems(round, 20, 30), { verify: true });
  await codec.decode(chunk, 20);
  await fails(() => codec.decode(chunk.subarray(0, chunk.length >> 1), 20));
  await codec.close();

  // The kernels of convolutions and of group normalisation.
  const residual = await Vae.create({
    input: { kind: 'image', height: 8, width: 8 },
    architecture: { type: 'resnet' },
    latentDim: 2,
    seed: round,
  });
  await residual.fit({ data: new Uint8Array(20 * 64), shape: [20, 1, 8, 8] }, { epochs: 1, batchSize: 10 });
  await residual.close();

  const picture = drawing(round, 70, 65);
  const config = { widths: [4, 4, 4] as [number, number, number], latents: 4, hyperWidth: 4, hyperLatents: 2 };
  const { codec: lossy } = await trainLossy([picture], {
    config: { ...config, lambdas: [0.002, 0.02] },
    ...{ steps: 4, batchSize: 2, cropSize: 64, learningRate: 1e-3, seed: 1 },
  });
  const encoded = await lossy.encode(picture, { quality: 50 });
  await lossy.decode(encoded);
  await fails(() => lossy.decode(encoded.subarray(0, encoded.length >> 1)));
  await lossy.close();

  // One that nobody closes: the garbage collector has to.
  await (async () => {
    const forgotten = await Vae.create({ input: { kind: 'vector', length: 8 }, latentDim: 2, seed: round });
    await forgotten.encode(data);
  })();
}
await rm(folder, { recursive: true });
for (let i = 0; i < 5; i += 1) {
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
