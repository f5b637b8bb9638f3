/** A graph ready to run: the native session with its lifetime, batching and abort. */
import type { NativeInferenceSession, NativeTensor, SessionOptions, ValueDescription } from '../binding/addon.js';
import { loadAddon } from '../binding/index.js';
import { withAbort } from '../binding/with-abort.js';
import { Lifetime } from '../core/disposal.js';
import { elementCount } from '../core/dtype.js';

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
}

export type Feeds = Readonly<Record<string, NativeTensor>>;
export type RowFeeds = (from: number, to: number) => Feeds | Promise<Feeds>;

export interface RowOutput {
  readonly name: string;
  readonly rowShape: readonly number[];
}

/** Rows of one run of the graph: enough to keep both cores busy, small enough to stay in the cache. */
const ROWS_PER_RUN = 1024;

export class GraphSession {
  readonly #native: NativeInferenceSession;
  readonly #lifetime: Lifetime;

  private constructor(native: NativeInferenceSession, what: string) {
    this.#native = native;
    this.#lifetime = new Lifetime(what);
  }

  /** @param model ONNX bytes, or the path of a file (needed where it has external data). */
  static async open(model: Uint8Array | string, what: string, options: SessionOptions = {}): Promise<GraphSession> {
    return new GraphSession(await loadAddon().createInferenceSession(model, options), what);
  }

  get inputs(): readonly ValueDescription[] {
    return this.#native.inputs;
  }

  get outputs(): readonly ValueDescription[] {
    return this.#native.outputs;
  }

  /**
   * Runs a graph whose inputs and outputs have one row per example, in pieces of bounded size.
   *
   * @param feed the inputs for rows `from` to `to`, float32, first axis to − from; borrowed while they run.
   * @param outputs names and shapes of one row of the wanted outputs, which are float32.
   * @returns one fresh Float32Array of all rows for each output.
   */
  runRows(
    rows: number,
    feed: RowFeeds,
    outputs: readonly RowOutput[],
    { signal }: RunOptions = {},
  ): Promise<Float32Array[]> {
    return this.#lifetime.run(() =>
      withAbort(signal, async (flag) => {
        const results = outputs.map(({ rowShape }) => new Float32Array(rows * elementCount(rowShape)));
        for (let from = 0; from < rows; from += ROWS_PER_RUN) {
          const to = Math.min(rows, from + ROWS_PER_RUN);
          const wanted = outputs.map(({ name, rowShape }, index) => {
            const width = elementCount(rowShape);
            return { name, into: results[index]!.subarray(from * width, to * width), dims: [to - from, ...rowShape] };
          });
          await this.#native.run(await feed(from, to), wanted, flag);
        }
        return results;
      }),
    );
  }

  /** Idempotent; waits for runs in flight. */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#native.close());
  }
}
