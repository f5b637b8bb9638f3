/** Jobs on a queue in a real Redis, by workers in this process. */
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Vae, writeNpy } from '../../src/index.js';
import { type JobEntry, jobIdOf } from '../../src/jobs/fleet/entries.js';
import {
  cancelJob,
  loadTelemetry,
  queueStatus,
  type RunningWorker,
  retryJob,
  startWorker,
  submitJob,
  submitSweep,
} from '../../src/jobs/fleet/index.js';
import { type JobOptions, runJob, runSweep } from '../../src/jobs/index.js';
import { outputOf } from '../shards/support/tree.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('fleet');
const at = (...parts: string[]) => join(folder, ...parts);
const ROWS = 330;
let redis: TestRedis;
let number = 0;
let queue: string;
let out: string;

const job = (more: Partial<JobOptions> = {}): JobOptions => ({
  ...{ operation: 'encode', model: at('model'), input: at('rows.npy'), output: out, shardSize: 50, format: 'npy' },
  ...more,
});

async function worker(more: object = {}): Promise<RunningWorker> {
  const started = await startWorker({ redis: redis.url, queue, roots: [folder], concurrency: 2, ...more });
  onTestFinished(() => started.close());
  return started;
}

async function submitted(more: Partial<JobOptions> = {}, options: object = {}) {
  const handle = await submitJob(job(more), { redis: redis.url, queue, backoffMs: 10, ...options });
  onTestFinished(() => handle.close());
  return handle;
}

