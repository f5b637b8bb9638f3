/** What a training run will take, from its graphs and from a few steps of it. */
import { performance } from 'node:perf_hooks';
import type { Artifacts } from '../../artifacts/generate.js';
import type { ModelParts } from '../../artifacts/model-io.js';
import type { NativeTrainingSession, SessionOptions } from '../../binding/addon.js';
import { withAbort } from '../../binding/with-abort.js';
import { elementCount } from '../../core/dtype.js';
import type { Dataset } from '../../data/dataset.js';
import { type Model, specializeDims } from '../../graph/index.js';
import { checkFitData } from '../check-data.js';
import type { ResolvedFitOptions } from '../fit-options.js';
import { allRows, evaluateRows, evaluationBatch, sampledRows } from '../loop/evaluation.js';
import { type LoopInputs, runEpochs } from '../loop/fit-loop.js';
import { freshState } from '../loop/loop-state.js';
import { feedRows } from '../loop/row-feed.js';
import { graphToRun, openSession } from '../open-session.js';
import type { FitProgress } from '../progress.js';
import type { TrainingTask } from '../request.js';
import { vaeTask } from '../vae-task.js';
import { peakActivationBytes } from './graph-memory.js';

export interface TrainingEstimate {
  readonly parameterCount: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;
  /** Shape of one batch and of its latents, and of every parameter. */
  readonly shapes: {
    readonly input: readonly number[];
    readonly latent: readonly number[];
    readonly parameters: readonly { readonly name: string; readonly dims: readonly number[] }[];
  };
  /** In bytes, from the graphs: what the run needs on top of the process itself. */
  readonly memory: {
    readonly parameters: number;
    readonly gradients: number;
    /** Moments, moving average and accumulated gradient. */
    readonly optimizer: number;
    /** Results of operators that are alive at one time, at most: in a step, or in an evaluation. */
    readonly activations: number;
    /** The batch as the graph takes it, noise included. */
    readonly batch: number;
    /** Data sets in memory, which the caller holds. */
    readonly data: number;
    /** All but the data. */
    readonly total: number;
  };
  /** Absent where no steps were run. */
  readonly measured?: {
    readonly steps: number;
    /** Median. */
    readonly secondsPerStep: number;
    /** Of the whole run, evaluation after every epoch included. */
    readonly seconds: number;
    /** Growth of the process's resident memory by opening the graphs and running these steps. */
    readonly residentBytes: number;
    /** Resident memory of the whole process after these steps, data and all: what the run itself will need. */
    readonly processBytes: number;
  };
}

/** @internal */
export interface EstimateRequest {
  readonly options: ResolvedFitOptions;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  readonly session: SessionOptions;
  /** How long steps are measured, in seconds; 0: not at all. */
  readonly measureSeconds: number;
}

const WARM_UP_EVENTS = 2;
const LEAST_PACES = 3;
/** Few, so that a slow model is timed after few steps. */
const MOST_STEPS_AT_ONCE = 4;
const MOST_EVALUATED_BATCHES = 2;

/** @internal */
export async function estimateTraining(parts: ModelParts, request: EstimateRequest): Promise<TrainingEstimate> {
  const { options, train, validation, measureSeconds } = request;
  checkFitData(parts, train, validation);
  const task = vaeTask(parts, train, options);
  const batch = Math.min(options.batchSize, train.length);
  const stepsPerEpoch = Math.ceil(train.length / options.batchSize);
  const steps = stepsPerEpoch * options.epochs;
  const { vae, parameters } = parts;
  const { latentShape } = vae.network;
  const memory = memoryOf(task.artifacts, parts, request, batch);
  return {
    parameterCount: parameters.count,
    stepsPerEpoch,
    steps,
    shapes: {
      input: [batch, ...vae.dataShape],
      latent: [batch, ...latentShape],
      parameters: parameters.specs.map(({ name, dims }) => ({ name, dims })),
    },
    memory,
    ...(measureSeconds > 0 && { measured: await measure(task, request, steps) }),
  };
}

