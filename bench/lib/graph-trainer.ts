/** A native training session kept for many rounds, over any training graph with `input`, `epsilon`, `kl_weight`. */
import type { ArtifactsManifest } from '../../src/artifacts/manifest.js';
import type { NativeTrainingSession, TrainResult } from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';

export interface GraphTrainerOptions {
  readonly trainingModel: Uint8Array;
  readonly manifest: ArtifactsManifest;
  /** The flat buffer. */
  readonly parameters: Float32Array;
  readonly dataShape: readonly number[];
  readonly latentDim: number;
  /** Rows of bytes. */
  readonly data: Uint8Array;
  readonly batch: number;
  readonly threads: number;
  readonly profilePrefix?: string;
}

export interface TrainedSteps {
  readonly stepMs: number;
  readonly seconds: TrainResult['seconds'] & { readonly total: number };
  readonly loss: number;
}

export class GraphTrainer {
  readonly #session: NativeTrainingSession;
  readonly #rows: number;
  readonly #batch: number;
  #steps = 0;

  private constructor(session: NativeTrainingSession, rows: number, batch: number) {
    this.#session = session;
    this.#rows = rows;
    this.#batch = batch;
  }

  static async open(options: GraphTrainerOptions): Promise<GraphTrainer> {
    const { manifest, dataShape, latentDim, data, threads, profilePrefix } = options;
    const session = await loadAddon().createTrainingSession({
      intraOpThreads: threads,
      ...(profilePrefix === undefined ? {} : { profilePrefix }),
      trainingModel: options.trainingModel,
      parameters: manifest.parameters.map(({ name, dims, gradient }) => ({ name, dims, gradient, trainable: true })),
      states: manifest.states,
      feeds: [
        { kind: 'rows', name: 'input', dims: dataShape, dtype: 'float32' },
        { kind: 'normal', name: 'epsilon', dims: [latentDim], stream: 1 },
        { kind: 'scalar', name: 'kl_weight' },
      ],
      scalars: manifest.scalars,
      perExample: [],
      optimizer: { type: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
      seed: 1n,
    });
    session.setParameters(options.parameters);
    const rows = data.length / dataShape.reduce((product, dim) => product * dim, 1);
    session.attachRows('input', data, rows, { scale: 1 / 255, offset: 0, binarise: 'none' });
    return new GraphTrainer(session, rows, options.batch);
  }

  /** So many steps on rows in random order. */
  async train(steps: number): Promise<TrainedSteps> {
    const batchSizes = new Uint32Array(steps).fill(this.#batch);
    const indices = Uint32Array.from({ length: steps * this.#batch }, () => Math.floor(Math.random() * this.#rows));
    const started = performance.now();
    const result = await this.#session.train({
      indices,
      batchSizes,
      firstMicroBatch: this.#steps,
      scalars: { kl_weight: new Float32Array(steps).fill(1) },
      learningRates: new Float64Array(steps).fill(1e-3),
      accumulate: 1,
    });
    const total = (performance.now() - started) / 1000;
    if (result.completed !== steps)
      throw new Error(`${result.completed} of ${steps} steps: ${result.nonFinite?.where}`);
    this.#steps += steps;
    return {
      stepMs: (total * 1000) / steps,
      seconds: { ...result.seconds, total },
      loss: result.scalars['loss']!.at(-1)!,
    };
  }

  /** Path of ONNX Runtime's trace. */
  endProfiling(): string {
    return this.#session.endProfiling();
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}
