import { performance } from 'node:perf_hooks';
import { addForceOption, claimOutput, claimPath, isStdout, type OutputFlags } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { note } from '../output.js';
import { RowProgress } from '../progress.js';
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

interface EncodeFlags extends DataFlags, LabelFlags, SessionFlags, OutputFlags {
  readonly logVariance?: string;
  readonly labelsOut?: string;
}

/** Rows between two updates of the progress bar. */
const ROWS = 4096;

export const registerEncode: RegisterCommand = (program, run) => {
  const command = addForceOption(program.command('encode'))
    .summary('write the latents of data, as .npy or a table')
    .description('Encodes data: writes the mean of the posterior of each row, float32 [rows, latent dimensions].')
    .argument('<model>', 'model directory, or the name of a model of this package')
    .argument('<data>', DATA_ARGUMENT)
    .option('-o, --out <file>', 'where the means go: .npy, or a table (.parquet, .csv, .jsonl)')
    .option('--log-variance <file>', "where the logarithms of the posterior's variances go")
    .option('--labels-out <file>', 'where the class numbers of the rows go, int32 [rows], of data with labels');
  addSessionOptions(addLabelOption(addDataOptions(command))).addHelpText(
    'after',
    `
Examples:
  $ node-vae encode mnist-mlp mnist/ --part test -o latents.npy
  $ node-vae encode my-model faces.npy -o means.npy --log-variance spread.npy
  $ node-vae encode passengers new.csv -o latents.parquet

Read the result with numpy.load(), or with readNpy() of this package.`,
  );
  return command.action((source: string, path: string, flags: EncodeFlags) =>
    run(async (signal) => {
      const out = await claimOutput(flags);
      for (const other of [flags.logVariance, flags.labelsOut]) if (other) await claimPath(other, flags.force);
      const { checkArrayPath, Vae, VaeError, writeArray } = await import('../../index.js');
      for (const target of [out, flags.logVariance, flags.labelsOut]) {
        if (target && !isStdout(target)) checkArrayPath(target);
      }
      await using vae = await Vae.load(source, sessionOptions(flags));
      const dataset = tellNotes(await loadData(path, flags, signal, vae.recipe));
      if (flags.labelsOut && !dataset.labels) {
        throw new VaeError('ERR_VAE_OPTION', `--labels-out: ${path} has no labels to write.`);
      }
      const { recipe } = vae;
      const ofCrops = recipe?.kind === 'image' && recipe.anySize;
      if (ofCrops && dataset.length > 1) {
        note(
          `Encoding the middle ${recipe.width}×${recipe.height} of each picture, as large as a row is; one picture alone is encoded whole.`,
        );
      }
      const means: Float32Array[] = [];
      const spreads: Float32Array[] = [];
      let latentShape: readonly number[] = [];
      const progress = new RowProgress('encoding', dataset.length, ROWS);
      const started = performance.now();
      try {
        for await (const batch of dataset.batch(ROWS, { signal })) {
          const { mean, logVariance } =
            ofCrops && dataset.length === 1
              ? await vae.encodePicture(dataset.names?.[0] ?? path, { signal })
              : await vae.encode(batch, { ...labelOptions(flags), signal });
          latentShape = mean.dims.slice(1);
          means.push(mean.data as Float32Array);
          if (flags.logVariance) spreads.push(logVariance.data as Float32Array);
          progress.update(batch.start + batch.shape[0]!);
        }
      } finally {
        progress.close();
      }
      const seconds = (performance.now() - started) / 1000;
      const shape = [dataset.length, ...latentShape];
      await writeArray(out, { data: join(means), shape }, { name: 'z' });
      if (flags.logVariance)
        await writeArray(flags.logVariance, { data: join(spreads), shape }, { name: 'log_variance' });
      const { labels } = dataset;
      if (flags.labelsOut && labels) {
        const values = { data: Int32Array.from(labels.values), shape: [dataset.length] };
        await writeArray(flags.labelsOut, values, { name: 'label' });
      }
      return {
        data: {
          model: source,
          rows: dataset.length,
          shape,
          mean: out,
          ...(flags.logVariance && { logVariance: flags.logVariance }),
          ...(flags.labelsOut && labels && { labels: flags.labelsOut, classes: labels.classes }),
          seconds,
        },
        rows: [
          ['Means', `${out}, float32 [${shape.join(', ')}]`],
          ...(flags.logVariance ? [['Log-variances', flags.logVariance] as const] : []),
          ...(flags.labelsOut && labels
            ? [['Labels', `${flags.labelsOut}: ${labels.classes.join(', ')}`] as const]
            : []),
        ],
        onStderr: isStdout(out),
      };
    }),
  );
};

function join(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
