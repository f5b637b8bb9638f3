/**
 * How long and in what batches `train` trains where nobody says: counted in optimizer steps, which is what a model learns
 * by, so that thirty pictures and sixty thousand both get enough of them.
 */
import type { Dataset } from '../../index.js';
import type { TrainFlags } from './flags.js';

/** From so many rows on, some are held out, and training goes on until those no longer gain. */
const HOLD_OUT_FROM = 400;
/** Share of the rows that is held out, and how many at most. */
const HELD_SHARE = 0.1;
const MOST_HELD = 5000;
/** What a model of fewer rows learns by: longer, and it learns them by heart. */
const STEPS_OF_FEW_ROWS = 2000;
/** A run that goes on gaining ends here. */
const MOST_STEPS = 20_000;
const FEWEST_EPOCHS = 10;
/** Steps without a gain that end a run. */
const PATIENT_STEPS = 800;
const LEAST_PATIENCE = 3;
/** Batches of an eighth of the rows, within bounds: few rows are seen in many small steps. */
const ROWS_PER_BATCH = 8;
const SMALLEST_BATCH = 4;
const LARGEST_BATCH = 128;
/** Epochs shorter than this are too short for a checkpoint each. */
const CHECKPOINT_STEPS = 200;

/** The share of the rows to hold out where nothing is said of validation. */
export function defaultSplit(rows: number, flags: TrainFlags): number | undefined {
  const said = flags.validation !== undefined || flags.validationSplit !== undefined;
  // A codec is measured on the rows that it is made for.
  if (said || flags.codec || rows < HOLD_OUT_FROM) return undefined;
  return Math.min(HELD_SHARE, MOST_HELD / rows);
}

/**
 * Options of fit() that nobody has given.
 *
 * @param given those that were, by flags, --config and --set.
 */
export function defaultFit(
  training: Dataset,
  validated: boolean,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const batchSize = (given['batchSize'] as number | undefined) ?? batchSizeFor(training.length);
  const stepsPerEpoch = Math.max(1, Math.ceil(training.length / batchSize));
  const steps = validated ? MOST_STEPS : STEPS_OF_FEW_ROWS;
  const epochs = Math.max(FEWEST_EPOCHS, Math.ceil(steps / stepsPerEpoch));
  const patience = Math.max(LEAST_PATIENCE, Math.ceil(PATIENT_STEPS / stepsPerEpoch));
  return {
    batchSize,
    ...(given['epochs'] === undefined && {
      epochs,
      ...(validated && given['earlyStopping'] === undefined && { earlyStopping: { patience } }),
    }),
  };
}

function batchSizeFor(rows: number): number {
  const wanted = 2 ** Math.round(Math.log2(Math.max(1, rows / ROWS_PER_BATCH)));
  return Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, wanted));
}

/** Steps between two checkpoints, where an epoch is too short for one; undefined: one an epoch. */
export function checkpointSteps(rows: number, batchSize: number): number | undefined {
  return rows / batchSize < CHECKPOINT_STEPS ? CHECKPOINT_STEPS : undefined;
}
