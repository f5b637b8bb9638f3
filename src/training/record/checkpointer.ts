/** Decides when a run is written to disk, and writes while the run goes on. */
import { performance } from 'node:perf_hooks';
import type { Checkpoint } from '../../artifacts/checkpoint.js';
import type { LoopState } from '../loop/loop-state.js';
import type { CheckpointDirectory } from './checkpoint-directory.js';

export interface CheckpointPolicy {
  /** Batches between two checkpoints. */
  readonly everyBatches: number | undefined;
  readonly everyMinutes: number | undefined;
}

export class Checkpointer {
  readonly #directory: CheckpointDirectory;
  readonly #policy: CheckpointPolicy;
  readonly #snapshot: () => Checkpoint;
  #lastMicroBatch: number;
  #lastTime = performance.now();
  #writing: Promise<void> = Promise.resolve();

  /** @param snapshot copies the run's state; called between requests only. */
  constructor(directory: CheckpointDirectory, policy: CheckpointPolicy, state: LoopState, snapshot: () => Checkpoint) {
    this.#directory = directory;
    this.#policy = policy;
    this.#snapshot = snapshot;
    this.#lastMicroBatch = state.microBatch;
  }

  /** Batches that may run before the next checkpoint by count is due. */
  batchesLeft(state: LoopState): number {
    const { everyBatches } = this.#policy;
    if (everyBatches === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(1, this.#lastMicroBatch + everyBatches - state.microBatch);
  }

  /** Writes one where it is due. At most one is being written at a time. */
  async afterRequest(state: LoopState): Promise<void> {
    const { everyBatches, everyMinutes } = this.#policy;
    const byCount = everyBatches !== undefined && state.microBatch - this.#lastMicroBatch >= everyBatches;
    const byTime = everyMinutes !== undefined && performance.now() - this.#lastTime >= everyMinutes * 60_000;
    if (byCount || byTime) await this.save(state);
  }

  /** Writes the best state so far. */
  async improved(checkpoint: Checkpoint): Promise<void> {
    await this.#writing;
    this.#writing = this.#directory.saveBest(checkpoint);
    this.#writing.catch(() => {});
  }

  /** The last state, whole on disk. */
  async finish(state: LoopState): Promise<void> {
    await this.save(state);
    await this.#writing;
  }

  /** Copies the state at once and resolves when it is on disk. */
  async saveNow(state: LoopState): Promise<void> {
    const checkpoint = this.#snapshot();
    this.#lastMicroBatch = state.microBatch;
    this.#lastTime = performance.now();
    const before = this.#writing.catch(() => {});
    this.#writing = before.then(() => this.#directory.save(checkpoint));
    await this.#writing;
  }

  /** Copies the state now and writes it while the run goes on. */
  async save(state: LoopState): Promise<void> {
    await this.#writing;
    this.#lastMicroBatch = state.microBatch;
    this.#lastTime = performance.now();
    this.#writing = this.#directory.save(this.#snapshot());
    // A failure surfaces at the next write or at the end; until then it is not unhandled.
    this.#writing.catch(() => {});
  }
}
