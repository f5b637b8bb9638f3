import { wholeNumber } from '../parse.js';
import {
  addDataOptions,
  addSessionOptions,
  type DataFlags,
  loadData,
  type SessionFlags,
  sessionOptions,
} from '../shared-options.js';
import type { RegisterCommand } from './index.js';

interface ScoreFlags extends DataFlags, SessionFlags {
  readonly out?: string;
  readonly seed: number;
}

export const registerScore: RegisterCommand = (program, run) => {
  const command = program
    .command('score')
    .summary('measure how well a model explains data')
    .description(
      'Scores data: the evidence lower bound (ELBO) and its terms, reconstruction and KL divergence, in nats per row. ' +
        'A high loss (minus the ELBO) marks rows unlike those the model was trained on.',
    )
    .argument('<model>', 'model directory, or the name of a model of this package')
    .argument('<data>', '.npy file, IDX file or folder with the MNIST names')
    .option('-o, --out <file.npy>', 'write the scores of each row, float32 [rows, 3]: elbo, reconstruction, kl')
    .option('--seed <n>', 'seed of the draw from the posterior', wholeNumber(0), 0);
  addSessionOptions(addDataOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ node-vae score mnist-mlp mnist/ --part test
  $ node-vae score my-model new.npy -o scores.npy --json`,
  );
  return command.action((source: string, path: string, flags: ScoreFlags) =>
    run(async (signal) => {
      const { Vae, writeNpy } = await import('../../index.js');
      await using vae = await Vae.load(source, sessionOptions(flags));
      const dataset = await loadData(path, flags, signal);
      const scores = await vae.score(dataset, { seed: flags.seed, signal });
      if (flags.out)
        await writeNpy(flags.out, {
          data: interleave([scores.elbo, scores.reconstruction, scores.kl]),
          shape: [dataset.length, 3],
        });
      const elbo = summarise(scores.elbo);
      const reconstruction = summarise(scores.reconstruction);
      const kl = summarise(scores.kl);
      return {
        data: {
          model: source,
          rows: dataset.length,
          unit: 'nats per row',
          loss: -elbo.mean,
          elbo: elbo.mean,
          reconstruction: reconstruction.mean,
          kl: kl.mean,
          standardError: elbo.standardError,
          ...(flags.out && { scores: flags.out }),
        },
        rows: [
          ['Rows', dataset.length.toLocaleString('en-US')],
          ['Loss (−ELBO)', `${(-elbo.mean).toFixed(3)} ± ${elbo.standardError.toFixed(3)} nats per row`],
          ['Reconstruction', `${reconstruction.mean.toFixed(3)} nats per row`],
          ['KL divergence', `${kl.mean.toFixed(3)} nats per row`],
          ...(flags.out ? [['Scores', flags.out] as const] : []),
        ],
      };
    }),
  );
};

/** Mean and its standard error. */
function summarise(values: Float32Array): { mean: number; standardError: number } {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, standardError: values.length > 1 ? Math.sqrt(squares / (values.length - 1) / values.length) : 0 };
}

function interleave(columns: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(columns[0]!.length * columns.length);
  for (let index = 0; index < out.length; index += 1) {
    out[index] = columns[index % columns.length]![Math.floor(index / columns.length)]!;
  }
  return out;
}
