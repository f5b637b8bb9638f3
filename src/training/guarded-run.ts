/** One run: the loop with its checkpoints, its best state, and what it leaves behind. */
import type { Checkpoint } from '../artifacts/checkpoint.js';
import type { NativeTrainingSession } from '../binding/addon.js';
import { VaeError } from '../core/errors.js';
import { type MomentParameters, RunControl } from './control.js';
import type { MetricsLog, RunEnded } from './log/metrics-log.js';
import { type LoopHooks, runEpochs } from './loop/fit-loop.js';
import type { LoopState } from './loop/loop-state.js';
import type { FitProgress, History } from './progress.js';
import type { CheckpointDirectory } from './record/checkpoint-directory.js';
import { Checkpointer } from './record/checkpointer.js';
import { restoreSnapshot, takeSnapshot } from './record/snapshot.js';
import type { RunRequest, TrainingTask } from './request.js';

/** A run that has to go back this often will not get better by halving its rate once more. */
const MOST_ROLLBACKS = 8;

export interface RunStart {
  readonly state: LoopState;
  readonly seed: bigint;
  readonly fingerprint: string;
  readonly directory: CheckpointDirectory | undefined;
  readonly log: MetricsLog;
}

export class GuardedRun {
  readonly #session: NativeTrainingSession;
  readonly #task: TrainingTask;
  readonly #request: RunRequest;
  readonly #start: RunStart;
  readonly #state: LoopState;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #control: RunControl;
  /** Where a rollback goes to: the end of the last epoch. */
  #lastGood: Checkpoint | undefined;
  #best: Checkpoint | undefined;
  #rollbacks = 0;
  /** Whether the session's parameters have ceased to be finite. */
  #broken = false;
  #toldOfLog = false;