function memoryOf(
  { manifest, trainingModel, evalModel }: Artifacts,
  { vae, parameters }: ModelParts,
  { options, train, validation, session }: EstimateRequest,
  batch: number,
): TrainingEstimate['memory'] {
  const { optimizer } = options;
  const trainable = 4 * manifest.parameters.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  const moments = optimizer.type === 'sgd' ? (optimizer.momentum > 0 ? 1 : 0) : 2;
  const slots = moments + (options.emaDecay === undefined ? 0 : 1) + (options.accumulate > 1 ? 1 : 0);
  const evaluated = Math.min(evaluationBatch(vae.dataShape), validation?.length ?? train.length);
  const outputs = new Set([
    ...manifest.parameters.map(({ gradient }) => gradient),
    ...manifest.states.map(({ output }) => output),
  ]);
  const activations = Math.max(
    peakActivationBytes(graphToRun({ trainingModel: withRows(trainingModel, batch) }, options, session), outputs),
    peakActivationBytes(withRows(evalModel, evaluated), new Set()),
  );
  const perRow = elementCount(vae.dataShape) + elementCount(vae.network.latentShape) * vae.objective.samples;
  const parts = {
    parameters: 4 * parameters.count,
    gradients: trainable,
    optimizer: slots * trainable,
    activations,
    batch: 4 * Math.max(batch, evaluated) * perRow,
  };
  const total = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
  const data = (dataset: Dataset | undefined): number => (dataset?.memory ?? dataset?.indexed?.memory)?.byteLength ?? 0;
  return { ...parts, data: data(train) + data(validation), total };
}

/** A copy of the model with a batch of so many rows. */
function withRows(model: Model, rows: number): Model {
  const { graph } = model;
  const copy: Model = { ...model, graph: { ...graph, nodes: [...graph.nodes], types: new Map(graph.types) } };
  specializeDims(copy, { N: rows });
  return copy;
}

/** Runs the loop itself for a while, and evaluates some rows where it did not come to the end of an epoch. */
async function measure(
  task: TrainingTask,
  request: EstimateRequest,
  steps: number,
): Promise<NonNullable<TrainingEstimate['measured']>> {
  const { options, train, validation, measureSeconds } = request;
  const before = process.memoryUsage.rss();
  const seed = BigInt(options.seed ?? task.seed);
  const { inputs } = task;
  const session = await openSession(task, request, seed);
  try {
    const clock = new StepClock(measureSeconds);
    const state = freshState();
    const hooks = {
      batchesLeft: () => MOST_STEPS_AT_ONCE,
      afterRequest: async () => {},
      improved: async () => {},
      epochDone: async () => {},
      rollBack: () => false,
      broke: () => undefined,
      stopped: () => clock.isOver,
    };
    const emit = (event: FitProgress): void => clock.tick(event);
    const history = await runEpochs(session, train, validation, { options, seed, ...inputs, state, emit, hooks });
    const evaluationSeconds =
      state.epoch > 0 ? history.breakdown.validation / state.epoch : await timeEvaluation(session, request, inputs);
    const processBytes = process.memoryUsage.rss();
    return {
      steps: clock.steps,
      secondsPerStep: clock.secondsPerStep,
      seconds: steps * clock.secondsPerStep + options.epochs * evaluationSeconds,
      residentBytes: Math.max(0, processBytes - before),
      processBytes,
    };
  } finally {
    await session.close();
  }
}

/** Seconds of the evaluation after an epoch, from some of its rows. */
async function timeEvaluation(
  session: NativeTrainingSession,
  { options, train, validation }: EstimateRequest,
  { transform, names, constants, layers }: LoopInputs,
): Promise<number> {
  const data = validation ?? train;
  const rows = validation ? allRows(validation.length) : sampledRows(train.length);
  const batch = evaluationBatch(data.rowShape);
  const some = rows.subarray(0, MOST_EVALUATED_BATCHES * batch);
  const feed = feedRows(session, names, data, transform, options.signal);
  const { signal } = options;
  const setting = {
    session,
    feed,
    rows: some,
    batch,
    layers,
    constants,
    useEma: options.emaDecay !== undefined,
    signal,
  };
  const started = performance.now();
  await withAbort(signal, (flag) => evaluateRows({ ...setting, flag }));
  return ((performance.now() - started) / 1000) * (rows.length / some.length);
}

/** Times steps between the events that tell of them; the first few also make memory and caches. */
class StepClock {
  readonly #end: number;
  readonly #paces: number[] = [];
  #last: { readonly time: number; readonly step: number } | undefined;
  #events = 0;
  steps = 0;

  constructor(seconds: number) {
    this.#end = performance.now() + seconds * 1000;
  }

  get isOver(): boolean {
    return performance.now() > this.#end && this.#paces.length >= LEAST_PACES;
  }

  get secondsPerStep(): number {
    const sorted = [...this.#paces].sort((left, right) => left - right);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  }

  tick(event: FitProgress): void {
    const time = performance.now();
    // What lies between the epochs is no step.
    if (event.kind === 'epoch') this.#last = undefined;
    if (event.kind !== 'step') return;
    this.steps = event.step;
    this.#events += 1;
    if (this.#last !== undefined && this.#events > WARM_UP_EVENTS) {
      this.#paces.push((time - this.#last.time) / 1000 / (event.step - this.#last.step));
    }
    this.#last = { time, step: event.step };
  }
}
