/** What a sweep is: a search over options of a model and its training, as JSON that any machine can do a part of. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import { describeIssue } from '../../core/options.js';
import { packageVersion } from '../../core/package-files.js';
import { isS3 } from '../places/s3.js';

const range = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, 'expected [low, high]');

const spaceSchema = z
  .record(
    z.string().regex(/^(model|fit)(\.\w+)+$/, 'expected model.NAME or fit.NAME'),
    z.union([
      z.array(z.unknown()).min(1),
      z.strictObject({ uniform: range }),
      z.strictObject({ logUniform: range.refine(([low]) => low > 0, 'expected numbers above 0') }),
      z.strictObject({ int: range }),
    ]),
  )
  .refine((space) => Object.keys(space).length > 0, 'expected at least one option');

const shape = {
  /** Options of Vae.create() that all trials have; those of the data come from the data. */
  model: z.record(z.string(), z.unknown()).default({}),
  /** Options of fit() that all trials have. */
  fit: z.record(z.string(), z.unknown()).default({}),
  /** What is searched: by the path of an option, values, or a range: uniform, logUniform or int. */
  space: spaceSchema,
  /** Every combination, the default, or so many drawn at random. */
  search: z.union([z.literal('grid'), z.strictObject({ random: z.int().min(1).max(100_000) })]).default('grid'),
  /** Epochs of a trial that stays to the end. Default 10. */
  epochs: z.int().min(1).max(1_000_000).default(10),
  /**
   * Successive halving (Jamieson, Talwalkar 2016): all trials are trained for `from` epochs, the best of `factor` go on for
   * `factor` times as many, and so on. Default: all trials are trained to the end.
   */
  halving: z.strictObject({ from: z.int().min(1), factor: z.int().min(2).default(3) }).optional(),
  /** Share of the rows that trials are compared by, and are not trained on. Default 0.1. */
  validationSplit: z.number().gt(0).lt(1).default(0.1),
  /** Of draws, of the split, and of every trial. Default 0. */
  seed: z.int().min(0).default(0),
};

/** What a sweep's file holds. */
const fileSchema = z.strictObject({ $schema: z.string().optional(), ...shape });

export const sweepSchema = z.strictObject({
  format: z.literal('node-vae-sweep'),
  version: z.literal(1),
  /** Of node-vae: trials of one sweep are all trained by the same. */
  release: z.string(),
  /** Absolute paths. */
  data: z.string().min(1),
  output: z.string().min(1),
  ...shape,
});

export type Sweep = z.output<typeof sweepSchema>;

/** A configuration: values by the path of their option. */
export interface Trial {
  readonly number: number;
  readonly values: Readonly<Record<string, unknown>>;
}

/** @throws VaeError ERR_VAE_OPTION naming what is wrong in the file. */
export function describeSweep(
  file: unknown,
  { data, output, where }: { readonly data: string; readonly output: string; readonly where: string },
): Sweep {
  const parsed = fileSchema.safeParse(file);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => describeIssue(issue, file, fileSchema)).join('; ');
    throw new VaeError('ERR_VAE_OPTION', `${where}: ${problems}.`);
  }
  const { $schema: _, ...rest } = parsed.data;
  if (rest.search === 'grid') {
    const open = Object.entries(rest.space).find(([, values]) => !Array.isArray(values));
    if (open !== undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `${where}: a grid needs values for "${open[0]}", not a range; or search {"random": 20}.`,
      );
    }
  }
  if ((rest.halving?.from ?? 1) > rest.epochs) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: "halving.from" is more than the ${rest.epochs} "epochs" of a whole trial.`,
    );
  }
  for (const [what, path] of [
    ['Data', data],
    ['Trials and their checkpoints', output],
  ] as const) {
    if (!isS3(path)) continue;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${what} of a sweep lie on a file system that all of its workers share: name a folder of it, not ${path}.`,
    );
  }
  return {
    ...{
      format: 'node-vae-sweep',
      version: 1,
      release: packageVersion(),
      data: resolve(data),
      output: resolve(output),
    },
    ...rest,
  };
}

