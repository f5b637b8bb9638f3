/**
 * Workers of a fleet that only wait as long as a shard takes, several of them in this process: all that they do on the queue is
 * what workers do. Tells its parent when they are ready, and of each shard when it is begun and done; ends when that lets go of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../src/jobs/fleet/connection.js';
import { FleetWorker } from '../../src/jobs/fleet/fleet-worker.js';
import { NO_LOG } from '../../src/jobs/fleet/log.js';
import { Roots } from '../../src/jobs/fleet/roots.js';
import type { Job } from '../../src/jobs/job.js';
import { openPlace } from '../../src/jobs/places/index.js';
import { openPlan, type Plan } from '../../src/jobs/plan.js';
import { writeRecord } from '../../src/jobs/write-shard.js';
import { type WaitingOptions, waitOf } from './waiting.js';

const options = JSON.parse(process.argv[2]!) as WaitingOptions;
const plans = new Map<string, Promise<Plan>>();

async function runShard({ output }: Job, number: number, { signal }: { readonly signal?: AbortSignal | undefined }) {
  const known = plans.get(output) ?? openPlan(output);
  plans.set(output, known);
  const plan = await known;
  const shard = await plan.shard(number);
  process.send!('begun');
  const wanted = waitOf(number, options.shardMs);
  const began = performance.now();
  await sleep(wanted, undefined, { ...(signal && { signal }) });
  const late = performance.now() - began - wanted;
  const empty = { files: [], items: shard.items, rows: shard.items, bytesIn: 0, errors: [] };
  const result = { shard: number, key: plan.keyOf(shard), ...empty };
  await writeRecord(openPlace(output), result);
  process.send!({ late });
  return { ...result, wasDone: false, seconds: { read: 0, decode: 0, run: 0, write: 0 } };
}

const roots = await Roots.of([options.root]);
const fleet: FleetWorker[] = [];
for (let index = 0; index < options.workers; index += 1) {
  const worker = new FleetWorker(await connect({ redis: options.redis }), {
    ...{ name: `waits-${process.pid}-${index}`, version: '0', concurrency: 1, roots, log: NO_LOG, metrics: undefined },
    ...{ stalls: 5, lockMs: 30_000 },
    models: {
      providers: async () => [],
      close: async () => {},
      forget: async () => {},
      with: async (_job, _signal, work) => work({ runShard }),
    },
  });
  worker.start();
  fleet.push(worker);
}
process.once('disconnect', () => {
  // Connections go with the process; nothing that is left on the queue is of use.
  process.exit(0);
});
process.send!('ready');