describe.skipIf(!HAS_REDIS)(`jobs on a queue${HAS_REDIS ? '' : `: ${REDIS_MISSING}`}`, () => {
  beforeAll(async () => {
    redis = await startRedis(at('redis'));
    const vae = await Vae.create({
      input: { kind: 'vector', length: 6 },
      architecture: { type: 'mlp', hidden: [8] },
      latentDim: 2,
      seed: 1,
    });
    await vae.save(at('model'));
    await vae.close();
    const data = Float32Array.from({ length: ROWS * 6 }, (_, i) => Math.sin(i) / 2 + 0.5);
    await writeNpy(at('rows.npy'), { data, shape: [ROWS, 6] });
    await runJob({ ...job(), output: at('alone'), processes: 1 });
  }, 60_000);
  afterAll(() => redis?.stop());
  beforeEach(() => {
    number += 1;
    queue = `queue-${number}`;
    out = at(`out-${number}`);
  });

  it('gives the bytes that one machine gives, by several workers', async () => {
    const [one, two] = [await worker(), await worker()];
    const handle = await submitted();
    const seen: number[] = [];
    const summary = await handle.wait({ onProgress: ({ shardsDone }) => seen.push(shardsDone) });
    expect(summary).toMatchObject({ shards: 7, items: ROWS, failed: 0, shardsBefore: 0 });
    expect(await outputOf(out)).toEqual(await outputOf(at('alone')));
    expect(seen.at(-1)).toBe(7);
    const status = await queueStatus({ redis: redis.url, queue });
    expect(status.jobs).toMatchObject([{ id: handle.id, state: 'done', shards: 7, shardsDone: 7, failedShards: [] }]);
    expect(status.workers.map(({ name }) => name).sort()).toEqual([one.name, two.name].sort());
    // Again: everything is there, and nothing is done twice.
    const again = await submitted();
    expect(again.shardsBefore).toBe(7);
    expect((await again.wait()).shards).toBe(7);
  });

  it('does only what is missing', async () => {
    await cp(at('alone'), out, { recursive: true });
    await rm(join(out, 'shard-000003.npy'));
    await worker();
    const handle = await submitted();
    expect(handle.shardsBefore).toBe(6);
    await handle.wait();
    expect(await outputOf(out)).toEqual(await outputOf(at('alone')));
  });

  it('gives up a shard that fails, names it, and takes it again on retry', async () => {
    const handle = await submitted({}, { tries: 2 });
    // A folder in the place of a shard's file stands in its way.
    await mkdir(join(out, 'shard-000002.npy', 'in-the-way'), { recursive: true });
    await worker();
    await expect(handle.wait()).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringMatching(/given up: 2\. /),
    });
    const [status] = (await queueStatus({ redis: redis.url, queue })).jobs;
    expect(status).toMatchObject({ state: 'failed', failedShards: [{ shard: 2, tries: 2 }], shardsDone: 6 });
    await rm(join(out, 'shard-000002.npy'), { recursive: true });
    await retryJob(handle.id, { redis: redis.url, queue });
    await handle.wait();
    expect(await outputOf(out)).toEqual(await outputOf(at('alone')));
  });

  it('is not run by a worker that may not go where it is, and is by one that may', async () => {
    await mkdir(at('elsewhere'), { recursive: true });
    const narrow = await worker({ roots: [at('elsewhere')] });
    const handle = await submitted();
    const refusal = async (): Promise<string> => {
      for (;;) {
        const { refused } = await handle.status();
        if (refused !== undefined) return `${refused.worker} ${refused.reason}`;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    expect(await refusal()).toMatch(new RegExp(`^${narrow.name} .*not below what this worker may use`));
    await narrow.close();
    await worker();
    await handle.wait();
    expect(await outputOf(out)).toEqual(await outputOf(at('alone')));
  }, 30_000);

  it('is not run with another model than it was made with, nor by another release', async () => {
    await cp(at('model'), at(`moved-${number}`), { recursive: true });
    const handle = await submitted({ model: at(`moved-${number}`) });
    const config = at(`moved-${number}`, 'config.json');
    const bytes = await readFile(config);
    await writeFile(config, bytes.toString().replace(/\n/, '\n\n'));
    await worker();
    const refusal = async (): Promise<string> => {
      for (;;) {
        const { refused } = await handle.status();
        if (refused !== undefined) return refused.reason;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    expect(await refusal()).toMatch(/SHA-256 is [0-9a-f]+, the job's is [0-9a-f]+/);
    await writeFile(config, bytes);
    await handle.wait();
    // A job of another release: nobody's to run.
    const shared = { connection: { url: redis.url }, prefix: 'node-vae' };
    const jobs = new Queue(`${queue}-jobs`, shared);
    const shards = new Queue(`${queue}-shards`, shared);
    const entry = (await jobs.getJob(handle.id))!.data as JobEntry;
    const other = { ...entry, job: { ...entry.job, release: '0.0.1' } };
    const id = jobIdOf(other.job);
    await jobs.add('encode', other, { jobId: id, delay: 3_600_000 });
    await shards.add('shard', { job: id, shard: 0 }, { jobId: `${id}-0` });
    for (;;) {
      const list = (await queueStatus({ redis: redis.url, queue })).jobs;
      const refused = list.find((each) => each.id === id)?.refused?.reason;
      if (refused !== undefined) {
        expect(refused).toMatch(/made by node-vae 0\.0\.1, and this is/);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all([jobs.close(), shards.close()]);
  }, 60_000);

  it('believes nothing that others put on the queue', async () => {
    const errors: string[] = [];
    const log = { info() {}, warn() {}, error: (fields: { error?: unknown }) => errors.push(String(fields.error)) };
    await worker({ log });
    await mkdir(at('inside'), { recursive: true });
    await symlink('/etc', at('inside', 'link')).catch(() => {});
    const shards = new Queue(`${queue}-shards`, { connection: { url: redis.url }, prefix: 'node-vae' });
    const jobs = new Queue(`${queue}-jobs`, { connection: { url: redis.url }, prefix: 'node-vae' });
    await shards.add('x', { job: '../../etc', shard: -1 });
    await shards.add('x', { evil: true });
    await jobs.add('x', { job: { output: '/etc' } });
    for (;;) {
      const counts = await shards.getJobCounts('failed');
      const more = await jobs.getJobCounts('failed');
      if (counts['failed'] === 2 && more['failed'] === 1) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(errors.every((error) => /no shard|no job/.test(error))).toBe(true);
    await shards.close();
    await jobs.close();
  });

  it('stops when it is cancelled, keeps what is done, and goes on when it is submitted again', async () => {
    const handle = await submitted();
    expect(await cancelJob(handle.id, { redis: redis.url, queue })).toMatchObject({ state: 'cancelled' });
    await worker();
    await expect(handle.wait()).rejects.toThrow(/cancelled/);
    const again = await submitted();
    expect(again.id).toBe(handle.id);
    await again.wait();
    expect(await outputOf(out)).toEqual(await outputOf(at('alone')));
    await expect(cancelJob('j-0000000000000000', { redis: redis.url, queue })).rejects.toMatchObject({
      code: 'ERR_VAE_OPTION',
    });
  });

  it('is put there again by who waits, where Redis comes back without it', async () => {
    const own = await startRedis(at('forgetful'), { persist: false });
    onTestFinished(() => own.stop());
    const handle = await submitJob(job(), { redis: own.url, queue, backoffMs: 10 });
    onTestFinished(() => handle.close());
    expect(handle.notes.join()).toMatch(/appendonly no/);
    await own.stop();
    await own.start();
    const started = await startWorker({ redis: own.url, queue, roots: [folder] });
    onTestFinished(() => started.close());
    await handle.wait();
    expect(await outputOf(out)).toEqual(await outputOf(at('alone')));
  }, 60_000);

  it('refuses a Redis that does not answer, and never says the password', async () => {
    const wrong = submitJob(job(), { redis: 'redis://me:secret-word@127.0.0.1:1/', queue });
    await expect(wrong).rejects.toMatchObject({
      code: 'ERR_VAE_IO',
      message: expect.stringMatching(/127\.0\.0\.1:1 cannot be used/),
    });
    await wrong.catch((error: Error) => expect(String(error.message)).not.toContain('secret'));
    const bad = submitJob(job(), { redis: 'http://me:secret-word@host', queue });
    await expect(bad).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await bad.catch((error: Error) => expect(error.message).not.toContain('secret'));
  });

  it('trains the trials of a sweep, step by step, to what one machine trains', async () => {
    const sweep = {
      model: { architecture: { type: 'mlp', hidden: [8] } },
      fit: { batchSize: 32 },
      space: { 'fit.learningRate': [1e-4, 1e-3, 1e-2], 'model.latentDim': [1, 2, -1] },
      ...{ epochs: 4, halving: { from: 1, factor: 2 }, validationSplit: 0.2 },
    };
    const data = at('rows.npy');
    const calm = await runSweep({ sweep, data, output: at('sweep-alone') });
    await worker();
    const first = await worker();
    const submittedSweep = await submitSweep({ redis: redis.url, queue, sweep, data, output: out, backoffMs: 10 });
    onTestFinished(() => submittedSweep.close());
    await first.close();
    const summary = await submittedSweep.wait();
    expect(summary.trials).toEqual(calm.trials);
    for (const name of ['encoder.onnx', 'decoder.onnx']) {
      const [one, other] = await Promise.all([calm, summary].map(({ best }) => readFile(join(best, name))));
      expect(one!.equals(other!)).toBe(true);
    }
    expect(await readFile(summary.table, 'utf8')).toBe(await readFile(calm.table, 'utf8'));
  }, 90_000);

  it('tells OpenTelemetry of what was submitted and of every shard', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    trace.setGlobalTracerProvider(provider);
    onTestFinished(async () => {
      trace.disable();
      await provider.shutdown();
    });
    const telemetry = await loadTelemetry();
    await worker({ telemetry });
    await (await submitted({}, { telemetry })).wait();
    const names = exporter.getFinishedSpans().map(({ name }) => name);
    expect(names.filter((name) => name.startsWith(`process ${queue}-shards`)).length).toBe(7);
    expect(names.some((name) => name.startsWith('addFlow') || name.includes(queue))).toBe(true);
  });

  it('serves metrics that Prometheus reads', async () => {
    const started = await worker({ metrics: { port: 0 } });
    await (await submitted()).wait();
    const text = await (await fetch(started.metrics!)).text();
    expect(text).toMatch(
      new RegExp(`node_vae_job_items_total\\{operation="encode",worker="${started.name}",version="[^"]+"\\} ${ROWS}\n`),
    );
    expect(text).toMatch(/node_vae_job_shards_total\{operation="encode",outcome="done",.*\} 7\n/);
    expect(text).toMatch(/node_vae_job_seconds_total\{operation="encode",stage="run",/);
    expect(text).toMatch(/node_vae_job_queue_shards\{state="failed",.*\} 0\n/);
    expect(text).toMatch(/process_resident_memory_bytes/);
    await writeFile(at('metrics.txt'), text);
  });
});
