import type { LatentStatistics } from '../../index.js';
import { addForceOption, claimPath, type OutputFlags } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { wholeNumber } from '../parse.js';
import {
  addDataOptions,
  addLabelOption,
  addSessionOptions,
  DATA_ARGUMENT,
  type DataFlags,
  type LabelFlags,
  labelOptions,
  loadData,
  type SessionFlags,
  sessionOptions,
  tellNotes,
} from '../shared-options.js';

/** Rows of the table of dimensions. */
const MOST_DIMENSIONS = 64;

interface ScoreFlags extends DataFlags, LabelFlags, SessionFlags, OutputFlags {
  readonly importanceSamples?: number;
  readonly dimensions?: boolean;
  readonly seed: number;
}

export const registerScore: RegisterCommand = (program, run) => {
  const command = addForceOption(program.command('score'))
    .summary('measure how well a model explains data')
    .description(
      'Scores data: the evidence lower bound (ELBO) and its terms, reconstruction and KL divergence, in nats per row. ' +
        'A high loss (minus the ELBO) marks rows unlike those the model was trained on.',
    )
    .argument('<model>', 'model directory, or the name of a model of this package')
    .argument('<data>', DATA_ARGUMENT)
    .option(
      '-o, --out <file>',
      'write the scores of each row, as .npy or a table (.parquet, .csv, .jsonl), float32 [rows, 3]: elbo, reconstruction, kl; a fourth with --importance-samples',
    )
    .option('--seed <n>', 'seed of the draw from the posterior', wholeNumber(0), 0)
    .option(
      '--importance-samples <k>',
      'also the importance-weighted bound of log p(x) with k draws: tighter, and k times the work',
      wholeNumber(1),
    )
    .option('--dimensions', 'also how much each latent dimension is used: its divergence and its spread');
  addSessionOptions(addLabelOption(addDataOptions(command))).addHelpText(
    'after',
    `
Examples:
  $ node-vae score mnist-mlp mnist/ --part test
  $ node-vae score mnist-mlp mnist/ --part test --limit 500 --importance-samples 200
  $ node-vae score my-model new.npy --dimensions
  $ node-vae score my-model new.npy -o scores.npy --json`,
  );
  return command.action((source: string, path: string, flags: ScoreFlags) =>
    run(async (signal) => {
      const out = flags.out === undefined ? undefined : await claimPath(flags.out, flags.force);
      const { checkArrayPath, Vae, writeArray } = await import('../../index.js');
      if (out) checkArrayPath(out);
      await using vae = await Vae.load(source, sessionOptions(flags));
      const dataset = tellNotes(await loadData(path, flags, signal, vae.recipe));
      const { importanceSamples, seed } = flags;
      const call = { ...labelOptions(flags), seed, signal };
      const scores = await vae.score(dataset, { ...call, ...(importanceSamples && { importanceSamples }) });
      const columns = [scores.elbo, scores.reconstruction, scores.kl];
      if (scores.importanceWeighted) columns.push(scores.importanceWeighted);
      if (out) {
        const names = ['elbo', 'reconstruction', 'kl', 'importance_weighted'].slice(0, columns.length);
        await writeArray(out, { data: interleave(columns), shape: [dataset.length, columns.length] }, { names });
      }
      const latents = flags.dimensions ? await vae.latentStatistics(dataset, call) : undefined;
      const bound = scores.importanceWeighted && summarise(scores.importanceWeighted);
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
          ...(bound && { importanceWeighted: bound.mean, importanceSamples }),
          ...(latents && { latents: plain(latents) }),
          ...(flags.out && { scores: flags.out }),
        },
        rows: [
          ['Rows', dataset.length.toLocaleString('en-US')],
          ['Loss (−ELBO)', `${(-elbo.mean).toFixed(3)} ± ${elbo.standardError.toFixed(3)} nats per row`],
          ['Reconstruction', `${reconstruction.mean.toFixed(3)} nats per row`],
          ['KL divergence', `${kl.mean.toFixed(3)} nats per row`],
          ...(bound
            ? [
                [
                  `Bound of ${importanceSamples} draws`,
                  `${(-bound.mean).toFixed(3)} nats per row (−log p(x) at most)`,
                ] as const,
              ]
            : []),
          ...(latents ? latentRows(latents) : []),
          ...(flags.out ? [['Scores', flags.out] as const] : []),
        ],
      };
    }),
  );
};

/** JSON has no typed arrays. */
function plain({ klPerDimension, meanVariance, ...rest }: LatentStatistics) {
  return {
    ...rest,
    ...(klPerDimension && { klPerDimension: Array.from(klPerDimension) }),
    ...(meanVariance && { meanVariance: Array.from(meanVariance) }),
  };
}

/** Dimensions from the one that says most to the one that says least. */
function latentRows(found: LatentStatistics): (readonly [string, string])[] {
  const { active, activeUnits, klPerDimension, layers, meanVariance, threshold } = found;
  const measure = klPerDimension ?? meanVariance!;
  const order = Array.from(active, (_, index) => index).sort((a, b) => measure[b]! - measure[a]!);
  const names = layers.flatMap(({ name, size }) => Array.from({ length: size }, (_, index) => `${name}[${index}]`));
  const shown = order.slice(0, MOST_DIMENSIONS);
  const what = meanVariance ? `variance of the mean above ${threshold}` : `divergence above ${threshold} nats`;
  return [
    ['Active units', `${activeUnits} of ${active.length} (${what})`],
    ...layers.flatMap(({ name, size, kl, activeUnits: count }) =>
      layers.length > 1 ? [[`Layer ${name}`, `${count} of ${size} active, ${kl?.toFixed(3)} nats`] as const] : [],
    ),
    ['', `${klPerDimension ? '   KL, nats' : ''}${meanVariance ? '   variance of the mean' : ''}`],
    ...shown.map(
      (index) =>
        [
          `  ${names[index]}`,
          `${klPerDimension ? klPerDimension[index]!.toFixed(4).padStart(11) : ''}` +
            `${meanVariance ? meanVariance[index]!.toFixed(4).padStart(23) : ''}${active[index] ? '' : '   not in use'}`,
        ] as const,
    ),
    ...(shown.length < order.length
      ? [['', `  … ${order.length - shown.length} more; --json has them all`] as const]
      : []),
  ];
}

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
