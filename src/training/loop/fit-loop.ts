/** Epochs, batches and progress around a native training session. */
import { performance } from 'node:perf_hooks';
import { NAMES, TERMS } from '../../architectures/names.js';
import type { NativeAbortFlag, NativeTrainingSession, RowTransform, TrainResult } from '../../binding/addon.js';
import { withAbort } from '../../binding/with-abort.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { Dataset } from '../../data/dataset.js';
import type { LatentLayer, LatentStatistics } from '../../latent/statistics.js';
import type { ResolvedFitOptions } from '../fit-options.js';
import type { EpochProgress, FitProgress, History } from '../progress.js';
import { batchSizes, EpochOrders } from './batch-plan.js';
import { collapseWarning, describeLatents } from './collapse.js';
import { allRows, type Evaluated, evaluateRows, evaluationBatch, sampledRows } from './evaluation.js';
import { epochLoss, type LoopState, meanTerms, noSums } from './loop-state.js';
import { feedRows, type RowFeed, type RowNames } from './row-feed.js';
import { type ScheduleFunction, type SchedulePoint, scheduleFunction } from './schedules.js';

/** A scalar input of the training graph that follows a schedule. */
export interface ScheduledInput {
  readonly name: string;
  /** The option of fit() that it comes from. */
  readonly option: string;
  readonly value: ScheduleFunction;
}

/** What goes into the graphs besides noise. */
export interface LoopInputs {
  readonly transform: RowTransform;
  /** The graph's inputs that are fed from the data. */
  readonly names: RowNames;
  /** Scalar inputs that stay the same. */
  readonly constants: Readonly<Record<string, number>>;
  /** Scalar inputs that change with the steps, β apart. */
  readonly scheduled: readonly ScheduledInput[];
  /** What to say of the data where training diverges, in place of lower rates. */
  readonly hint?: string | undefined;
  /** The stochastic layers. */
  readonly layers: readonly LatentLayer[];
  /** Further scalar outputs of the training graph that progress tells. */
  readonly scalars?: readonly string[];
}

export interface LoopOptions extends LoopInputs {
  readonly options: ResolvedFitOptions;
  readonly seed: bigint;
  readonly state: LoopState;
  emit(progress: FitProgress): void;
  readonly hooks: LoopHooks;
}

/** What happens around the steps: checkpoints, keeping the best, going back. */
export interface LoopHooks {
  /** Batches that may run before the loop must come back. */
  batchesLeft(): number;
  afterRequest(): Promise<void>;
  /** After an epoch that was the best so far. */
  improved(): Promise<void>;
  /** After every epoch. */
  epochDone(): Promise<void>;
  /** The parameters have ceased to be finite: such a state is not kept. */
  broke(): void;
  /** Goes back to the last good state; false where there is none, or it was tried too often. */
  rollBack(): boolean;
  /** Whether a callback asked to end the run. */
  stopped(): boolean;
}

/** One native call lasts about this long: seldom enough to cost nothing, often enough to follow. */
const SECONDS_PER_REQUEST = 0.1;
const MOST_BATCHES_PER_REQUEST = 512;

/** With `skip`, a run that does nothing but skip has diverged. */
const MOST_SKIPPED_IN_A_ROW = 20;

/** Batches that rows are read for while one is worked on, in no more memory than this. */
export const MOST_BATCHES_AHEAD = 4;
const MOST_BYTES_AHEAD = 256 * 2 ** 20;

/** Runs epochs until `options.epochs` are done. The state stays true whatever ends the run. */
export async function runEpochs(
  session: NativeTrainingSession,
  train: Dataset,
  validation: Dataset | undefined,
  loop: LoopOptions,
): Promise<History> {
  const { options } = loop;
  return withAbort(options.signal, async (flag) => {
    const run = new EpochLoop(session, train, validation, loop, flag);
    return run.all();
  });
}

