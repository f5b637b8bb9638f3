import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { RunPart, RunRecord, Vae } from '../../index.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { openRun } from '../find-runs.js';
import { note } from '../output.js';
import { duration } from '../progress.js';
import { resultOf } from '../recording.js';
import type { CommandResult } from '../result.js';
import type { DataFlags, SessionFlags } from '../shared-options.js';
import { train } from '../train/train.js';

interface ReproduceFlags {
  readonly data?: string;
  readonly out?: string;
}

export const registerReproduce: RegisterCommand = (program, run) => {
  const command = program
    .command('reproduce')
    .summary('repeat a training run and compare')
    .description(
      'Repeats a run from its record, on the same data with the same options and seed, and compares the parameters ' +
        'bit for bit. On the same machine with the same versions they are the same; elsewhere it says how far apart.',
    )
    .argument('<run>', 'directory that train wrote')
    .option('--data <path>', 'where the data lies now, if it was moved')
    .option('-o, --out <dir>', 'keep the repeated run there (default: it is let go of)')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae reproduce digits/
  $ node-vae reproduce digits/ --data /mnt/mnist -o digits-again --json

Exit code 0: every parameter has the same bits. 1: they differ, or the data are not those of the run.`,
    );
  return command.action((directory: string, flags: ReproduceFlags) =>
    run((signal) => reproduce(directory, flags, signal)),
  );
};

async function reproduce(directory: string, flags: ReproduceFlags, signal: AbortSignal): Promise<CommandResult> {
  const { Vae } = await import('../../index.js');
  const { record } = await openRun(directory);
  const parts = repeatable(record, directory);
  const changes = await changesSince(parts[parts.length - 1]!);
  for (const change of changes) note(`Differs     ${change}`);
  const original = resolve(directory);
  const folder = flags.out === undefined ? await mkdtemp(join(tmpdir(), 'node-vae-reproduce-')) : resolve(flags.out);
  const isNew = flags.out === undefined || !existsSync(folder);
  try {
    const started = performance.now();
    for (const [index, part] of parts.entries()) await repeat(part, folder, index > 0, flags, signal);
    signal.throwIfAborted();
    await using before = await Vae.load(original);
    await using after = await Vae.load(folder);
    const result = await resultOf(after, undefined);
    const identical = result.parameters === record.result!.parameters;
    const saved = (await resultOf(before, undefined)).parameters === record.result!.parameters;
    const seconds = (performance.now() - started) / 1000;
    const distance = identical ? 0 : largestDifference(before, after);
    if (!identical) {
      const why = changes.length > 0 ? ` What differs: ${changes.join('; ')}.` : '';
      const scope = saved
        ? `the largest difference is ${distance.toExponential(2)}`
        : 'and the model was changed since';
      throw new CliError(
        'ERR_VAE_REPRODUCIBILITY',
        `The repeated run ended with other parameters than ${directory}: ${scope}.${why} ` +
          'Bits are the same only for the same processor, number of threads and versions.',
      );
    }
    return {
      data: {
        run: directory,
        identical,
        parameters: result.parameters,
        seconds,
        changes,
        ...(flags.out && { out: flags.out }),
      },
      rows: [
        ['Run', directory],
        ['Identical', `yes: all ${result.parameterCount.toLocaleString('en-US')} parameters, bit for bit`],
        ['Digest', result.parameters],
        ['Time', duration(seconds)],
        ...(flags.out ? [['Repeated in', flags.out] as [string, string]] : []),
      ],
    };
  } finally {
    // Half a repetition compares with nothing.
    if (flags.out === undefined || (signal.aborted && isNew)) await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The parts of a run that have to be repeated. One that was interrupted or killed and then resumed with the same
 * options is part of the next: resuming gives the bits of a run that was never interrupted.
 */
function repeatable(record: RunRecord, directory: string): RunPart[] {
  const last = record.parts[record.parts.length - 1]!;
  if ((last.outcome !== 'done' && last.outcome !== 'stopped') || record.result === undefined) {
    throw new CliError(
      'ERR_VAE_OPTION',
      `The run in ${directory} did not come to its end (${last.outcome}), so there is nothing to compare with. ` +
        'Finish it first: node-vae train DATA -o RUN --resume.',
    );
  }
  const parts: RunPart[] = [];
  for (const [index, part] of record.parts.entries()) {
    if (part.outcome === 'done' || part.outcome === 'stopped') {
      parts.push(part);
      continue;
    }
    const next = record.parts[index + 1]!;
    if (JSON.stringify(part.settings.fit) !== JSON.stringify(next.settings.fit)) {
      throw new CliError(
        'ERR_VAE_OPTION',
        `The run in ${directory} was interrupted and resumed with other options, at a moment that is not known. It cannot be repeated.`,
      );
    }
    // The first part says what the model is; the later one only went on.
    record.parts[index + 1] = { ...next, command: part.command, settings: part.settings, resumed: part.resumed };
  }
  return parts;
}

async function repeat(
  { command, settings, data, validation }: RunPart,
  out: string,
  resume: boolean,
  { data: moved }: ReproduceFlags,
  signal: AbortSignal,
): Promise<void> {
  const { flags, directory } = command;
  const { checkpoint: _checkpoint, log: _log, ...fit } = settings.fit;
  // Options of the model are in the settings; what stays are the flags that say how data are read.
  const kept = omit(flags, ['resume', 'report', 'codec', 'tensorboard', 'minutes']);
  const here = process.cwd();
  // Other files that the flags name lie where the command was given.
  const path = moved === undefined ? from(directory, command.path) : resolve(moved);
  try {
    await train(path, { ...(kept as DataFlags & SessionFlags), out, resume, overwrite: false }, signal, {
      settings: { model: settings.model, fit },
      expected: { training: data.fingerprint, validation: validation?.fingerprint },
    });
  } finally {
    process.chdir(here);
  }
}

/** Goes where the run was begun; the data's path from there, or whole where that folder is gone. */
function from(directory: string, path: string): string {
  try {
    process.chdir(directory);
    return path;
  } catch {
    note(`The folder ${directory}, where the run was begun, is not there; paths are taken from here.`);
    return resolve(directory, path);
  }
}

/** What may make the bits differ, in words. */
async function changesSince({ environment: then }: RunPart): Promise<string[]> {
  const { describeEnvironment } = await import('../../index.js');
  const now = describeEnvironment();
  const pairs: [string, string | number, string | number][] = [
    ...(['node-vae', 'node', 'onnxruntime'] as const).map(
      (name) => [name, then.versions[name], now.versions[name]] as [string, string, string],
    ),
    ['platform', then.platform, now.platform],
    ['processor', then.processor, now.processor],
    ['cores', then.cores, now.cores],
  ];
  return pairs
    .filter(([, before, after]) => before !== after)
    .map(([name, before, after]) => `${name} ${before}, now ${after}`);
}

function largestDifference(left: Vae, right: Vae): number {
  let largest = 0;
  for (const { name } of left.info.parameters) {
    const [a, b] = [left.parameter(name), right.parameter(name)];
    for (let index = 0; index < a.length; index += 1) largest = Math.max(largest, Math.abs(a[index]! - b[index]!));
  }
  return largest;
}

function omit(flags: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !names.includes(name)));
}
