/** The networks of one model with their sessions: what encode, decode and score of the Vae class run on. */
import type { NativeAbortFlag, SessionOptions } from '../binding/addon.js';
import { withAbort } from '../binding/with-abort.js';
import { VaeError } from '../core/errors.js';
import { type ArrayRecipe, isScaled, scaleRows } from '../data/array/recipe.js';
import { checkedScores } from './bounds/check-scores.js';
import { drawFromPosterior, drawFromPrior, type LatentRows, type NoiseSource } from './bounds/draw-latents.js';
import { drawRuns, kindOf, scoreByImportance } from './bounds/importance.js';
import { type InspectedLatents, inspectByEncoder, inspectByObjective } from './bounds/inspect-latents.js';
import { type ScoreRows, scoreByNetworks, scoreByObjective } from './bounds/score.js';
import type { DeviceGraphKind } from './device/device-graphs.js';
import { DeviceTensor } from './device/device-tensor.js';
import {
  type DeviceEncoding,
  type DeviceLatents,
  type DeviceWork,
  decodeOnDevice,
  encodeOnDevice,
} from './device/run-on-device.js';
import type { Networks, SessionKind } from './networks.js';
import { type LabelRows, labelFeeds } from './rows/labels.js';
import { type BatchInput, type RowReader, type RowsInput, readRows, withMembers } from './rows/rows.js';
import { decodeRows, type EncodeTarget, encodeRows, type PosteriorRows } from './rows/run-networks.js';
import { type TilingInput, tiledNetworks } from './rows/tiling.js';
import { type ChosenProvider, chooseProvider, type ProviderInput } from './sessions/providers.js';
import { GraphSession } from './sessions/session.js';
import { SessionPool } from './sessions/session-pool.js';

export interface EngineOptions {
  readonly threads: number;
  readonly provider: ProviderInput;
  /** How batches are tiled where a call does not say. */
  readonly tiling?: TilingInput | undefined;
  /** Whether results are the same bits on every processor. */
  readonly deterministic?: boolean | undefined;
}

/** How rows are run. */
export interface PassOptions {
  readonly signal?: AbortSignal | undefined;
  readonly tiling?: TilingInput | undefined;
  /** Rows of one run at most. */
  readonly maxRows?: number | undefined;
}

export interface CallOptions extends PassOptions {
  /** Of conditional models. */
  readonly labels?: LabelRows | undefined;
}

export interface DecodedRows {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** A network, or a graph beside it for device tensors of this rank. */
type PoolKind = SessionKind | `${DeviceGraphKind}:${number}`;

/** Opens a network, in the setting of an engine. */
type Open = (kind: SessionKind, options: SessionOptions) => Promise<GraphSession>;

export class Engine {
  readonly networks: Networks;
  readonly #options: EngineOptions;
  readonly #choice: ChosenProvider;
  readonly #pool: SessionPool<PoolKind>;

  private constructor(
    networks: Networks,
    options: EngineOptions,
    choice: ChosenProvider,
    pool: SessionPool<PoolKind> = new SessionPool((kind) => openKind(networks, kind, sessionOptions(options, choice))),
  ) {
    this.networks = networks;
    this.#options = options;
    this.#choice = choice;
    this.#pool = pool;
  }

  /**
   * @throws VaeError ERR_VAE_BINDING where the provider is not there.
   */
  static async open(networks: Networks, options: EngineOptions): Promise<Engine> {
    refuseDevices(options);
    // The processor is always there: its sessions are opened when first needed.
    if (options.provider === 'cpu') return new Engine(networks, options, { name: 'cpu', providers: [] });
    return Engine.study(networks.open, options, () => Promise.resolve(networks));
  }