/** All trials, in order. */
export function trialsOf({ space, search, seed }: Sweep): Trial[] {
  const entries = Object.entries(space);
  if (search !== 'grid') {
    return Array.from({ length: search.random }, (_, number) => ({
      number,
      values: Object.fromEntries(
        entries.map(([path, values]) => [path, drawn(values, uniform(`${seed} ${number} ${path}`))]),
      ),
    }));
  }
  const combinations = entries.reduce<Record<string, unknown>[]>(
    (all, [path, values]) => all.flatMap((one) => (values as unknown[]).map((value) => ({ ...one, [path]: value }))),
    [{}],
  );
  return combinations.map((values, number) => ({ number, values }));
}

/** In [0, 1), by a text: the same everywhere. */
function uniform(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48;
}

function drawn(values: Sweep['space'][string], at: number): unknown {
  if (Array.isArray(values)) return values[Math.floor(at * values.length)];
  if ('uniform' in values) return values.uniform[0] + at * (values.uniform[1] - values.uniform[0]);
  if ('int' in values) return values.int[0] + Math.floor(at * (values.int[1] - values.int[0] + 1));
  const [low, high] = values.logUniform.map(Math.log) as [number, number];
  return Math.exp(low + at * (high - low));
}

/** A step of a sweep: these trials, to so many epochs. */
export interface Rung {
  readonly epochs: number;
  readonly trials: readonly Trial[];
}

export interface LossTerms {
  readonly loss: number;
  readonly reconstruction: number;
  readonly kl: number;
}

export interface TrialResult {
  readonly trial: number;
  readonly epochs: number;
  readonly values: Readonly<Record<string, unknown>>;
  /** −ELBO of the held-out rows in nats, at β = 1; Infinity where training failed. */
  readonly loss: number;
  readonly reconstruction: number;
  readonly kl: number;
  readonly parameters: number;
  /** Means over the rows, in nats. */
  readonly history: readonly {
    readonly epoch: number;
    readonly train: LossTerms;
    readonly validation?: LossTerms;
  }[];
  /** Why it could not be trained. */
  readonly failed?: string;
}

/**
 * What is to be trained next, from what is known; undefined at the end. The same for everybody who knows the same.
 *
 * @param resultOf what became of a trial at so many epochs.
 */
export async function nextRung(
  sweep: Sweep,
  resultOf: (trial: Trial, epochs: number) => Promise<TrialResult | undefined>,
): Promise<Rung | undefined> {
  let trials = trialsOf(sweep);
  for (const epochs of rungEpochs(sweep)) {
    const results = await Promise.all(trials.map((trial) => resultOf(trial, epochs)));
    const missing = trials.filter((_, index) => results[index] === undefined);
    if (missing.length > 0) return { epochs, trials: missing };
    trials = best(trials, results as TrialResult[], sweep.halving?.factor ?? 1);
  }
  return undefined;
}

export function rungEpochs({ epochs, halving }: Sweep): number[] {
  if (halving === undefined) return [epochs];
  const steps: number[] = [];
  for (let at = halving.from; at < epochs; at *= halving.factor) steps.push(at);
  return [...steps, epochs];
}

/** The best of so many; the first of equals. Those that failed go. */
function best(trials: readonly Trial[], results: readonly TrialResult[], factor: number): Trial[] {
  const ranked = trials
    .map((trial, index) => ({ trial, loss: results[index]!.loss }))
    .filter(({ loss }) => Number.isFinite(loss))
    .sort((a, b) => a.loss - b.loss || a.trial.number - b.trial.number);
  return ranked
    .slice(0, Math.ceil(trials.length / factor))
    .map(({ trial }) => trial)
    .sort((a, b) => a.number - b.number);
}
