/** From a running session to a checkpoint and back. */
import { CHECKPOINT_SLOTS, type Checkpoint, type CheckpointSlot } from '../../artifacts/checkpoint.js';
import type { ArtifactsManifest } from '../../artifacts/manifest.js';
import type { NativeTrainingSession } from '../../binding/addon.js';
import { VaeError } from '../../core/errors.js';
import { freshState, type LoopState } from '../loop/loop-state.js';

type Values = Pick<Checkpoint, 'parameters' | 'slots' | 'states'>;

/** Copies parameters, states and those of the slots that the session has. */
export function takeValues(session: NativeTrainingSession, from: readonly CheckpointSlot[]): Values {
  const slots: Partial<Record<CheckpointSlot, Float32Array>> = {};
  for (const slot of from) {
    const values = session.getSlot(slot);
    if (values) slots[slot] = values;
  }
  return { parameters: session.getParameters(), slots, states: session.getStates() };
}

/** The way back. */
export function putValues(session: NativeTrainingSession, values: Values, into: readonly CheckpointSlot[]): void {
  session.setParameters(values.parameters);
  session.setStates(values.states);
  for (const slot of into) {
    const data = values.slots[slot];
    if (data) session.setSlot(slot, data);
  }
}

/** Copies everything a run needs to go on; the session must be between requests. */
export function takeSnapshot(
  session: NativeTrainingSession,
  manifest: ArtifactsManifest,
  state: LoopState,
  run: { readonly seed: bigint; readonly fingerprint: string; readonly optimizer: string },
): Checkpoint {
  const none = session.pendingMicroBatches === 0;
  const slots = CHECKPOINT_SLOTS.filter((slot) => slot !== 'accumulator' || !none);
  const { epoch, position, microBatch, learningRate, ...rest } = state;
  return {
    manifest,
    ...takeValues(session, slots),
    progress: {
      step: session.step,
      microBatch,
      epoch,
      position,
      pending: session.pendingMicroBatches,
      seed: String(run.seed),
      optimizer: run.optimizer,
      learningRate,
      // Copied as text: the run goes on and changes them.
      loop: JSON.parse(JSON.stringify({ ...rest, fingerprint: run.fingerprint })),
    },
  };
}

/**
 * Brings a session and its loop to where a checkpoint was taken.
 *
 * @throws VaeError ERR_VAE_REPRODUCIBILITY where the data are not those of the checkpoint.
 */
export function restoreSnapshot(
  session: NativeTrainingSession,
  checkpoint: Checkpoint,
  fingerprint: string,
): LoopState {
  const { step, microBatch, epoch, position, pending, learningRate, loop } = checkpoint.progress;
  if (loop === undefined) return freshState();
  if (loop.fingerprint !== fingerprint && position > 0) {
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      'fit(): the data are not those the checkpoint was made with, and it stands in the middle of an epoch. ' +
        'Resume with the same data, or begin anew without { resume: true }.',
    );
  }
  putValues(session, checkpoint, CHECKPOINT_SLOTS);
  session.step = step;
  session.pendingMicroBatches = pending;
  const { fingerprint: _, epochs, partial, best, ...rest } = loop;
  return { ...rest, epoch, position, microBatch, learningRate, epochs: [...epochs], partial: { ...partial }, best };
}
