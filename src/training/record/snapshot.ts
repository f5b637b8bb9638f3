/** From a running session to a checkpoint and back. */
import { CHECKPOINT_SLOTS, type Checkpoint, type CheckpointSlot } from '../../artifacts/checkpoint.js';
import type { ArtifactsManifest } from '../../artifacts/manifest.js';
import type { NativeTrainingSession } from '../../binding/addon.js';
import { VaeError } from '../../core/errors.js';
import { freshState, type LoopState } from '../loop/loop-state.js';

/** Copies everything a run needs to go on; the session must be between requests. */
export function takeSnapshot(
  session: NativeTrainingSession,
  manifest: ArtifactsManifest,
  state: LoopState,
  run: { readonly seed: bigint; readonly fingerprint: string; readonly optimizer: string },
): Checkpoint {
  const slots: Partial<Record<CheckpointSlot, Float32Array>> = {};
  for (const slot of CHECKPOINT_SLOTS) {
    const values = slot === 'accumulator' && session.pendingMicroBatches === 0 ? undefined : session.getSlot(slot);
    if (values) slots[slot] = values;
  }
  const { epoch, position, microBatch, learningRate, ...rest } = state;
  return {
    manifest,
    parameters: session.getParameters(),
    slots,
    states: session.getStates(),
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
  session.setParameters(checkpoint.parameters);
  session.setStates(checkpoint.states);
  for (const slot of CHECKPOINT_SLOTS) {
    const values = checkpoint.slots[slot];
    if (values) session.setSlot(slot, values);
  }
  session.step = step;
  session.pendingMicroBatches = pending;
  const { fingerprint: _, epochs, partial, best, ...rest } = loop;
  return { ...rest, epoch, position, microBatch, learningRate, epochs: [...epochs], partial: { ...partial }, best };
}
