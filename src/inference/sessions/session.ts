/** A graph ready to run: the native session with its lifetime. */
import type {
  NativeAbortFlag,
  NativeDeviceTensor,
  NativeInferenceSession,
  NativeTensor,
  SessionOptions,
  ValueDescription,
} from '../../binding/addon.js';
import { loadAddon } from '../../binding/index.js';
import { Lifetime } from '../../core/disposal.js';
import type { TypedArray } from '../../core/dtype.js';
import { type Domain, nativeDomain } from '../../data/domain.js';
import { readDenseNetwork } from './dense-network.js';

export type Feeds = Readonly<Record<string, NativeTensor>>;

export interface WantedOutput {
  readonly name: string;
  readonly into?: TypedArray;
  readonly dims?: readonly number[];
}

/** Options of a session, with the check of its data where it is the one that data goes into as it comes. */
export function withDomain(kind: string, domain: Domain | undefined, options: SessionOptions): SessionOptions {
  const inputDomain = kind === 'encoder' && domain !== undefined ? nativeDomain(domain) : undefined;
  return inputDomain === undefined ? options : { ...options, inputDomain };
}

/** A session whose results are the same on every processor. */
async function openPlain(model: Uint8Array | string, options: SessionOptions): Promise<NativeInferenceSession> {
  const { readModel, writeModel } = await import('../../graph/index.js');
  const { withPlainOperators } = await import('../../artifacts/plain-operators.js');
  const bytes = writeModel(withPlainOperators(await readModel(model as string)));
  // Further optimisations make several operators one, which rounds otherwise.
  return loadAddon().createInferenceSession(bytes, { ...options, optimizationLevel: 1 });
}

export class GraphSession {
  readonly #native: NativeInferenceSession;
  readonly #lifetime: Lifetime;
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];

  private constructor(native: NativeInferenceSession, what: string) {
    this.#native = native;
    this.#lifetime = new Lifetime(what);
    this.inputs = native.inputs;
    this.outputs = native.outputs;
  }

  /** @param model ONNX bytes, or the path of a file (needed where it has external data). */
  static async open(model: Uint8Array | string, what: string, options: SessionOptions = {}): Promise<GraphSession> {
    const { providers = [], profilePrefix, plainOperators } = options;
    if (plainOperators) return new GraphSession(await openPlain(model, options), what);
    const plain = providers.length === 0 && profilePrefix === undefined;
    const denseNetwork = plain ? await readDenseNetwork(model) : undefined;
    return new GraphSession(await loadAddon().createInferenceSession(model, { ...options, denseNetwork }), what);
  }

  /** One run; what is fed and what is written into stays untouched until it settles. See NativeInferenceSession.run. */
  run(
    feeds: Feeds,
    wanted: readonly WantedOutput[],
    flag?: NativeAbortFlag,
    checkFinite?: boolean,
  ): Promise<NativeTensor[]> {
    this.#lifetime.check();
    return this.#native.run(feeds, wanted, flag, checkFinite);
  }

  /** One run whose outputs stay in the provider's memory. See NativeInferenceSession.runOnDevice. */
  async runOnDevice(
    feeds: Readonly<Record<string, NativeTensor | NativeDeviceTensor>>,
    names: readonly string[],
    flag?: NativeAbortFlag,
  ): Promise<NativeDeviceTensor[]> {
    this.#lifetime.check();
    const wanted = names.map((name) => ({ name, keep: true }));
    return (await this.#native.runOnDevice(feeds, wanted, flag)) as NativeDeviceTensor[];
  }

  /** One run on tensors of the provider whose only output comes to the processor's memory. */
  async download(feeds: Readonly<Record<string, NativeDeviceTensor>>, name: string): Promise<NativeTensor> {
    this.#lifetime.check();
    const [result] = await this.#native.runOnDevice(feeds, [{ name, keep: false }]);
    return result as NativeTensor;
  }

  /** Ends profiling (see SessionOptions.profilePrefix); the path of the trace. */
  endProfiling(): string {
    return this.#native.endProfiling();
  }

  /** Idempotent; waits for runs in flight, as the native session does. */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#native.close());
  }
}
