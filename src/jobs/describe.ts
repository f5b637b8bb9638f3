/** From what users write to the description of a job: absolute paths, and the model's SHA-256. */
import { extname } from 'node:path';
import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import { VaeError } from '../core/errors.js';
import { type InputOf, nearest, parseOptions } from '../core/options.js';
import { packageVersion } from '../core/package-files.js';
import { Vae } from '../vae/index.js';
import { checkFormat, defaultFormat } from './formats/index.js';
import { FORMAT_NAMES, type Job, type JobSettings, jobOptionsSchema, OPERATION_NAMES } from './job.js';
import { identifyModel, localModel, modelSource } from './model.js';
import { absolute } from './places/index.js';
import { fileReader } from './rows/files.js';

const inputSchema = z.union([
  z.string().min(1),
  z.strictObject({
    path: z.string().min(1),
    /** See Job. */
    as: z.enum(['list', 'items']).optional(),
  }),
]);

export const jobInputShape = {
  operation: z.enum(OPERATION_NAMES),
  /** Folder, s3:// URL, or name of a model of this package. Not needed to decompress archives that embed theirs. */
  model: z.string().min(1).optional(),
  /**
   * Files, folders, globs, lists of paths, WebDataset archives, arrays and tables; local or s3://bucket/prefix. Relative paths
   * become absolute.
   */
  input: z.union([inputSchema, z.array(inputSchema).min(1)]),
  /** Folder of the shards, made where missing; or s3://bucket/prefix. */
  output: z.string().min(1),
  /** Items of a shard, at most. Default 10,000; of decompress, one archive. */
  shardSize: z.int().positive().optional(),
  /** Default: parquet for encode and score, npy for decode and reconstruct. */
  format: z.enum(FORMAT_NAMES).optional(),
  ...jobOptionsSchema.omit({ tableModel: true }).shape,
  ...signalShape,
};

const schema = z.strictObject(jobInputShape);

/** A job as users describe it. */
export interface JobOptions extends InputOf<typeof schema> {}

const DEFAULT_SHARD = 10_000;

/** Which options are for which operations. */
const MEANT_FOR: Readonly<Partial<Record<keyof JobSettings, readonly Job['operation'][]>>> = {
  logVariance: ['encode'],
  draw: ['encode', 'reconstruct'],
  seed: ['encode', 'reconstruct', 'score'],
  importanceSamples: ['score'],
  label: ['encode', 'decode', 'reconstruct', 'score'],
  array: ['encode', 'decode', 'reconstruct', 'score'],
  layout: ['encode', 'reconstruct', 'score'],
  size: ['encode', 'reconstruct', 'score'],
  colour: ['encode', 'reconstruct', 'score'],
  fit: ['encode', 'reconstruct', 'score'],
  quality: ['compress'],
  pixelsOnly: ['compress'],
  embedModel: ['compress'],
  batch: ['encode', 'decode', 'reconstruct', 'score'],
  deterministic: ['encode', 'decode', 'reconstruct', 'score'],
  provider: ['encode', 'decode', 'reconstruct', 'score'],
};

/**
 * Describes a job, so that any machine can do a part of it: what planJob() and workers take.
 *
 * @throws VaeError ERR_VAE_OPTION for what does not go together, ERR_VAE_IO where the model is not there.
 */
export async function describeJob(options: JobOptions): Promise<Job> {
  const { signal, operation, model, input, output, shardSize, format, ...settings } = parseOptions(
    schema,
    options,
    'describeJob()',
  );
  for (const [name, meant] of Object.entries(MEANT_FOR)) {
    if (settings[name as keyof typeof settings] === undefined || meant.includes(operation)) continue;
    throw new VaeError('ERR_VAE_OPTION', `Option "${name}" is for ${meant.join(', ')}, not for ${operation}.`);
  }
  if (settings.draw && settings.logVariance) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'Options "draw" and "logVariance" exclude each other: a draw has no variance.',
    );
  }
  const outputFormat = format ?? defaultFormat(operation);
  checkFormat(operation, outputFormat);
  checkFolder(output);
  if (model === undefined && operation !== 'decompress') {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${operation} needs a model: model (--model): a folder, s3://… or the name of one of this package.`,
    );
  }
  const source = model === undefined ? undefined : await modelSource(model);
  const local = source === undefined ? undefined : await localModel(source, undefined, signal);
  const given = Array.isArray(input) ? input : [input];
  const job: Job = {
    ...{ format: 'node-vae-job', version: 1, release: packageVersion(), operation },
    ...(source !== undefined && { model: { source, sha256: await identifyModel(local!) } }),
    inputs: given.map((one) =>
      typeof one === 'string' ? { path: absolute(one) } : { ...one, path: absolute(one.path) },
    ),
    output: absolute(output),
    shardSize: shardSize ?? (operation === 'decompress' ? 1 : DEFAULT_SHARD),
    outputFormat,
    options: settings,
  };
  if (operation === 'compress' || operation === 'decompress') return job;
  // What cannot be right is said before anything is planned.
  await using vae = await Vae.load(local!, { threads: 1 });
  if (operation !== 'decode' && (settings.size ?? settings.colour ?? settings.fit) !== undefined)
    fileReader(vae, settings);
  return vae.recipe?.kind === 'table' ? { ...job, options: { ...settings, tableModel: true } } : job;
}

const FILE_ENDINGS = ['.npy', '.npz', '.safetensors', '.parquet', '.jsonl', '.tar', '.vaez', '.csv', '.json', '.arrow'];

/** The output is a folder: a name that looks like a file's is a slip. */
function checkFolder(output: string): void {
  const ending = extname(output).toLowerCase();
  if (!FILE_ENDINGS.includes(ending)) return;
  const format = FORMAT_NAMES.find((name) => `.${name}` === ending);
  const near = format ?? nearest(ending.slice(1), FORMAT_NAMES);
  throw new VaeError(
    'ERR_VAE_OPTION',
    `The output of a job is a folder of shards, and "${output}" looks like a file. ` +
      `Name a folder${near ? ` and the format: output: "${output.slice(0, -ending.length)}", format: "${near}" (-o ${output.slice(0, -ending.length)}/ --format ${near})` : ''}; ` +
      'one file alone is written by node-vae encode, score or compress.',
  );
}