  /** Opens networks that are only known once a session of them is there: `describe` studies it. */
  static async study(
    open: Open,
    options: EngineOptions,
    describe: (encoder: GraphSession, opened: SessionOptions) => Promise<Networks>,
  ): Promise<Engine> {
    refuseDevices(options);
    const { choice, opened } = await chooseProvider(options.provider, (candidate) =>
      open('encoder', sessionOptions(options, candidate)),
    );
    try {
      const networks = await describe(opened, sessionOptions(options, choice));
      const engine = new Engine(networks, options, choice);
      engine.#pool.add('encoder', opened);
      return engine;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Name of the execution provider in use. */
  get provider(): string {
    return this.#choice.name;
  }

  get sessionOptions(): SessionOptions {
    return sessionOptions(this.#options, this.#choice);
  }

  /** Another owner of the same sessions and weights. */
  share(): Engine {
    return new Engine(this.networks, this.#options, this.#choice, this.#pool.retain());
  }

  /** An engine of its own for other networks, in the same setting. */
  with(networks: Networks): Engine {
    return new Engine(networks, this.#options, this.#choice);
  }

  /** Closes the sessions once their last owner has let go. */
  close(): Promise<void> {
    return this.#pool.release();
  }

  encode(batch: BatchInput, call: CallOptions, where: string, target?: EncodeTarget): Promise<PosteriorRows> {
    return this.encodeRows(this.#readData(batch, call, where), call, where, target);
  }

  /** As encode(), of rows that were checked, with their labels where the model takes any. */
  encodeRows(reader: RowReader, call: PassOptions, where: string, target?: EncodeTarget): Promise<PosteriorRows> {
    const { signal, tiling: wanted = this.#options.tiling, maxRows } = call;
    const { networks, tiling } = tiledNetworks(this.networks, wanted, where);
    return this.#run('encoder', signal, (session, flag) =>
      encodeRows({ networks, session, reader, flag, tiling, maxRows, where }, target),
    );
  }

  /** A draw from the posterior of each row, for models whose mean and variance do not say all. */
  drawPosterior(batch: BatchInput, source: NoiseSource, call: CallOptions, where: string): Promise<LatentRows> {
    const reader = this.#readData(batch, call, where);
    return this.#run('posterior', call.signal, (session, flag) =>
      drawFromPosterior(session, this.networks, reader, source, flag),
    );
  }

  /** Draws from a prior that is not the standard normal. */
  drawPrior(
    rows: number,
    source: NoiseSource,
    temperature: number,
    call: CallOptions,
    where: string,
  ): Promise<LatentRows> {
    const labels = labelFeeds(this.networks, call.labels, undefined, rows, where);
    return this.#run('prior', call.signal, (session, flag) =>
      drawFromPrior(session, this.networks, rows, source, temperature, labels, flag),
    );
  }

  decode(latents: RowsInput, call: CallOptions, where: string, target?: Float32Array): Promise<DecodedRows> {
    const { tiling: wanted = this.#options.tiling } = call;
    // Through tiles, latents may have any size.
    const { latentShape } = tiledNetworks(this.networks, wanted, where).networks;
    const reader = readRows(latents, latentShape, where, { signal: call.signal });
    return this.decodeRows(this.#labelled(reader, call, latents, where), call, where, target);
  }

  /** As decode(), of rows that were checked, with their labels where the model takes any. */
  decodeRows(reader: RowReader, call: PassOptions, where: string, target?: Float32Array): Promise<DecodedRows> {
    const { signal, tiling: wanted = this.#options.tiling, maxRows } = call;
    const { networks, tiling } = tiledNetworks(this.networks, wanted, where);
    return this.#run('decoder', signal, async (session, flag) => {
      const decoded = await decodeRows({ networks, session, reader, flag, tiling, maxRows, where }, target);
      if (networks.dataScaling !== undefined) scaleRows(decoded.data, 0, networks.dataScaling, 'out');
      return decoded;
    });
  }

  /** As encode(), with the results left where the execution provider has its memory. */
  encodeOnDevice(batch: BatchInput, call: CallOptions, where: string): Promise<DeviceEncoding> {
    const reader = this.#readData(batch, call, where);
    return this.#onDevice('encoder', call.signal, where, (work) => encodeOnDevice(work, reader));
  }

  decodeOnDevice(latents: DeviceLatents, call: CallOptions, where: string): Promise<DeviceTensor> {
    const { networks } = this;
    const given =
      latents instanceof DeviceTensor
        ? latents
        : readRows(latents, networks.latentShape, where, { signal: call.signal });
    const rows = given instanceof DeviceTensor ? given.dims[0]! : given.rows;
    const labels = labelFeeds(networks, call.labels, latents, rows, where)?.(0, rows);
    return this.#onDevice('decoder', call.signal, where, (work) => decodeOnDevice(work, given, labels));
  }

  /** At one draw from the posterior of each row, the same for the same seed. */
  score(batch: BatchInput, seed: bigint, call: CallOptions, where: string): Promise<ScoreRows> {
    const { signal, tiling: wanted = this.#options.tiling } = call;
    const { networks, tiling } = tiledNetworks(this.networks, wanted, where);
    const reader = this.#readData(batch, call, where);
    if (networks.hasObjective) {
      return this.#run('objective', signal, async (session, flag) =>
        checkedScores(await scoreByObjective(session, networks, reader, seed, flag), networks, reader, where),
      );
    }
    return this.#run('encoder', signal, (encoder, flag) =>
      this.#pool.use('decoder', async (decoder) => {
        const scores = await scoreByNetworks(networks, encoder, decoder, reader, { seed, flag, tiling, where });
        return checkedScores(scores, networks, reader, where);
      }),
    );
  }

  /**
   * As score() of a model with an objective, of rows that were checked, with their labels.
   *
   * @param draws which row's draw each row has: those of several calls together have the draws that each would have.
   */
  scoreRows(
    reader: RowReader,
    seed: bigint,
    draws: Int32Array,
    signal: AbortSignal | undefined,
    where: string,
  ): Promise<ScoreRows> {
    const { networks } = this;
    return this.#run('objective', signal, async (session, flag) =>
      checkedScores(await scoreByObjective(session, networks, reader, seed, flag, draws), networks, reader, where),
    );
  }

  /** What is known of each latent dimension of each row, piece by piece. */
  inspectLatents(
    batch: BatchInput,
    seed: bigint,
    call: CallOptions,
    where: string,
    take: (rows: InspectedLatents) => void,
  ): Promise<void> {
    const { signal, tiling: wanted = this.#options.tiling } = call;
    const { networks, tiling } = tiledNetworks(this.networks, wanted, where);
    const reader = this.#readData(batch, call, where);
    if (networks.hasObjective) {
      return this.#run('objective', signal, (session, flag) =>
        inspectByObjective(session, networks, reader, seed, flag, take),
      );
    }
    return this.#run('encoder', signal, (session, flag) =>
      inspectByEncoder({ networks, session, reader, flag, tiling, where }, take),
    );
  }

