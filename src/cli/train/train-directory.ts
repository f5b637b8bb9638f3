/** `train --artifacts`: a directory of onnxruntime-training goes on, by its own graphs. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CliError } from '../errors.js';
import { count, note } from '../output.js';
import type { CommandResult } from '../result.js';
import { describeData, loadData, requireOut } from '../shared-options.js';
import { MODEL_FLAGS, type TrainFlags } from './flags.js';

/** What the graphs decide, or what this training does not do. */
const NOT_TAKEN = [
  'resume',
  ...MODEL_FLAGS,
  'optimizer',
  'klWeight',
  'validation',
  'validationLabels',
  'validationSplit',
  'checkpointEvery',
  'report',
  'tensorboard',
  'codec',
  'config',
  'dryRun',
  'set',
  'provider',
] as const;

export async function trainDirectory(
  path: string,
  flags: TrainFlags,
  signal: AbortSignal,
  command: Command,
): Promise<CommandResult> {
  const other = NOT_TAKEN.find((name) => command.getOptionValueSource(name) === 'cli');
  if (other !== undefined) {
    const flag = other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new CliError(
      'ERR_VAE_OPTION',
      `--${flag} has no meaning with --artifacts, whose graphs say what is trained and how; leave it out.`,
    );
  }
  const artifacts = flags.artifacts!;
  const out = requireOut(flags.out);
  if (existsSync(join(out, 'config.json'))) {
    throw new CliError('ERR_VAE_OPTION', `"${out}" holds a model of another kind; choose another directory.`);
  }
  if (existsSync(join(out, 'checkpoint')) && !flags.overwrite) {
    const same = resolve(out) === resolve(artifacts) ? ', the one that is trained' : '';
    throw new CliError(
      'ERR_VAE_OPTION',
      `"${out}" holds a checkpoint${same}. Replace it by --overwrite, or choose another directory.`,
    );
  }
  const { trainArtifacts } = await import('../../index.js');
  const data = await loadData(path, flags, signal);
  note(`Data        ${describeData(data)} (${path})`);
  const training = await trainArtifacts(data, {
    artifacts,
    out,
    ...(flags.epochs !== undefined && { epochs: flags.epochs }),
    ...(flags.batchSize !== undefined && { batchSize: flags.batchSize }),
    ...(flags.learningRate !== undefined && { learningRate: flags.learningRate }),
    ...(flags.seed !== undefined && { seed: flags.seed }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    signal,
    onEpoch: ({ epoch, epochs, loss, seconds }) =>
      note(`Epoch ${epoch}/${epochs}  loss ${loss.toFixed(4)}  ${seconds.toFixed(1)} s`),
  });
  if (training.interrupted) note(`Stopped early; the checkpoint as it is now is in ${out}.`);
  const last = training.epochs.at(-1);
  return {
    data: { artifacts, out, ...training },
    rows: [
      ['Artifacts', out],
      ...(last ? [['Training loss', last.loss.toFixed(4)] as [string, string]] : []),
      ['Steps', count(training.step)],
    ],
  };
}
