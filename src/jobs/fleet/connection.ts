/** The queues of one name, opened together. */
import type { FlowProducer, Queue, Job as QueueJob } from 'bullmq';
import { importOptional } from '../../core/optional-package.js';
import type { JobSummary } from '../job.js';
import { type JobEntry, keysOf, type ShardEntry, type ShardReturn } from './entries.js';
import type { FleetLog } from './log.js';
import { type BullMq, connectionOf, loadBullMq, PREFIX, probe, queueNames, type RedisAddress } from './redis.js';

export type JobQueue = Queue<JobEntry, JobSummary>;
export type ShardQueue = Queue<ShardEntry, ShardReturn>;
export type QueuedJob = QueueJob<JobEntry, JobSummary>;
export type QueuedShard = QueueJob<ShardEntry, ShardReturn>;

/** The few commands of Redis that are used beside BullMQ's. */
export interface Commands {
  hset(key: string, field: string, value: string): Promise<unknown>;
  hget(key: string, field: string): Promise<string | null>;
  hgetall(key: string): Promise<Record<string, string>>;
  hdel(key: string, ...fields: string[]): Promise<unknown>;
  disconnect(): void;
}

export interface Connection extends AsyncDisposable {
  readonly bullmq: BullMq;
  /** As BullMQ takes it. */
  readonly options: { readonly connection: object; readonly prefix: string; readonly telemetry?: never };
  readonly jobs: JobQueue;
  readonly shards: ShardQueue;
  readonly flows: FlowProducer;
  readonly keys: ReturnType<typeof keysOf>;
  readonly names: ReturnType<typeof queueNames>;
  readonly notes: readonly string[];
  readonly commands: Commands;
  close(): Promise<void>;
}

export interface FleetOptions extends RedisAddress {
  /** Which queue of that Redis. Default `default`. */
  readonly queue?: string | undefined;
  /** What BullMQ reports spans to: `new BullMQOtel({ tracerName: 'node-vae' })` of the package bullmq-otel. */
  readonly telemetry?: object | undefined;
}

/** @throws VaeError ERR_VAE_PACKAGE without bullmq and ioredis, ERR_VAE_IO where Redis does not answer. */
export async function connect(options: FleetOptions, log?: FleetLog): Promise<Connection> {
  const bullmq = await loadBullMq();
  const { queue = 'default', telemetry } = options;
  const names = queueNames(queue);
  const connection = connectionOf(options);
  const notes = await probe(connection);
  const shared = { connection, prefix: PREFIX, ...(telemetry && { telemetry: telemetry as never }) };
  const jobs = new bullmq.Queue(names.jobs, shared) as unknown as JobQueue;
  const shards = new bullmq.Queue(names.shards, shared) as unknown as ShardQueue;
  const flows = new bullmq.FlowProducer(shared);
  const onError = (error: Error): void => log?.warn({ error: error.message }, 'Redis');
  jobs.on('error', onError);
  shards.on('error', onError);
  flows.on('error', onError);
  const commands = await openCommands(connection, onError);
  const close = async (): Promise<void> => {
    await Promise.all([jobs.close(), shards.close(), flows.close()]);
    commands.disconnect();
  };
  return {
    ...{ bullmq, options: shared, jobs, shards, flows, keys: keysOf(queue), names, notes, close },
    commands,
    [Symbol.asyncDispose]: close,
  };
}

/** A connection of one's own beside BullMQ's: of the options, or as a duplicate of a client that was given. */
async function openCommands(connection: object, onError: (error: Error) => void): Promise<Commands> {
  const { Redis } = await importOptional('ioredis', 'A queue of jobs on Redis', () => import('ioredis'));
  const given = connection as { duplicate?: () => unknown };
  const client = (given.duplicate?.() ?? new Redis(connection)) as Commands & {
    on(event: 'error', listener: (error: Error) => void): void;
  };
  client.on('error', onError);
  return client;
}
