/** A fleet whose inputs, model and output are on a real S3 server: the bytes that one machine makes on its disk. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { encodePng } from '../../src/data/image/encode.js';
import { Vae } from '../../src/index.js';
import { type JobOptions, runJob, startWorker, submitJob } from '../../src/jobs/index.js';
import { downloadS3, startS3 } from '../shards/support/s3.js';
import { outputOf } from '../shards/support/tree.js';
import { digits } from '../support/digits.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('fleet-s3');
const at = (...parts: string[]) => join(folder, ...parts);
const COUNT = 90;
const ROOTS = ['s3://jobs/in', 's3://jobs/models', 's3://jobs/out'];
/** Where models are kept that were fetched. */
const MODELS = at('cache', 'node-vae', 'models');
let redis: TestRedis;
let client: S3Client;

const put = (key: string, body: Uint8Array) =>
  client.send(new PutObjectCommand({ Bucket: 'jobs', Key: key, Body: body }));

async function putModel(name: string, seed: number): Promise<void> {
  await using vae = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 8, seed });
  await vae.save(at(name));
  for (const file of await readdir(at(name))) await put(`models/${name}/${file}`, await readFile(at(name, file)));
}

/** Batches of five items: a worker can be killed between two of them. */
const job = (output: string, more: Partial<JobOptions> = {}): JobOptions => ({
  ...{ operation: 'encode', model: 's3://jobs/models/mine', input: 's3://jobs/in/pictures' },
  ...{ output: `s3://jobs/out/${output}`, shardSize: 20, batch: 5, format: 'safetensors', logVariance: true },
  ...more,
});

async function worker(queue: string, more: object = {}) {
  const started = await startWorker({ redis: redis.url, queue, roots: ROOTS, concurrency: 2, ...more });
  onTestFinished(() => started.close());
  return started;
}

async function submitted(queue: string, options: JobOptions) {
  const handle = await submitJob(options, { redis: redis.url, queue, backoffMs: 10, tries: 100 });
  onTestFinished(() => handle.close());
  return handle;
}

/** The output of a job on S3, but for its index, which names inputs by where they lie. */
async function farOutput(output: string): Promise<Record<string, string>> {
  await downloadS3(`s3://jobs/out/${output}`, at('fetched', output));
  const { 'index.json': index, ...others } = await outputOf(at('fetched', output));
  expect(index).toBeDefined();
  return others;
}

async function nearOutput(output: string): Promise<Record<string, string>> {
  const { 'index.json': _, ...others } = await outputOf(at(output));
  return others;
}

