/** Flags that say what a job is: of jobs run, and of whatever else begins one. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { JobOptions, OperationName } from '../../../jobs/index.js';
import { CliError } from '../../errors.js';
import { decimal, wholeNumber } from '../../parse.js';
import { requireOut } from '../../shared-options.js';

export interface JobFlags {
  readonly model?: string;
  readonly input?: readonly string[];
  readonly list?: readonly string[];
  readonly out?: string;
  readonly shardSize?: number;
  readonly format?: string;
  readonly logVariance?: boolean;
  readonly draw?: boolean;
  readonly seed?: number;
  readonly importanceSamples?: number;
  readonly label?: number;
  readonly array?: string;
  readonly layout?: string;
  readonly size?: number | readonly [number, number];
  readonly colour?: string;
  readonly fit?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly quality?: number;
  readonly pixelsOnly?: boolean;
  readonly embedModel?: boolean;
  readonly batch?: number;
  readonly deterministic?: boolean;
  readonly provider?: string;
}

const OPERATIONS: readonly OperationName[] = ['encode', 'decode', 'reconstruct', 'score', 'compress', 'decompress'];
const FORMATS = ['npy', 'npz', 'safetensors', 'parquet', 'jsonl', 'tar', 'vaez', 'files'];

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function addJobOptions(command: Command): Command {
  return command
    .argument('<operation>', OPERATIONS.join(', '), (text: string) => {
      if (!OPERATIONS.includes(text as OperationName))
        throw new InvalidArgumentError(`Expected ${OPERATIONS.join(', ')}.`);
      return text;
    })
    .option('-m, --model <model>', 'model folder, s3:// URL, or the name of a model of this package')
    .option(
      '-i, --input <path>',
      'file, folder, glob, list of paths (.txt, .jsonl), .tar, array or table; local or s3://…; may be repeated',
      collect,
    )
    .option(
      '--list <file>',
      'a file of paths, one to a line or JSON lines, whatever its name; may be repeated',
      collect,
    )
    .option('-o, --out <folder>', 'folder of the shards; local or s3://bucket/prefix')
    .option('--shard-size <n>', 'items of a shard (10000; decompress: 1 archive)', wholeNumber(1))
    .addOption(
      new Option('--format <name>', 'of the shards (encode, score: parquet; decode, reconstruct: npy)').choices(
        FORMATS,
      ),
    )
    .option('--log-variance', "encode: also the logarithms of the posterior's variances")
    .option('--draw', 'encode, reconstruct: a draw from the posterior in place of its mean')
    .option('--seed <n>', 'of draws; encode and reconstruct with --draw, score (0)', wholeNumber(0))
    .option('--importance-samples <k>', 'score: also the importance-weighted bound with k draws', wholeNumber(1))
    .option('--label <n>', 'conditional models: class number of all items, in place of their labels', wholeNumber(0))
    .option('--array <name>', 'files with several arrays or columns: the one that is the data')
    .addOption(new Option('--layout <order>', 'arrays: nhwc where channels come last').choices(['nchw', 'nhwc']))
    .option('--size <n|HxW>', 'pictures, for models that keep no recipe: sides of a row', sides)
    .addOption(new Option('--colour <name>', 'pictures, likewise').choices(['grey', 'rgb', 'rgba']))
    .addOption(
      new Option('--fit <how>', 'pictures, likewise: cover, contain, fill').choices(['cover', 'contain', 'fill']),
    )
    .option('--include <pattern>', 'folders: only files whose name or path matches; may be repeated', collect)
    .option('--exclude <pattern>', 'folders: not those whose name or path matches; may be repeated', collect)
    .option('--quality <q>', 'compress: pictures with loss, 0 to 100 (default: without loss)', decimal)
    .option('--pixels-only', 'compress: keep the pixels of pictures alone')
    .option('--embed-model', 'compress: put the model into each archive')
    .option('--batch <rows>', 'rows of one run of a network', wholeNumber(1))
    .option('--deterministic', 'the same bits on every processor; several times slower')
    .option('--provider <name>', 'where networks run: cpu, cuda, …');
}

/** As the library takes them. */
export function jobOptions(operation: string, flags: JobFlags): JobOptions {
  const { input = [], list = [], out } = flags;
  if (input.length + list.length === 0) {
    throw new CliError('ERR_VAE_OPTION', 'Say what the items are with -i, --input (or --list). Try --help.');
  }
  const { model, shardSize, format, input: _, list: __, out: ___, ...others } = flags;
  const known = Object.entries(pick(others)).filter(([, value]) => value !== undefined);
  return {
    operation: operation as OperationName,
    ...(model !== undefined && { model }),
    input: [...input, ...list.map((path) => ({ path, as: 'list' as const }))],
    output: requireOut(out),
    ...(shardSize !== undefined && { shardSize }),
    ...(format !== undefined && { format: format as 'npy' }),
    ...Object.fromEntries(known),
  } as JobOptions;
}

/** Flags that are options of the job, of those that a command has. */
function pick(flags: Omit<JobFlags, 'model' | 'input' | 'list' | 'out' | 'shardSize' | 'format'>) {
  const { logVariance, draw, seed, importanceSamples, label, array, layout, size, colour, fit } = flags;
  const { include, exclude, quality, pixelsOnly, embedModel, batch, deterministic, provider } = flags;
  return {
    ...{ logVariance, draw, seed, importanceSamples, label, array, layout, size, colour, fit },
    ...{ include, exclude, quality, pixelsOnly, embedModel, batch, deterministic, provider },
  };
}

/** `64`, or `48x64`: height and width. */
function sides(text: string): number | [number, number] {
  const match = /^(\d+)(?:x(\d+))?$/.exec(text);
  const [height, width] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!match || height < 1 || width < 1) throw new InvalidArgumentError('Expected 64, or 48x64 (height and width).');
  return match[2] === undefined ? height : [height, width];
}