  /** At many draws, with their importance-weighted bound. */
  async scoreByImportance(
    batch: BatchInput,
    samples: number,
    seed: bigint,
    call: CallOptions,
    where: string,
  ): Promise<Required<ScoreRows>> {
    if (!this.networks.hasObjective || this.networks.encoder.posterior.kind !== 'pair') {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `${where}: importanceSamples needs the density of the posterior, which this model does not have.`,
      );
    }
    const reader = this.#readData(batch, call, where);
    const [first, last = first!] = [...new Set(drawRuns(samples).map(kindOf))];
    return this.#run(first!, call.signal, (one, flag) =>
      this.#pool.use(last, async (other) => {
        const sessions = new Map([
          [first!, one],
          [last, other],
        ]);
        const scores = await scoreByImportance(sessions, this.networks, reader, seed, samples, flag);
        return checkedScores(scores, this.networks, reader, where);
      }),
    );
  }

  /** Calls `work` with every session of the model's own that is open. */
  async eachSession(work: (kind: SessionKind, session: GraphSession) => void): Promise<void> {
    for (const [kind, session] of await this.#pool.opened()) if (isNetwork(kind)) work(kind, session);
  }

  #readData(batch: BatchInput, call: CallOptions, where: string): RowReader {
    return this.#labelled(this.#readRows(batch, call.signal, where), call, batch, where);
  }

  /** Rows as the networks take them. */
  #readRows(batch: BatchInput, signal: AbortSignal | undefined, where: string): RowReader {
    const { dataShape, bytes, domain, dataScaling } = this.networks;
    const reader = readRows(batch, dataShape, where, { bytes, domain, signal });
    return dataScaling === undefined || isScaled(batch) ? reader : scaledRows(reader, dataScaling);
  }

  /** The reader, with the labels that go with its rows where the model takes any. */
  #labelled(reader: RowReader, { labels }: CallOptions, batch: unknown, where: string): RowReader {
    if (this.networks.classes === undefined && labels === undefined) return reader;
    return withMembers(reader, { feeds: labelFeeds(this.networks, labels, batch, reader.rows, where) });
  }

  #onDevice<T>(
    kind: SessionKind,
    signal: AbortSignal | undefined,
    where: string,
    run: (work: DeviceWork) => Promise<T>,
  ): Promise<T> {
    if (this.#options.tiling !== undefined && this.#options.tiling !== false) {
      throw new VaeError('ERR_VAE_OPTION', `${where}: this model is set to tiles, which are put together in memory.`);
    }
    const { networks } = this;
    return this.#run(kind, signal, (session, flag) =>
      run({
        ...{ networks, session, flag, where },
        use: (graph, rank, work) => this.#pool.use(`${graph}:${rank}`, work),
      }),
    );
  }

  #run<T>(
    kind: SessionKind,
    signal: AbortSignal | undefined,
    work: (session: GraphSession, flag: NativeAbortFlag | undefined) => Promise<T>,
  ): Promise<T> {
    return this.#pool.use(kind, (session) =>
      signal === undefined ? work(session, undefined) : withAbort(signal, (flag) => work(session, flag)),
    );
  }
}

