/** PyTorch's side of the training benches: variants of one loop in one Python process. */
import type { LinePeer } from './line-peer.js';
import { findPython, startPython } from './python-peer.js';
import { figure } from './report.js';
import type { Contender, Timing } from './rounds.js';
import type { BenchContext, Metrics } from './types.js';

/** Which variants stand for which peer; the best of them counts. */
const PEERS: Readonly<Record<string, string>> = { 'pytorch-eager': 'eager-', 'pytorch-compile': 'compile-' };

export interface PyTorchOptions extends Readonly<Record<string, unknown>> {
  /** A file of uint8 rows, its rows beginning after `skip` bytes. */
  readonly data: string;
  readonly skip: number;
  /** Shape of a row. */
  readonly shape: readonly number[];
  readonly batch: number;
}

export class PyTorchTraining {
  readonly missing: Readonly<Record<string, string>>;
  readonly #peer: LinePeer | undefined;
  readonly #variants: readonly string[];

  private constructor(peer: LinePeer | undefined, variants: readonly string[], missing: Record<string, string>) {
    this.#peer = peer;
    this.#variants = variants;
    this.missing = missing;
  }

  /** Starts and warms up every variant that works here. */
  static async start(
    script: string,
    options: PyTorchOptions,
    warmSteps: number,
    { threads, log }: BenchContext,
  ): Promise<PyTorchTraining> {
    const missing: Record<string, string> = {};
    const found = findPython('torch');
    if (found.python === undefined) {
      for (const peer of Object.keys(PEERS)) missing[peer] = found.missing;
      return new PyTorchTraining(undefined, [], missing);
    }
    const { peer, ready } = await startPython(found.python, script, { ...options, threads });
    const working: string[] = [];
    for (const variant of ready['variants'] as string[]) {
      log(`warming up PyTorch ${variant}`);
      try {
        await peer.ask({ do: 'warm', variant, steps: warmSteps });
        working.push(variant);
      } catch (error) {
        missing[variant] = (error as Error).message.split('\n')[0]!.slice(0, 200);
      }
    }
    return new PyTorchTraining(peer, working, missing);
  }

  /** Rounds of `steps` steps, in milliseconds a step. */
  contenders(steps: number): Contender[] {
    return this.#variants.map((variant) => ({
      name: variant,
      round: async () => {
        const answer = await this.#peer!.ask({ do: 'run', variant, steps });
        return ((answer['seconds'] as number) * 1000) / steps;
      },
    }));
  }

  /** For each peer its best variant's figures. */
  peers(timings: Readonly<Record<string, Timing>>): Record<string, Metrics> {
    return Object.fromEntries(
      Object.entries(PEERS).flatMap(([peer, prefix]) => {
        const variants = this.#variants.filter((name) => name.startsWith(prefix));
        const best = variants.sort((a, b) => timings[a]!.median - timings[b]!.median)[0];
        return best === undefined ? [] : [[peer, timingMetrics(timings[best]!, best)]];
      }),
    );
  }

  /** Every variant, for the reader who wonders. */
  table(timings: Readonly<Record<string, Timing>>): string[][] {
    const rows = this.#variants.map((name) => [name, figure(timings[name]!.median), figure(timings[name]!.best)]);
    return [['PyTorch variant', 'median ms', 'best ms'], ...rows];
  }

  async close(): Promise<void> {
    await this.#peer?.close();
  }
}

export function timingMetrics({ median, best, disturbed }: Timing, variant: string): Metrics {
  return { stepMs: median, bestStepMs: best, disturbed, variant };
}

/** Peak memory of a few steps in a fresh process; undefined where PyTorch is not there. */
export async function pytorchPeakBytes(
  script: string,
  options: PyTorchOptions,
  variant: string,
  steps: number,
  threads: number,
): Promise<number | undefined> {
  const found = findPython('torch');
  if (found.python === undefined) return undefined;
  const { peer } = await startPython(found.python, script, { ...options, threads });
  try {
    return (await peer.ask({ do: 'memory', variant, steps }))['peakBytes'] as number;
  } finally {
    await peer.close();
  }
}
