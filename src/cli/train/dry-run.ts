/** `train --dry-run`: what a run would take, without a run. */

import { freemem } from 'node:os';
import type { Dataset, EstimateOptions, TrainingEstimate } from '../../index.js';
import { count, note } from '../output.js';
import { duration } from '../progress.js';
import type { CommandResult } from '../result.js';
import type { TrainFlags } from './flags.js';
import { describeModel, prepare } from './prepare.js';
import { withResume } from './resume.js';

export async function dryRun(path: string, given: TrainFlags, signal: AbortSignal): Promise<CommandResult> {
  const flags = await withResume(given);
  // Nothing is written, so it does not matter what the directory holds.
  const { out: _, ...rest } = flags;
  const { training, validation, settings, vae: model } = await prepare(path, flags.resume ? flags : rest, signal);
  await using vae = model;
  const options = { ...(settings.fit as EstimateOptions<Dataset>), ...(validation && { validation }), signal };
  const fromGraphs = await vae.estimateFit(training, { ...options, measureSeconds: 0 });
  const fits = fromGraphs.memory.total < freemem();
  if (fits) note('Running a few steps to see how long they take. Nothing is kept of them.');
  else note('The run would not fit into the memory that is free now; its time is not measured.');
  const estimate = fits ? await vae.estimateFit(training, options) : fromGraphs;
  return { data: { dryRun: true, ...estimate }, rows: [['Model', describeModel(vae)], ...rowsOf(estimate)] };
}

function rowsOf({ shapes, memory, stepsPerEpoch, steps, measured }: TrainingEstimate): [string, string][] {
  const rows: [string, string][] = [
    ['Batch', `[${shapes.input.join(', ')}], latents [${shapes.latent.join(', ')}]`],
    ...shapes.parameters.map(({ name, dims }): [string, string] => [`  ${name}`, `[${dims.join(', ')}]`]),
    ['Steps', `${count(steps)} in all, ${count(stepsPerEpoch)} an epoch`],
    ['Memory', `${megabytes(memory.total)} by the graphs, besides the process and the data`],
    ['  parameters', megabytes(memory.parameters)],
    ['  gradients', megabytes(memory.gradients)],
    ['  optimizer', megabytes(memory.optimizer)],
    ['  activations', megabytes(memory.activations)],
    ['  batch', megabytes(memory.batch)],
    ['  data', `${megabytes(memory.data)}, read already`],
  ];
  if (measured === undefined) return rows;
  const { residentBytes, processBytes, secondsPerStep, seconds, steps: taken } = measured;
  rows.push([
    '  measured',
    `${megabytes(residentBytes)} more after ${count(taken)} steps, ${megabytes(processBytes)} in all`,
  ]);
  rows.push(['Time', `${duration(seconds)}: ${(1000 * secondsPerStep).toFixed(2)} ms a step, evaluations included`]);
  return rows;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
