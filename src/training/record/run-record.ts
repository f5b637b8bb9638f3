/** run.json: what a run was given and what came of it, so that it can be compared and repeated. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { loadRuntime } from '../../binding/index.js';
import { VaeError } from '../../core/errors.js';
import { ioError, writeFilesAtomically } from '../../core/files.js';
import { describeIssue } from '../../core/options.js';
import { packageVersion } from '../../core/package-files.js';

const RUN_FILE = 'run.json';
const FORMAT = 'node-vae.run';
const VERSION = 1;

const environmentSchema = z.object({
  /** Of this package, of Node and of ONNX Runtime. */
  versions: z.object({ 'node-vae': z.string(), node: z.string(), onnxruntime: z.string() }),
  /** Operating system and processor architecture, such as `linux x64`. */
  platform: z.string(),
  release: z.string(),
  processor: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
});

const dataSchema = z.object({
  fingerprint: z.string(),
  rows: z.int(),
  rowShape: z.array(z.int()),
  dtype: z.string(),
});

const options = z.record(z.string(), z.unknown());

/** One call of fit(): a run that was resumed has several. */
const partSchema = z.object({
  started: z.string(),
  ended: z.string().optional(),
  /** `running` until it ends; it stays so where the process was killed. */
  outcome: z.enum(['running', 'done', 'stopped', 'aborted', 'failed']),
  /** What it failed with. */
  message: z.string().optional(),
  pid: z.int(),
  /** Whether it went on with what an earlier part had learned. */
  resumed: z.boolean(),
  seconds: z.number().optional(),
  /** The command line: its folder, the path of the data and its flags. */
  command: z.object({ directory: z.string(), path: z.string(), flags: options }),
  /** Options of Vae.create() and of fit(). */
  settings: z.object({ model: options, fit: options }),
  data: dataSchema,
  validation: dataSchema.optional(),
  environment: environmentSchema,
});

const termsSchema = z.object({ loss: z.number(), reconstruction: z.number(), kl: z.number() });

const resultSchema = z.object({
  /** SHA-256 of all parameters, by name and value. */
  parameters: z.string(),
  parameterCount: z.int(),
  epochs: z.int(),
  bestEpoch: z.int().optional(),
  train: termsSchema.optional(),
  validation: termsSchema.optional(),
  latents: z.object({ units: z.int(), activeUnits: z.int() }).optional(),
  rowsPerSecond: z.number().optional(),
});

const recordSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  /** Seed of weights, order and noise, in decimal. */
  seed: z.string(),
  /** Description of the model, as its config.json has it. */
  model: options,
  parts: z.array(partSchema).min(1),
  result: resultSchema.optional(),
});

export interface RunEnvironment extends z.output<typeof environmentSchema> {}
export interface RunPart extends z.output<typeof partSchema> {}
export interface RunResult extends z.output<typeof resultSchema> {}
export interface RunRecord extends z.output<typeof recordSchema> {}

export function newRunRecord(record: Omit<RunRecord, 'format' | 'version'>): RunRecord {
  return { format: FORMAT, version: VERSION, ...record };
}

/** What a result may depend on besides options and data. */
export function describeEnvironment(): RunEnvironment {
  return {
    versions: {
      'node-vae': packageVersion(),
      node: process.versions.node,
      onnxruntime: loadRuntime().version,
    },
    platform: `${platform()} ${arch()}`,
    release: release(),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

/** A digest of parameters: equal exactly where every name and every bit is. */
export function digestParameters(parameters: Iterable<readonly [name: string, values: Float32Array]>): string {
  const hash = createHash('sha256');
  for (const [name, values] of parameters) {
    hash.update(`${name}\n${values.length}\n`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}

/** @throws VaeError ERR_VAE_IO where it cannot be written; the earlier record then stays whole. */
export function writeRunRecord(directory: string, record: RunRecord): Promise<void> {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  return writeFilesAtomically([{ path: join(directory, RUN_FILE), chunks: [Buffer.from(text)] }]);
}

/**
 * Reads the record of a run directory.
 *
 * @throws VaeError ERR_VAE_IO where there is none, ERR_VAE_FORMAT where it is damaged or of a newer version.
 */
export async function readRunRecord(directory: string): Promise<RunRecord> {
  const path = join(directory, RUN_FILE);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw ioError(error, `reading ${path}`);
    throw new VaeError('ERR_VAE_IO', `"${directory}" is not the directory of a run: it has no ${RUN_FILE}.`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${path} is not JSON: the file is truncated or damaged.`, { cause });
  }
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format !== FORMAT) {
    throw new VaeError('ERR_VAE_FORMAT', `${path} is not the record of a run: "format" should be "${FORMAT}".`);
  }
  if (typeof version === 'number' && version > VERSION) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${path} was written by a newer node-vae (version ${version}, this one reads ${VERSION}): upgrade node-vae.`,
    );
  }
  const result = recordSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value)).join('; ');
  throw new VaeError('ERR_VAE_FORMAT', `${path} is not valid: ${problems}.`);
}
