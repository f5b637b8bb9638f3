/** The report of a training run: its curves, and pictures where the data are pictures. */
import type { Dataset, Figure, History, Vae, WrittenReport } from '../index.js';
import { count } from './output.js';

/** Rows that are encoded for the latent space. */
const SCATTER_ROWS = 3000;
const PICTURES = 60;

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
  const { latentScatter, priorSamples, reconstructions, trainingCurves, writeReport } = await import('../index.js');
  const { vae, history, examples, heldOut, signal } = run;
  const figures: Figure[] = [trainingCurves(history.epochs, { unit: 'row' })];
  if (isPicture(vae.dataShape)) {
    const originals = await examples.take(PICTURES).toMemory(signal);
    const rebuilt = await vae.reconstruct(originals, { signal });
    const { condition } = vae.info;
    const classes = condition && Array.from({ length: 2 * PICTURES }, (_, index) => index % condition.classes);
    const samples = await vae.sample(2 * PICTURES, { seed: 0, ...(classes && { labels: classes }), signal });
    figures.push(
      reconstructions({ data: originals.memory!, shape: [originals.length, ...vae.dataShape] }, asArray(rebuilt), {
        seenInTraining: !heldOut,
      }),
      priorSamples(asArray(samples)),
    );
  }
  const shown = examples.take(SCATTER_ROWS);
  const { mean } = await vae.encode(shown, { signal });
  const flat = { data: mean.data as Float32Array, shape: [shown.length, mean.size / shown.length] };
  if (shown.length > 1) figures.push(latentScatter(flat, shown.labels ? { labels: shown.labels } : {}));
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

function asArray(tensor: { data: unknown; dims: readonly number[] }): { data: Float32Array; shape: readonly number[] } {
  return { data: tensor.data as Float32Array, shape: tensor.dims };
}

function isPicture([channels, ...rest]: readonly number[]): boolean {
  return rest.length === 2 && (channels === 1 || channels === 3 || channels === 4);
}
