/** Flags that several commands have, and what they mean to the library. */
import type { Command } from 'commander';
import type { DataRecipe, Dataset, ProviderInput, VaeSessionOptions } from '../index.js';
import { CliError } from './errors.js';
import { addBadFileOptions, addFileOptions, type BadFileFlags, type KindFlags, kindOptions } from './kind-options.js';
import { note } from './output.js';
import { wholeNumber } from './parse.js';

export interface SessionFlags {
  readonly threads?: number;
  readonly provider?: string;
}

export function addSessionOptions(command: Command): Command {
  return command
    .option('--threads <n>', 'threads inside one operator; 0: one per physical core', wholeNumber(0))
    .option('--provider <name>', 'where networks run: cpu, auto, cuda, coreml, dml, …');
}

/** Unknown names of providers are refused by the library, which knows them. */
export function sessionOptions({ threads, provider }: SessionFlags): VaeSessionOptions {
  return {
    ...(threads !== undefined && { threads }),
    ...(provider !== undefined && { provider: provider as ProviderInput }),
  };
}

export interface LabelFlags {
  readonly label?: number;
}

export function addLabelOption(command: Command): Command {
  return command.option(
    '--label <n>',
    'for conditional models: class number of all rows (default: the labels of the data)',
    wholeNumber(0),
  );
}

/** Of calls on a conditional model. */
export function labelOptions({ label }: LabelFlags): { labels?: number } {
  return label === undefined ? {} : { labels: label };
}

/**
 * Where the output goes. Not a mandatory option of the parser, which would complain of its absence
 * before it sees that another option is misspelt.
 */
export function requireOut(out: string | undefined): string {
  if (out) return out;
  throw new CliError('ERR_VAE_OPTION', 'Say where the output goes with -o, --out. Try --help.');
}

/** What data commands take; see docs/guides/your-own-data.md. */
export const DATA_ARGUMENT =
  '.npy, .npz, .mat or IDX file, folder with the MNIST names, pictures, sound, video (file, folder or glob), or table (.csv, .jsonl, .parquet, .arrow, .txt)';

export interface DataFlags extends KindFlags, BadFileFlags {
  readonly part?: 'train' | 'test';
  readonly labels?: string;
  readonly limit?: number;
}

export function addDataOptions(command: Command): Command {
  return addFileOptions(addBadFileOptions(command))
    .option('--part <part>', 'of a folder with the MNIST names: train or test')
    .option(
      '--labels <file>',
      'labels of the rows: .npy, IDX file, or a table with labels in order or by the paths of files',
    )
    .option('--limit <n>', 'use the first n rows only', wholeNumber(1));
}

/** Reads the data a command was given, as `recipe` says where a model has one. */
export async function loadData(
  path: string,
  flags: DataFlags,
  signal: AbortSignal,
  recipe?: DataRecipe,
): Promise<Dataset> {
  const { readDataset } = await import('../index.js');
  const { part, labels, limit } = flags;
  if (part !== undefined && part !== 'train' && part !== 'test') {
    throw new CliError('ERR_VAE_OPTION', `--part: expected train or test, received "${part}".`);
  }
  const dataset = await readDataset(path, {
    ...kindOptions(flags),
    ...(part && { part }),
    ...(labels && { labels }),
    ...(recipe && { recipe }),
    signal,
  });
  return limit === undefined ? dataset : dataset.take(limit);
}

/** What reading guessed or found odd, on standard error; `train` has its own place for it. */
export function tellNotes(dataset: Dataset): Dataset {
  for (const line of dataset.notes) note(`Note        ${line}`);
  return dataset;
}

/** "60,000 rows of 1×28×28, uint8, 10 classes" */
export function describeData(dataset: Dataset): string {
  const { length, rowShape, dtype, labels } = dataset;
  const classes = labels ? `, ${labels.classes.length} classes` : '';
  return `${length.toLocaleString('en-US')} rows of ${rowShape.join('×')}, ${dtype}${classes}`;
}