class EpochLoop {
  readonly #session: NativeTrainingSession;
  readonly #loop: LoopOptions;
  readonly #rows: number;
  readonly #feed: RowFeed;
  readonly #orders: EpochOrders;
  readonly #batchesAhead: number;
  /** What is evaluated after every epoch: the validation data, else some of the training data for its latents. */
  readonly #evaluated: {
    readonly feed: RowFeed;
    readonly rows: Uint32Array;
    readonly batch: number;
    readonly heldOut: boolean;
  };
  readonly #flag: NativeAbortFlag | undefined;
  readonly #stepsPerEpoch: number;
  readonly #learningRate: ScheduleFunction;
  readonly #klWeight: ScheduleFunction;
  readonly #started = performance.now();
  readonly #breakdown = { assemble: 0, graph: 0, optimizer: 0, validation: 0 };
  #examples = 0;
  #trainSeconds = 0;
  #batchesPerRequest = 4;
  #skipped = 0;
  #allSkipped = 0;

  constructor(
    session: NativeTrainingSession,
    train: Dataset,
    validation: Dataset | undefined,
    loop: LoopOptions,
    flag: NativeAbortFlag | undefined,
  ) {
    this.#session = session;
    this.#loop = loop;
    this.#rows = train.length;
    this.#flag = flag;
    this.#stepsPerEpoch = Math.ceil(train.length / loop.options.batchSize);
    const { signal, learningRate, optimizer, klWeight } = loop.options;
    this.#learningRate = scheduleFunction(learningRate ?? optimizer.learningRate);
    this.#klWeight = scheduleFunction(klWeight);
    this.#orders = new EpochOrders(train.length, loop.seed, loop.options.shuffle);
    const rowBytes = elementCount(train.rowShape) * (train.dtype === 'uint8' ? 1 : 4);
    const fitting = Math.floor(MOST_BYTES_AHEAD / (rowBytes * loop.options.batchSize));
    this.#batchesAhead = Math.max(1, Math.min(MOST_BATCHES_AHEAD, fitting));
    this.#feed = feedRows(session, loop.names, train, loop.transform, signal);
    this.#evaluated = {
      feed: feedRows(session, loop.names, validation ?? train, loop.transform, signal),
      // Without latents that are told of, there is nothing to measure on training data.
      rows: validation ? allRows(validation.length) : sampledRows(loop.layers.length > 0 ? train.length : 0),
      batch: evaluationBatch((validation ?? train).rowShape),
      heldOut: validation !== undefined,
    };
  }

  async all(): Promise<History> {
    const { state, options } = this.#loop;
    let stoppedEarly = false;
    while (state.epoch < options.epochs && !stoppedEarly) {
      await this.#epoch();
      const stopped = this.#hasStalled() || this.#loop.hooks.stopped() || this.#batchesLeft() === 0;
      stoppedEarly = stopped && state.epoch < options.epochs;
    }
    if (this.#allSkipped > 0 && this.#examples === 0) throw this.#nothingTrained();
    const seconds = (performance.now() - this.#started) / 1000;
    return {
      epochs: [...state.epochs],
      bestEpoch: state.best?.epoch ?? 0,
      stoppedEarly,
      seconds,
      examplesPerSecond: this.#examples / Math.max(this.#trainSeconds, 1e-9),
      breakdown: { ...this.#breakdown },
    };
  }

  async #epoch(): Promise<void> {
    const { state, options, hooks, emit } = this.#loop;
    const started = performance.now();
    const before = this.#examples;
    while (state.position < this.#rows) {
      await this.#request(batchSizes(this.#rows, state.position, options.batchSize, this.#requestSize()));
      if (hooks.stopped() || this.#batchesLeft() === 0) return;
    }
    const { partial } = state;
    const trainSeconds = (performance.now() - started) / 1000;
    const { terms, latents } = await this.#evaluate();
    state.epoch += 1;
    state.position = 0;
    state.partial = noSums();
    const seconds = (performance.now() - started) / 1000;
    const perStep = (sum: number): number | undefined => (partial.steps > 0 ? sum / partial.steps : undefined);
    const progress: EpochProgress = {
      kind: 'epoch',
      epoch: state.epoch,
      epochs: options.epochs,
      train: meanTerms(partial, partial.seen),
      ...(this.#evaluated.heldOut && { validation: terms }),
      ...(latents && { latents: describeLatents(latents, options.collapse) }),
      learningRate: state.learningRate,
      klWeight: state.klWeight,
      gradientNorm: perStep(partial.gradientNorm),
      updateNorm: perStep(partial.updateNorm),
      step: state.epoch * this.#stepsPerEpoch,
      seconds,
      examplesPerSecond: (this.#examples - before) / Math.max(trainSeconds, 1e-9),
      secondsLeft: (options.epochs - state.epoch) * seconds,
    };
    state.epochs.push(progress);
    const loss = epochLoss(progress);
    // An epoch that took no step, or whose loss is no number, is never the best.
    const counts = partial.seen > 0 && Number.isFinite(loss);
    if (counts && (state.best === undefined || loss < state.best.loss - (options.earlyStopping?.minDelta ?? 0))) {
      state.best = { epoch: state.epoch, loss };
      await hooks.improved();
    }
    if (latents) this.#watchCollapse(latents);
    emit(progress);
    await hooks.epochDone();
  }

  /** Tells of collapse once, when the run has had its chance: early on, β may still be rising. */
  #watchCollapse(latents: LatentStatistics): void {
    const { state, options, emit } = this.#loop;
    const chance = Math.max(1, Math.ceil(options.epochs * options.collapse.after));
    if (state.toldOfCollapse || state.klWeight === 0 || state.epoch < chance) return;
    const message = collapseWarning(latents, options.collapse);
    if (message === undefined) return;
    state.toldOfCollapse = true;
    emit({ kind: 'warning', epoch: state.epoch, step: state.epoch * this.#stepsPerEpoch, message });
  }

  #hasStalled(): boolean {
    const { state, options } = this.#loop;
    if (options.earlyStopping === undefined || state.best === undefined) return false;
    return state.epoch - state.best.epoch >= options.earlyStopping.patience;
  }

  /** Trains on the next batches; moves the state past those that were done. */
  async #request(sizes: Uint32Array): Promise<void> {
    const { state, options } = this.#loop;
    const rows = sum(sizes);
    const { epoch, position } = state;
    const wanted = this.#orders.of(epoch).subarray(position, position + rows);
    const ahead = this.#orders.ahead(epoch, position + rows, options.batchSize, this.#batchesAhead, options.epochs);
    const indices = await this.#feed.prepare({ rows: wanted, pass: epoch }, ahead);
    const points = Array.from(sizes, (_, batch) => this.#point(batch));
    const learningRates = Float64Array.from(
      points,
      (point) => evaluate(this.#learningRate, point, 'learningRate') * state.rateScale,
    );
    const klWeights = Float32Array.from(points, (point) => evaluate(this.#klWeight, point, 'klWeight') * state.klScale);
    const started = performance.now();
    const result = await this.#session.train(
      {
        indices,
        batchSizes: sizes,
        firstMicroBatch: state.microBatch,
        scalars: { [NAMES.klWeight]: klWeights, ...this.#scheduled(points), ...this.#constants(sizes.length) },
        learningRates,
        accumulate: options.accumulate,
        measureUpdates: true,
      },
      this.#flag,
    );
    const seconds = (performance.now() - started) / 1000;
    this.#account(result, sizes, seconds);
    if (result.completed > 0) this.#report(result, learningRates, klWeights);
    if (result.nonFinite !== undefined) this.#recover(result.nonFinite, sizes[result.completed] ?? 0);
    options.signal?.throwIfAborted();
    await this.#loop.hooks.afterRequest();
  }

  /** Goes on after a step that was not finite, as asked; the session has not applied it. */
  #recover(nonFinite: NonNullable<TrainResult['nonFinite']>, batchRows: number): void {
    const { state, options, hooks, emit } = this.#loop;
    const diverged = this.#diverged(nonFinite);
    if (nonFinite.applied) hooks.broke();
    const warn = (remedy: string): void => {
      const message = `${nonFinite.where} is not finite in epoch ${state.epoch + 1}, batch ${state.microBatch}: ${remedy}.`;
      emit({ kind: 'warning', epoch: state.epoch + 1, step: state.microBatch, message });
    };
    // A step that was taken cannot be left out.
    if (options.onNonFinite === 'skip' && !nonFinite.applied) {
      this.#skipped += 1;
      this.#allSkipped += 1;
      if (this.#skipped > MOST_SKIPPED_IN_A_ROW) throw diverged;
      warn('the batch was skipped');
      this.#session.resetGradient();
      state.position += batchRows;
      state.microBatch += 1;
      return;
    }
    if (options.onNonFinite === 'rollback' && hooks.rollBack()) {
      warn(`went back to epoch ${state.epoch + 1}, batch ${state.microBatch}, with half the learning rate`);
      return;
    }
    throw diverged;
  }

  #account(result: TrainResult, sizes: Uint32Array, seconds: number): void {
    const { state } = this.#loop;
    const examples = sum(sizes.subarray(0, result.completed));
    const { partial } = state;
    for (let batch = 0; batch < result.completed; batch += 1) {
      for (const term of TERMS) partial[term] += result.scalars[term]![batch]! * sizes[batch]!;
      const [gradientNorm, updateNorm] = [result.gradientNorms[batch]!, result.updateNorms![batch]!];
      if (Number.isNaN(gradientNorm)) continue;
      partial.gradientNorm += gradientNorm;
      partial.updateNorm += updateNorm;
      partial.steps += 1;
    }
    partial.seen += examples;
    state.position += examples;
    state.microBatch += result.completed;
    if (result.completed > 0) this.#skipped = 0;
    this.#examples += examples;
    this.#trainSeconds += seconds;
    for (const part of ['assemble', 'graph', 'optimizer'] as const) this.#breakdown[part] += result.seconds[part];
    const perBatch = seconds / Math.max(result.completed, 1);
    this.#batchesPerRequest = Math.max(
      1,
      Math.min(MOST_BATCHES_PER_REQUEST, Math.round(SECONDS_PER_REQUEST / perBatch)),
    );
  }

  #report(result: TrainResult, learningRates: Float64Array, klWeights: Float32Array): void {
    const { state, options, emit, scalars } = this.#loop;
    const last = result.completed - 1;
    state.learningRate = learningRates[last]!;
    state.klWeight = klWeights[last]!;
    const step = state.epoch * this.#stepsPerEpoch + Math.ceil(state.position / options.batchSize);
    const steps = options.epochs * this.#stepsPerEpoch;
    const examplesPerSecond = this.#examples / Math.max(this.#trainSeconds, 1e-9);
    emit({
      kind: 'step',
      epoch: state.epoch + 1,
      epochs: options.epochs,
      step,
      steps,
      loss: result.scalars['loss']![last]!,
      reconstruction: result.scalars['reconstruction']![last]!,
      kl: result.scalars['kl']![last]!,
      learningRate: state.learningRate,
      klWeight: state.klWeight,
      gradientNorm: lastFinite(result.gradientNorms),
      updateNorm: lastFinite(result.updateNorms!),
      ...(scalars && { scalars: Object.fromEntries(scalars.map((name) => [name, result.scalars[name]![last]!])) }),
      examplesPerSecond,
      secondsLeft: ((steps - step) * options.batchSize) / examplesPerSecond,
    });
  }

  async #evaluate(): Promise<Evaluated> {
    const started = performance.now();
    const { options, constants, layers } = this.#loop;
    const evaluated = await evaluateRows({
      session: this.#session,
      feed: this.#evaluated.feed,
      rows: this.#evaluated.rows,
      batch: this.#evaluated.batch,
      layers,
      constants,
      useEma: options.emaDecay !== undefined,
      flag: this.#flag,
      signal: options.signal,
    });
    this.#breakdown.validation += (performance.now() - started) / 1000;
    return evaluated;
  }

  #scheduled(points: readonly SchedulePoint[]): Record<string, Float32Array> {
    return Object.fromEntries(
      this.#loop.scheduled.map(({ name, option, value }) => [
        name,
        Float32Array.from(points, (point) => evaluate(value, point, option)),
      ]),
    );
  }

  #constants(batches: number): Record<string, Float32Array> {
    const { constants } = this.#loop;
    return Object.fromEntries(
      Object.entries(constants).map(([name, value]) => [name, new Float32Array(batches).fill(value)]),
    );
  }

  #requestSize(): number {
    const left = Math.min(this.#loop.hooks.batchesLeft(), this.#batchesLeft());
    return Math.min(this.#feed.batchesPerRequest, this.#batchesPerRequest, left);
  }

  /** Batches that the run may still take. */
  #batchesLeft(): number {
    const { state, options } = this.#loop;
    return Math.max(0, (options.maxBatches ?? Number.POSITIVE_INFINITY) - state.microBatch);
  }

  #point(batch: number): SchedulePoint {
    const { state, options } = this.#loop;
    const done = state.position + batch * options.batchSize;
    return {
      step: Math.floor((state.microBatch + batch) / options.accumulate),
      steps: Math.ceil((options.epochs * this.#stepsPerEpoch) / options.accumulate),
      epoch: state.epoch + done / this.#rows,
      losses: state.epochs.map(epochLoss),
    };
  }

  #diverged({ microBatch, where, applied }: NonNullable<TrainResult['nonFinite']>): VaeError {
    const { state } = this.#loop;
    const left = applied
      ? 'The model is left as fit() found it, or as its last best epoch'
      : 'The parameters are those before that step';
    return new VaeError(
      'ERR_VAE_RUNTIME',
      `Training diverged in epoch ${state.epoch + 1}, batch ${microBatch}: ${where} is not finite. ${left}. ` +
        (this.#loop.hint ?? 'Try a lower learning rate, clipGradientNorm, or a smaller klWeight at first.'),
    );
  }

  #nothingTrained(): VaeError {
    return new VaeError(
      'ERR_VAE_RUNTIME',
      `fit(): nothing was trained: all ${this.#allSkipped} batches were skipped, since their loss or gradient was not finite. ` +
        "Leave out onNonFinite: 'skip' to see where that begins; the model's parameters or the data may hold values that are too large.",
    );
  }
}

function evaluate(schedule: ScheduleFunction, point: SchedulePoint, name: string): number {
  const value = schedule(point);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new VaeError('ERR_VAE_OPTION', `fit(): ${name} gave ${value} at step ${point.step}; expected a number from 0.`);
}

function sum(values: Uint32Array | Float32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function lastFinite(values: Float32Array): number {
  return values.findLast((value) => Number.isFinite(value)) ?? Number.NaN;
}