describe.skipIf(!HAS_REDIS)(`a fleet on S3${HAS_REDIS ? '' : `: ${REDIS_MISSING}`}`, () => {
  beforeAll(async () => {
    redis = await startRedis(at('redis'));
    await mkdir(at('server'));
    const server = await startS3(at('server'));
    Object.assign(process.env, server.env, { XDG_CACHE_HOME: at('cache') });
    client = new S3Client({ forcePathStyle: true, endpoint: server.endpoint, region: 'us-east-1' });
    const { data } = digits(COUNT);
    await mkdir(at('pictures'));
    for (let index = 0; index < COUNT; index += 1) {
      const pixels = {
        data: data.subarray(index * 784, (index + 1) * 784),
        width: 28,
        height: 28,
        channels: 1,
      } as const;
      const name = `${String(index).padStart(3, '0')}.png`;
      const bytes = await encodePng(pixels);
      await writeFile(at('pictures', name), bytes);
      await put(`in/pictures/${name}`, bytes);
    }
    await putModel('mine', 3);
    await runJob({ ...job(''), model: at('mine'), input: at('pictures'), output: at('alone'), processes: 1 });
  }, 60_000);
  afterAll(() => redis?.stop());

  it('takes inputs and model there, and leaves the output there, with no credentials in it or on the queue', async () => {
    await worker('plain');
    await worker('plain');
    const handle = await submitted('plain', job('plain'));
    expect(await handle.wait()).toMatchObject({ items: COUNT, shards: 5, failed: 0 });
    expect(await farOutput('plain')).toEqual(await nearOutput('alone'));
    // Kept once, by its SHA-256, however many workers fetched it.
    expect(await readdir(MODELS)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    // Every command that Redis was given; and what tells of the job.
    const log = at('redis', 'appendonlydir');
    for (const name of await readdir(log)) expect(await readFile(join(log, name), 'latin1')).not.toContain('S3RVER');
    for (const name of ['.job/job.json', '.job/plan.json', 'index.json']) {
      expect(await readFile(at('fetched', 'plain', name), 'utf8')).not.toContain('S3RVER');
    }
    const again = await submitted('plain', job('plain'));
    expect(again.shardsBefore).toBe(5);
  }, 60_000);

  it('loses nothing of a worker that is killed in the middle of a shard', async () => {
    const script = at('killed.mjs');
    const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    const options = { redis: redis.url, queue: 'killed', roots: ROOTS, concurrency: 1, lockMs: 2000 };
    await writeFile(
      script,
      `import { startWorker } from ${source('jobs/index.ts')};
       import { ShardWorker } from ${source('jobs/shard.ts')};
       const { runShard } = ShardWorker.prototype;
       let shards = 0;
       ShardWorker.prototype.runShard = function (job, shard, options) {
         shards += 1;
         const onProgress = ({ items }) => shards === 2 && items >= 10 && process.kill(process.pid, 'SIGKILL');
         return runShard.call(this, job, shard, { ...options, onProgress });
       };
       await (await startWorker(${JSON.stringify(options)})).ended;`,
    );
    const handle = await submitted('killed', job('killed'));
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const child = spawn(process.execPath, ['--import', tsx, script], { stdio: ['ignore', 'ignore', 'inherit'] });
    expect((await once(child, 'exit'))[1]).toBe('SIGKILL');
    expect((await handle.status()).shardsDone).toBe(1);
    await worker('killed', { lockMs: 2000 });
    expect(await handle.wait()).toMatchObject({ items: COUNT, shards: 5, failed: 0 });
    expect(await farOutput('killed')).toEqual(await nearOutput('alone'));
  }, 120_000);

  it('runs no job with another model than its own, and keeps no half of one', async () => {
    await putModel('changing', 3);
    const options = {
      model: 's3://jobs/models/changing',
      input: 's3://jobs/in/pictures/00*.png',
      operation: 'score',
    } as const;
    const handle = await submitted('changing', {
      ...options,
      output: 's3://jobs/out/changing',
      format: 'npy',
      seed: 1,
    });
    const refusal = async (pattern: RegExp): Promise<void> => {
      for (;;) {
        const { refused } = await handle.status();
        if (refused !== undefined && pattern.test(refused.reason)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    // Another model under that name.
    await rm(MODELS, { recursive: true });
    await putModel('other', 4);
    for (const name of await readdir(at('other')))
      await put(`models/changing/${name}`, await readFile(at('other', name)));
    const failed: string[] = [];
    const log = { info() {}, warn() {}, error: (fields: { error?: unknown }) => failed.push(String(fields.error)) };
    await worker('changing', { log });
    await refusal(/SHA-256 is [0-9a-f]{64}, the job's is [0-9a-f]{64}/);
    // Its own config.json over a file of another: as while somebody uploads it.
    await put('models/changing/config.json', await readFile(at('changing', 'config.json')));
    while (!failed.some((reason) => /encoder\.onnx has the SHA-256/.test(reason))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect((await handle.status()).shardsDone).toBe(0);
    for (const name of await readdir(at('changing'))) {
      await put(`models/changing/${name}`, await readFile(at('changing', name)));
    }
    expect(await handle.wait()).toMatchObject({ items: 10, shards: 1, failed: 0 });
    expect((await readdir(MODELS)).filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
  }, 120_000);
});