/** Rows as they are, scaled as the networks take them. */
function scaledRows(reader: RowReader, scaling: ArrayRecipe): RowReader {
  return withMembers(reader, {
    borrow: undefined,
    check: undefined,
    async read(from, to) {
      const rows = await reader.read(from, to);
      const data = new Float32Array(rows.data as Float32Array);
      scaleRows(data, 0, scaling, 'in');
      return { ...rows, data };
    },
    convert(stored, at, count, into, to) {
      reader.convert(stored, at, count, into, to);
      scaleRows(into.subarray(to, to + count), at, scaling, 'in');
    },
  });
}

function refuseDevices({ deterministic, provider }: EngineOptions): void {
  if (!deterministic || provider === 'cpu') return;
  throw new VaeError(
    'ERR_VAE_OPTION',
    'deterministic: other providers than cpu compute each in their own way; leave out one of the two options.',
  );
}

function isNetwork(kind: PoolKind): kind is SessionKind {
  return !kind.startsWith('device:');
}

async function openKind(networks: Networks, kind: PoolKind, options: SessionOptions): Promise<GraphSession> {
  if (isNetwork(kind)) return networks.open(kind, options);
  const at = kind.lastIndexOf(':');
  const graph = kind.slice(0, at) as DeviceGraphKind;
  const { writeModel } = await import('../graph/index.js');
  const { deviceGraph } = await import('./device/device-graphs.js');
  return GraphSession.open(writeModel(deviceGraph(graph, networks, Number(kind.slice(at + 1)))), graph, options);
}

function sessionOptions({ threads, deterministic }: EngineOptions, { providers }: ChosenProvider): SessionOptions {
  return {
    intraOpThreads: threads,
    ...(providers.length > 0 && { providers }),
    ...(deterministic && { plainOperators: true }),
  };
}
