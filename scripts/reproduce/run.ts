/**
 * npm run reproduce -- NAME [--epochs N] [--test-images N] [--threads N] [--keep DIR]
 *
 * Trains a named experiment from scratch and writes its figure into models/RESULTS.md. With --epochs it
 * is a trial: the figure is printed and nothing is written.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Dataset, Vae } from '../../src/index.js';
import { binarise, loadData } from './data.js';
import { EXPERIMENTS, type Experiment, INPUT } from './experiments.js';
import { writeResult } from './results.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    epochs: { type: 'string' },
    'test-images': { type: 'string', default: '10000' },
    threads: { type: 'string', default: '2' },
    keep: { type: 'string' },
  },
});
const [name = ''] = positionals;
const experiment = EXPERIMENTS[name];
if (experiment === undefined) {
  console.error(
    `Usage: npm run reproduce -- NAME [--epochs N], where NAME is one of ${Object.keys(EXPERIMENTS).join(', ')}`,
  );
  process.exit(2);
}
await reproduce(name, experiment);

async function reproduce(name: string, experiment: Experiment): Promise<void> {
  const trial = values.epochs !== undefined;
  const epochs = Number(values.epochs ?? experiment.epochs);
  const { train, test: all } = await loadData(experiment.data);
  const test = await testImages(all.take(Number(values['test-images'])), experiment);
  await using vae = await Vae.create({ ...experiment.model, input: INPUT, threads: Number(values.threads) });
  console.log(`${name}: ${experiment.title}; ${vae.info.parameterCount} parameters, ${epochs} epochs`);

  const started = performance.now();
  const minutes = (): number => (performance.now() - started) / 60_000;
  let said = 0;
  const { epochs: history } = await vae.fit(train, {
    ...experiment.fit(epochs),
    epochs,
    ...(experiment.binarised && { binarise: 'sample' }),
    onProgress: (event) => {
      const due = event.kind === 'epoch' || (event.kind === 'step' && minutes() - said > 1);
      if (!due) return;
      said = minutes();
      if (event.kind === 'step') {
        console.log(`  step ${event.step}/${event.steps}  loss ${event.loss.toFixed(2)}  ${said.toFixed(1)} min`);
      } else if (event.kind === 'epoch') {
        const { loss, reconstruction, kl } = event.train;
        console.log(
          `epoch ${event.epoch}/${epochs}  loss ${loss.toFixed(2)}  reconstruction ${reconstruction.toFixed(2)}  kl ${kl.toFixed(2)}  ${said.toFixed(1)} min`,
        );
      }
    },
  });
  const trainMinutes = minutes();
  if (values.keep) await vae.save(values.keep, { training: true });

  const { figure: kind } = experiment;
  const scores = await vae.score(
    test,
    kind.kind === 'nats' ? { importanceSamples: kind.importanceSamples, seed: 1 } : { seed: 1 },
  );
  const reconstruction = mean(scores.reconstruction);
  const kl = mean(scores.kl);
  const figure =
    kind.kind === 'nats' ? -mean(scores.importanceWeighted!) : (reconstruction + kl) / (elements(vae) * Math.LN2);
  const passed = figure <= experiment.limit ? 'passes' : 'does not pass';
  console.log(
    `${name}: ${figure.toFixed(4)} ${kind.kind === 'nats' ? 'nats' : 'bits/dim'} (${passed} ${experiment.limit}); ` +
      `reconstruction ${reconstruction.toFixed(2)}, kl ${kl.toFixed(2)}; trained ${trainMinutes.toFixed(1)} min, in all ${minutes().toFixed(1)} min`,
  );
  if (trial) return;
  const path = await writeResult({
    experiment: name,
    figure,
    reconstruction,
    kl,
    testImages: scores.kl.length,
    epochs: history.length,
    trainMinutes,
    processorMinutes: (process.cpuUsage().user + process.cpuUsage().system) / 60e6,
    parameters: vae.info.parameterCount,
    seed: Number(experiment.model.seed ?? 0),
    machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${values.threads} threads`,
  });
  console.log(`Written to ${path}`);
  if (figure > experiment.limit) process.exitCode = 1;
}

/** As they are; or binarised once, so that every run is scored on the same images. */
async function testImages(
  test: Dataset,
  { binarised }: Experiment,
): Promise<Dataset | { data: Float32Array; shape: number[] }> {
  if (!binarised) return test;
  const rows = await test.read(Array.from({ length: test.length }, (_, row) => row));
  return { data: binarise(rows, 1), shape: [test.length, ...test.rowShape] };
}

function elements({ dataShape }: Vae): number {
  return dataShape.reduce((product, dim) => product * dim, 1);
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
