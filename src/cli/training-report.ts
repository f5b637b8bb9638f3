/** The report of a training run: its curves, and every figure that the data allow. */
import type { Dataset, Figure, History, Vae, WrittenReport } from '../index.js';
import { count } from './output.js';

export interface TrainingReport {
  readonly vae: Vae;
  readonly history: History;
  /** Held-out rows, or the training data where there are none. */
  readonly examples: Dataset;
  readonly heldOut: boolean;
  /** Names and values for the table of the report. */
  readonly details: readonly (readonly [name: string, value: string])[];
  readonly data: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

export async function writeTrainingReport(directory: string, run: TrainingReport): Promise<WrittenReport> {
  const { trainingCurves, writeReport } = await import('../index.js');
  const { vae, history, examples, heldOut, signal } = run;
  const figures: Figure[] = [
    trainingCurves(history.epochs, { unit: 'row' }),
    ...(await vae.plot(examples, { seenInTraining: !heldOut, signal })),
  ];
  const last = history.epochs[history.epochs.length - 1];
  const final = last?.validation ?? last?.train;
  return writeReport(directory, {
    title: 'Training report',
    subtitle: run.details[0]?.[1] ?? '',
    highlights: final
      ? [
          {
            label: last?.validation ? 'Validation loss' : 'Training loss',
            value: final.loss.toFixed(2),
            unit: 'nats per row',
          },
          { label: 'Reconstruction', value: final.reconstruction.toFixed(2), unit: 'nats per row' },
          { label: 'KL divergence', value: final.kl.toFixed(2), unit: 'nats per row' },
          { label: 'Speed', value: count(history.examplesPerSecond), unit: 'rows per second' },
        ]
      : [],
    figures,
    details: run.details,
    data: run.data,
  });
}
