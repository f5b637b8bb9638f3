/** What a worker counts, for Prometheus. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers';
import { VaeError } from '../../core/errors.js';
import { importOptional } from '../../core/optional-package.js';
import type { ShardResult } from '../job.js';

export type ShardOutcome = 'done' | 'there' | 'failed' | 'returned' | 'refused' | 'cancelled';

export interface FleetMetrics {
  shard(operation: string, outcome: ShardOutcome, result?: ShardResult): void;
  readonly address: string;
  close(): Promise<void>;
}

export interface MetricsOptions {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
}

/** States of a queue, and how many are in each. */
type Depth = () => Promise<Readonly<Record<string, number>>>;

/** @throws VaeError ERR_VAE_PACKAGE without prom-client, ERR_VAE_IO where the port is taken. */
export async function serveMetrics(
  { port, host = '127.0.0.1' }: MetricsOptions,
  labels: Readonly<Record<string, string>>,
  depth: Depth,
): Promise<FleetMetrics> {
  const { Registry, Counter, Gauge, collectDefaultMetrics } = await importOptional(
    'prom-client',
    'Metrics of a worker',
    () => import('prom-client'),
  );
  const register = new Registry();
  register.setDefaultLabels({ ...labels });
  // Memory and the event loop of the process are among these.
  collectDefaultMetrics({ register });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames: ['operation', ...labelNames], registers: [register] });
  const shards = counter('node_vae_job_shards_total', 'Shards that this worker took, by what became of them.', [
    'outcome',
  ]);
  const items = counter('node_vae_job_items_total', 'Items in the output of shards that this worker made.');
  const rows = counter('node_vae_job_rows_total', 'Rows in the output of shards that this worker made.');
  const errors = counter('node_vae_job_errors_total', 'Items that could not be used.');
  const bytes = counter('node_vae_job_bytes_total', 'Bytes read and written.', ['direction']);
  const seconds = counter('node_vae_job_seconds_total', 'Seconds of work by stage, added up over what runs at once.', [
    'stage',
  ]);
  new Gauge({
    name: 'node_vae_job_queue_shards',
    help: 'Shards on the queue, of all workers, by state.',
    labelNames: ['state'],
    registers: [register],
    async collect() {
      // While Redis is away the others are still told.
      const found = await Promise.race([depth().catch(() => ({})), wait(2000)]);
      for (const [state, count] of Object.entries(found)) this.set({ state }, count);
    },
  });
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    register.metrics().then(
      (text) => response.writeHead(200, { 'content-type': register.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await listen(server, port, host);
  const { address, port: bound } = server.address() as AddressInfo;
  return {
    address: `http://${address.includes(':') ? `[${address}]` : address}:${bound}/metrics`,
    shard(operation, outcome, result) {
      shards.inc({ operation, outcome });
      if (result === undefined || outcome !== 'done') return;
      items.inc({ operation }, result.items);
      rows.inc({ operation }, result.rows);
      errors.inc({ operation }, result.errors.length);
      bytes.inc({ operation, direction: 'in' }, result.bytesIn);
      bytes.inc(
        { operation, direction: 'out' },
        result.files.reduce((sum, file) => sum + file.bytes, 0),
      );
      for (const [stage, time] of Object.entries(result.seconds)) seconds.inc({ operation, stage }, time);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function wait(ms: number): Promise<Record<string, number>> {
  return new Promise((resolve) => setTimeout(() => resolve({}), ms).unref());
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new VaeError('ERR_VAE_IO', `Metrics cannot be served on ${host}:${port}: ${cause.message}.`, { cause })),
    );
    server.listen(port, host, resolve);
  });
}
