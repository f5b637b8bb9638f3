/** A sweep on one machine; and what every sweep ends with. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { ioError, writeFilesAtomically } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { requireDrawing, trainingCurves, writeReport } from '../../report/index.js';
import { describeSweep, nextRung, rungEpochs, type Sweep, type TrialResult, trialsOf } from './sweep.js';
import { readResult, runTrial, SweepData, trialFolder } from './trial.js';

const SWEEP_FILE = 'sweep.json';

export interface SweepProgress {
  /** Epochs that the trials of this step are trained to. */
  readonly epochs: number;
  readonly trials: number;
  readonly done: number;
  readonly bestLoss: number | undefined;
}

export interface SweepSummary {
  readonly output: string;
  /** Best first; of each trial what it came to. */
  readonly trials: readonly TrialResult[];
  /** The model of the best trial that stayed to the end. */
  readonly best: string;
  readonly table: string;
  /** Absent where node-vae-report is not installed. */
  readonly report?: string;
}

const schema = z.strictObject({
  /** What is swept: an object, or the path of a JSON file. */
  sweep: z.union([z.string().min(1), z.record(z.string(), z.unknown())]),
  /** Path of the data, as readDataset() takes it. */
  data: z.string().min(1),
  /** Folder of trials, table and report; made where missing. */
  output: z.string().min(1),
  /** Trials at once. Default 1: a trial takes all processors. */
  concurrency: z.int().min(1).max(1024).default(1),
  ...signalShape,
  onProgress: z.custom<(progress: SweepProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface SweepOptions extends InputOf<typeof schema> {}

/**
 * Trains a grid or a random search of configurations on this machine. The same call again goes on where it was killed.
 *
 * @throws VaeError ERR_VAE_OPTION for what is wrong in the description, ERR_VAE_REPRODUCIBILITY where the folder holds another
 *   sweep, ERR_VAE_DATA where no trial could be trained, ERR_VAE_IO; the signal's reason.
 */
export async function runSweep(options: SweepOptions): Promise<SweepSummary> {
  const { concurrency, signal, onProgress, ...given } = parseOptions(schema, options, 'runSweep()');
  const sweep = await beginSweep(given);
  const data = new SweepData();
  for (;;) {
    const rung = await nextRung(sweep, (trial, epochs) => readResult(sweep, trial, epochs));
    if (rung === undefined) break;
    let done = 0;
    let bestLoss: number | undefined;
    const waiting = [...rung.trials];
    await Promise.all(
      Array.from({ length: Math.min(concurrency, waiting.length) }, async () => {
        for (let trial = waiting.shift(); trial !== undefined; trial = waiting.shift()) {
          const { loss } = await runTrial(sweep, trial, rung.epochs, { data, signal });
          done += 1;
          bestLoss = Math.min(bestLoss ?? Number.POSITIVE_INFINITY, loss);
          onProgress?.({ epochs: rung.epochs, trials: rung.trials.length, done, bestLoss });
        }
      }),
    );
  }
  return finishSweep(sweep);
}

/** The description, kept in the folder. @throws VaeError ERR_VAE_REPRODUCIBILITY where that holds another sweep. */
export async function beginSweep({
  sweep: given,
  data,
  output,
}: {
  readonly sweep: string | Readonly<Record<string, unknown>>;
  readonly data: string;
  readonly output: string;
}): Promise<Sweep> {
  const where = typeof given === 'string' ? given : 'The sweep';
  const sweep = describeSweep(typeof given === 'string' ? await readJson(given) : given, { data, output, where });
  const path = join(sweep.output, SWEEP_FILE);
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw ioError(error, `reading ${path}`);
  });
  const { output: _, ...kept } = sweep;
  const text = `${JSON.stringify(kept, null, 2)}\n`;
  if (before !== undefined && before !== text) {
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `${sweep.output} holds another sweep, by its ${SWEEP_FILE}. Name another folder, or give the description it was begun with.`,
    );
  }
  await mkdir(sweep.output, { recursive: true }).catch((error: unknown) => {
    throw ioError(error, `making ${sweep.output}`);
  });
  if (before === undefined) await writeFilesAtomically([{ path, chunks: [Buffer.from(text)] }]);
  return sweep;
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw ioError(error, `reading ${path}`);
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${path} is not JSON: ${(cause as Error).message}.`, { cause });
  }
}

/** Table and report: the same whoever writes them. @throws VaeError ERR_VAE_DATA where no trial could be trained. */
export async function finishSweep(sweep: Sweep): Promise<SweepSummary> {
  const steps = rungEpochs(sweep);
  const results: TrialResult[] = [];
  for (const trial of trialsOf(sweep)) {
    let furthest: TrialResult | undefined;
    for (const epochs of steps) furthest = (await readResult(sweep, trial, epochs)) ?? furthest;
    if (furthest !== undefined) results.push(furthest);
  }
  // Who came further was better at the step before.
  results.sort((a, b) => b.epochs - a.epochs || a.loss - b.loss || a.trial - b.trial);
  const [first] = results.filter(({ failed }) => failed === undefined);
  if (first === undefined) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `None of ${results.length} trials could be trained. The first: ${results[0]?.failed}`,
    );
  }
  const table = join(sweep.output, 'trials.csv');
  const best = join(trialFolder(sweep, first.trial), 'model');
  await writeFilesAtomically([{ path: table, chunks: [Buffer.from(csvOf(sweep, results))] }]);
  const drawn = await requireDrawing().then(
    () => true,
    (error: unknown) => {
      if (error instanceof VaeError && error.code === 'ERR_VAE_PACKAGE') return false;
      throw error;
    },
  );
  const summary = { output: sweep.output, trials: results, best, table };
  if (!drawn) return summary;
  // As in sweep.json: the same report wherever the folder lies.
  const { output: _, ...described } = sweep;
  const { page } = await writeReport(sweep.output, {
    title: 'Sweep',
    subtitle: `${results.length} trials over ${Object.keys(sweep.space).join(', ')}`,
    highlights: [
      { label: 'Best −ELBO, nats', value: first.loss.toFixed(2) },
      { label: 'Trial', value: String(first.trial) },
      { label: 'Trained to the end', value: String(results.filter(({ epochs }) => epochs === sweep.epochs).length) },
    ],
    figures: [trainingCurves(first.history)],
    details: results.map((result) => [`trial ${result.trial}`, inWords(result)] as const),
    data: { sweep: described, trials: results },
  });
  return { ...summary, report: page };
}

function inWords({ values, epochs, loss, failed }: TrialResult): string {
  const said = Object.entries(values).map(([path, value]) => `${path} ${JSON.stringify(value)}`);
  return `${failed === undefined ? `−ELBO ${loss.toFixed(2)}` : `failed: ${failed}`} after ${epochs} epochs; ${said.join(', ')}`;
}

function csvOf({ space }: Sweep, results: readonly TrialResult[]): string {
  const paths = Object.keys(space);
  const cell = (value: unknown): string => {
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const head = ['trial', 'epochs', 'loss', 'reconstruction', 'kl', 'parameters', ...paths, 'failed'];
  const rows = results.map(({ trial, epochs, loss, reconstruction, kl, parameters, values, failed }) =>
    [trial, epochs, loss, reconstruction, kl, parameters, ...paths.map((path) => values[path]), failed ?? ''].map(cell),
  );
  return [head, ...rows].map((row) => `${row.join(',')}\n`).join('');
}
