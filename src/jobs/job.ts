/** What a job is: a description that goes through JSON, the shards that it is cut into, and what becomes of each. */
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { describeIssue } from '../core/options.js';
import { seedSchema } from '../core/seed.js';
import { COLOURS, FITS } from '../data/image/recipe.js';

/** What can be done with the items of a job. */
export const OPERATION_NAMES = ['encode', 'decode', 'reconstruct', 'score', 'compress', 'decompress'] as const;
export type OperationName = (typeof OPERATION_NAMES)[number];

/** How shards are written. `files` unpacks archives into the output folder. */
export const FORMAT_NAMES = ['npy', 'npz', 'safetensors', 'parquet', 'jsonl', 'tar', 'vaez', 'files'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');
const side = z.int().positive().max(16384);

/** What changes the bytes that come out; all of it is part of what a job is. */
export const jobOptionsSchema = z.strictObject({
  /** encode: also the logarithms of the posterior's variances. Default false. */
  logVariance: z.boolean().optional(),
  /** encode, reconstruct: a draw from the posterior in place of its mean. Default false. */
  draw: z.boolean().optional(),
  /** Of draws; encode and reconstruct with `draw`, score. Default 0. */
  seed: seedSchema.optional(),
  /** score: also the importance-weighted bound at so many draws. */
  importanceSamples: z.int().positive().max(65536).optional(),
  /** Conditional models: the class of all items, in place of their labels. */
  label: z.int().min(0).optional(),
  /** Files with several arrays: the one that is the data. Tables of pictures: the column with them. */
  array: z.string().optional(),
  /** Arrays with channels last. Default `nchw`. */
  layout: z.enum(['nchw', 'nhwc']).optional(),
  /** Pictures for models that keep no recipe of pictures: sides of a row. */
  size: z.union([side, z.tuple([side, side])]).optional(),
  colour: z.enum(COLOURS).optional(),
  fit: z.enum(FITS).optional(),
  /** Folders: only files whose name or path matches. */
  include: z.array(z.string()).optional(),
  exclude: z.array(z.string()).optional(),
  /** compress: with loss, 0 to 100. Default: without loss. */
  quality: z.number().min(0).max(100).optional(),
  /** compress: keep the pixels of pictures alone. Default false. */
  pixelsOnly: z.boolean().optional(),
  /** compress: put the model into each archive. Default false. */
  embedModel: z.boolean().optional(),
  /** Rows of one run of a network. Default: by the size of a row. */
  batch: z.int().positive().max(65536).optional(),
  /** The same bits on every processor. Default false. */
  deterministic: z.boolean().optional(),
  /** Execution provider. Default `cpu`. */
  provider: z.string().optional(),
  /** Whether the model is one of tables, whose rows are cells; found out when the job is described. */
  tableModel: z.boolean().optional(),
});

export interface JobSettings extends z.output<typeof jobOptionsSchema> {}

/**
 * A job as JSON: what a queue carries and `.job/job.json` keeps. Paths are absolute, or s3://bucket/prefix. There are no
 * credentials in it: those come from where the SDK looks for them on each machine.
 */
export const jobSchema = z.strictObject({
  format: z.literal('node-vae-job'),
  version: z.literal(1),
  /** Of node-vae: shards of one job are all made by the same. */
  release: z.string(),
  operation: z.enum(OPERATION_NAMES),
  /** Absent only for decompress, where archives embed their model or it comes with the package. */
  model: z
    .strictObject({
      /** Absolute path, s3://… or the name of a model of this package. */
      source: z.string().min(1),
      /** Of all its files: what a worker's model must have too. */
      sha256,
    })
    .optional(),
  inputs: z
    .array(
      z.strictObject({
        path: z.string().min(1),
        /** `list`: a text or JSON lines file that names the items. `items`: whatever its name says. Default: by its name. */
        as: z.enum(['list', 'items']).optional(),
      }),
    )
    .min(1),
  /** Folder of the shards: absolute path, or s3://bucket/prefix. */
  output: z.string().min(1),
  /** Items of a shard, at most. */
  shardSize: z.int().positive(),
  outputFormat: z.enum(FORMAT_NAMES),
  options: jobOptionsSchema,
});

export type Job = z.output<typeof jobSchema>;

/** @throws VaeError ERR_VAE_FORMAT for what is no description of a job: queues and folders are not trusted. */
export function parseJob(value: unknown, where: string): Job {
  const result = jobSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value, jobSchema)).join('; ');
  throw new VaeError('ERR_VAE_FORMAT', `${where}: not the description of a job: ${problems}.`);
}

/** One shard of a plan. The items themselves are in `.job/plan`, a file for each shard. */
export interface PlannedShard {
  /** From 0. */
  readonly number: number;
  readonly items: number;
  /** SHA-256 of the shard's list of items: paths, sizes, times or ETags. */
  readonly digest: string;
}

/** A file that belongs to a shard, by its name within the output folder. */
export interface ShardFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** An item that is not in the output. */
export interface ItemError {
  readonly shard: number;
  readonly name: string;
  readonly code: string;
  readonly reason: string;
}

/** Seconds of work by stage, added up over what runs at once. */
export interface StageSeconds {
  /** Waiting for files, ranges of files, or the network. */
  readonly read: number;
  /** Decoding files to rows. */
  readonly decode: number;
  /** Running networks or coders. */
  readonly run: number;
  /** Writing the shard. */
  readonly write: number;
}

/** What became of a shard; kept as `.job/done/NUMBER.json`, without the seconds. */
export interface ShardResult {
  readonly shard: number;
  /** Of the job and the shard's items together: by it a shard is known to be done. */
  readonly key: string;
  readonly files: readonly ShardFile[];
  /** Items in the output, and rows that they gave. */
  readonly items: number;
  readonly rows: number;
  readonly bytesIn: number;
  readonly errors: readonly ItemError[];
  /** Whether it was there already. */
  readonly wasDone: boolean;
  readonly seconds: StageSeconds;
}

export interface JobSummary {
  readonly output: string;
  readonly shards: number;
  /** Shards that were there when the call began. */
  readonly shardsBefore: number;
  readonly items: number;
  readonly rows: number;
  /** Items that are in errors.jsonl. */
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