  constructor(session: NativeTrainingSession, task: TrainingTask, request: RunRequest, start: RunStart) {
    this.#session = session;
    this.#task = task;
    this.#request = request;
    this.#start = start;
    this.#state = start.state;
    this.#control = new RunControl(start.state, {
      saveCheckpoint: () => this.#saveCheckpoint(),
      saveModel: (directory) => this.#saveModel(directory),
      parameters: () => this.#parameters(),
    });
    const { checkpoint: policy, accumulate } = request.options;
    if (policy !== undefined && start.directory !== undefined) {
      const everyBatches = policy.everySteps === undefined ? undefined : policy.everySteps * accumulate;
      const timing = { everyBatches, everyMinutes: policy.everyMinutes };
      this.#checkpointer = new Checkpointer(start.directory, timing, start.state, () => this.#snapshot());
    }
  }

  /** Runs to the end and hands over where training stands, in whatever way it ends. */
  async complete(): Promise<History> {
    const { options, train, validation } = this.#request;
    const { seed, directory } = this.#start;
    const { hint } = this.#task.inputs;
    if (options.onNonFinite === 'rollback') this.#lastGood = this.#snapshot();
    // A resumed run compares with the best state of the run before it.
    if (this.#keepsBest && this.#state.best) this.#best = await directory?.best(this.#task.artifacts.manifest);
    this.#logStart(train.length);
    const emit = (event: FitProgress): void => this.#emit(event, train.length);
    if (hint) emit({ kind: 'warning', epoch: this.#state.epoch, step: this.#step(train.length), message: hint });
    let history: History | undefined;
    let failure: unknown;
    try {
      const loop = { options, seed, ...this.#task.inputs, state: this.#state, emit, hooks: this.#hooks() };
      history = await runEpochs(this.#session, train, validation, loop);
      await this.#control.end();
      return history;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.#logEnd(train.length, history, failure);
      // Parameters that are not finite are kept nowhere: the model stays as it was, or as it was best.
      const last = this.#broken ? undefined : this.#snapshot();
      const kept = this.#keepsBest ? (this.#best ?? last) : (last ?? this.#lastGood ?? this.#best);
      if (kept !== undefined) {
        this.#request.keep({
          optimizer: options.optimizer,
          clipGradientNorm: options.clipGradientNorm,
          accumulation: options.accumulation,
          checkpoint: kept,
        });
      }
      if (last !== undefined) await this.#checkpointer?.finish(this.#state);
    }
  }

  get #keepsBest(): boolean {
    return this.#request.options.earlyStopping?.restoreBest ?? false;
  }

  #hooks(): LoopHooks {
    const everyEpoch = this.#policyIsEpochs;
    return {
      batchesLeft: () => this.#checkpointer?.batchesLeft(this.#state) ?? Number.POSITIVE_INFINITY,
      afterRequest: async () => this.#checkpointer?.afterRequest(this.#state),
      improved: async () => {
        if (!this.#keepsBest && this.#checkpointer === undefined) return;
        const checkpoint = this.#snapshot();
        if (this.#keepsBest) this.#best = checkpoint;
        await this.#checkpointer?.improved(checkpoint);
      },
      epochDone: async () => {
        if (this.#request.options.onNonFinite === 'rollback') this.#lastGood = this.#snapshot();
        if (everyEpoch) await this.#checkpointer?.save(this.#state);
      },
      broke: () => {
        this.#broken = true;
      },
      rollBack: () => this.#rollBack(),
      stopped: () => this.#control.stopped,
    };
  }

  get #policyIsEpochs(): boolean {
    const { checkpoint } = this.#request.options;
    return checkpoint !== undefined && checkpoint.everySteps === undefined && checkpoint.everyMinutes === undefined;
  }

  #emit(event: FitProgress, rows: number): void {
    const { log } = this.#start;
    log.write(event);
    this.#request.emit(event, this.#control);
    if (log.failure === undefined || this.#toldOfLog) return;
    this.#toldOfLog = true;
    const message = `${log.failure.message} The run goes on without its log.`;
    this.#request.emit({ kind: 'warning', epoch: this.#state.epoch, step: this.#step(rows), message }, this.#control);
  }

  #logStart(rows: number): void {
    const { epochs, batchSize } = this.#request.options;
    const { epoch } = this.#state;
    this.#start.log.write({ kind: 'start', epoch, step: this.#step(rows), epochs, batchSize });
  }

  #logEnd(rows: number, history: History | undefined, failure: unknown): void {
    const { signal } = this.#request.options;
    const aborted = signal?.aborted === true && failure === signal.reason;
    const outcome: RunEnded['outcome'] =
      history === undefined ? (aborted ? 'aborted' : 'failed') : history.stoppedEarly ? 'stopped' : 'done';
    const message = outcome === 'failed' ? { message: String((failure as Error)?.message ?? failure) } : {};
    const { epoch } = this.#state;
    this.#start.log.write({ kind: 'end', outcome, epoch, step: this.#step(rows), ...message });
  }

  /** Batches done, as progress counts them. */
  #step(rows: number): number {
    const { batchSize } = this.#request.options;
    return this.#state.epoch * Math.ceil(rows / batchSize) + Math.ceil(this.#state.position / batchSize);
  }

  async #saveCheckpoint(): Promise<void> {
    if (this.#checkpointer === undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        'saveCheckpoint(): this run has no directory for checkpoints; give fit() { checkpoint: { directory } }.',
      );
    }
    await this.#checkpointer.saveNow(this.#state);
  }

  #saveModel(directory: string): Promise<void> {
    const { values, states } = this.#parameters();
    return this.#task.saveModel(directory, values, states);
  }

  /** What the model is now. */
  #parameters(): MomentParameters {
    const values = this.#session.getSlot('ema') ?? this.#session.getParameters();
    return { values, states: this.#session.getStates() };
  }

  #rollBack(): boolean {
    if (this.#lastGood === undefined || this.#rollbacks >= MOST_ROLLBACKS) return false;
    this.#rollbacks += 1;
    this.#broken = false;
    const rateScale = this.#state.rateScale / 2;
    this.#session.resetGradient();
    Object.assign(this.#state, restoreSnapshot(this.#session, this.#lastGood, this.#start.fingerprint), { rateScale });
    return true;
  }

  #snapshot(): Checkpoint {
    const { seed, fingerprint } = this.#start;
    const optimizer = this.#request.options.optimizer.type;
    return takeSnapshot(this.#session, this.#task.artifacts.manifest, this.#state, { seed, fingerprint, optimizer });
  }
}
