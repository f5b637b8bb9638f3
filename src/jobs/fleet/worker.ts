/** A worker: takes shards from a queue until it is told to stop. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { packageVersion } from '../../core/package-files.js';
import { connect } from './connection.js';
import { FleetWorker } from './fleet-worker.js';
import { type FleetLog, NO_LOG } from './log.js';
import { type FleetMetrics, type MetricsOptions, serveMetrics } from './metrics.js';
import { Models } from './models.js';
import { fleetShape } from './options.js';
import { Roots } from './roots.js';
import { MemoryShare } from './share.js';

/** Times that a shard's worker may vanish: what kills its worker each time stops at last. */
const DEFAULT_STALLS = 5;

const schema = z.strictObject({
  ...fleetShape,
  /** What the worker is called in logs and in the status. Default: host, process and a random number. */
  name: z.string().min(1).max(200).optional(),
  /** Folders, and s3:// prefixes, that jobs may read and write, with all below them. Default: the current folder. */
  roots: z.array(z.string().min(1)).min(1).optional(),
  /**
   * Shards at once. Default: one at first, and one more after each that was done, as far as there are processors, and memory
   * for by what the shards before took.
   */
  concurrency: z.int().min(1).max(1024).optional(),
  /** Threads inside one operator of a network. Default 1. */
  threads: z.int().min(1).max(1024).default(1),
  /** What the worker may take of memory, in bytes, where `concurrency` is not given. Default: 85% of what the process may have. */
  memoryBytes: z
    .number()
    .min(2 ** 28)
    .optional(),
  /** Models that stay loaded. Default 2. */
  models: z.int().min(1).max(64).default(2),
  /** Times that a shard may lose its worker before it is given up. Default 5. */
  stalls: z.int().min(1).default(DEFAULT_STALLS),
  /** How long a worker that does not answer keeps a shard, in milliseconds. Default 30,000. */
  lockMs: z.int().min(1000).default(30_000),
  /** Serve metrics for Prometheus; needs prom-client. */
  metrics: z.custom<MetricsOptions>((value) => typeof value === 'object' && value !== null).optional(),
  /** Where to tell what happens: a logger as pino makes them. Default: nowhere. */
  log: z.custom<FleetLog>((value) => typeof (value as FleetLog)?.info === 'function').optional(),
  ...signalShape,
});

export interface StartWorkerOptions extends InputOf<typeof schema> {}

/** A running worker. */
export interface RunningWorker extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  /** Shards at once, at most. */
  readonly concurrency: number;
  /** Where metrics are served. */
  readonly metrics: string | undefined;
  /** What was noticed of Redis. */
  readonly notes: readonly string[];
  /** Fulfilled once it has ended. */
  readonly ended: Promise<void>;
  /** Lets the batches in flight finish, gives the shards back, and ends. Idempotent. */
  close(): Promise<void>;
}

/**
 * Takes shards from a queue, with models that are loaded once for many of them, until `close()` or the signal. A shard that is
 * not finished then goes back, with what is done of it.
 *
 * @throws VaeError ERR_VAE_PACKAGE without bullmq and ioredis, ERR_VAE_IO where Redis does not answer.
 */
export async function startWorker(options: StartWorkerOptions): Promise<RunningWorker> {
  const parsed = parseOptions(schema, options, 'startWorker()');
  const log = parsed.log ?? NO_LOG;
  const roots = await Roots.of(parsed.roots ?? [process.cwd()]);
  const connection = await connect(parsed, log);
  const version = packageVersion();
  const name = parsed.name ?? `${hostname()}-${process.pid}-${randomBytes(2).toString('hex')}`;
  const share = parsed.concurrency === undefined ? new MemoryShare({ bytes: parsed.memoryBytes }) : undefined;
  const concurrency = parsed.concurrency ?? share!.most;
  let metrics: FleetMetrics | undefined;
  try {
    metrics =
      parsed.metrics &&
      (await serveMetrics(parsed.metrics, { worker: name, version }, () => connection.shards.getJobCounts()));
  } catch (error) {
    await connection.close();
    throw error;
  }
  const fleet = new FleetWorker(connection, {
    ...{ name, version, roots, log, metrics, concurrency, share },
    ...{ models: new Models(parsed.models, parsed.threads), stalls: parsed.stalls, lockMs: parsed.lockMs },
  });
  fleet.start();
  const stop = (): void => void fleet.close();
  if (parsed.signal?.aborted) stop();
  parsed.signal?.addEventListener('abort', stop, { once: true });
  fleet.ended.finally(() => parsed.signal?.removeEventListener('abort', stop));
  log.info(
    { version, concurrency, redis: connection.notes.length === 0 ? 'ready' : connection.notes },
    'worker started',
  );
  return {
    ...{ name, version, concurrency, metrics: metrics?.address, notes: connection.notes, ended: fleet.ended },
    close: () => fleet.close(),
    [Symbol.asyncDispose]: () => fleet.close(),
  };
}
