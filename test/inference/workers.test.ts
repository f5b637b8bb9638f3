/** Models in worker threads, and every order in which workers and the main thread may end. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Vae } from '../../src/index.js';
import { compileBinding } from '../binding/compiled.js';
import { temporaryFolder } from '../support/temporary.js';

/** Sanitizers make programs many times slower. */
const PATIENCE_MS = Number(process.env['NODE_VAE_TEST_PATIENCE_MS'] ?? 60_000);
const folder = temporaryFolder('workers');

/** Loads the model and does what it is told; `busy` keeps several batches in flight. */
const WORKER = `
import { parentPort, workerData } from 'node:worker_threads';
import { Vae } from './dist/index.js';
const vae = await Vae.load(new URL('./model', import.meta.url).pathname, { threads: 1 });
const data = Float32Array.from({ length: 2048 * 64 }, (_, index) => (index % 11) / 11);
const batch = { data, shape: [2048, 64] };
const busy = () => { const work = Promise.all([1, 2, 3].map(() => vae.reconstruct(batch))); work.catch(() => {}); return work; };
const { task } = workerData;
if (task === 'sum') {
  const { mean } = await vae.encode(batch);
  parentPort.postMessage(mean.data.reduce((sum, value) => sum + value, 0));
  await vae.close();
} else {
  parentPort.postMessage('working');
  if (task === 'exit') { busy(); await new Promise((resolve) => setTimeout(resolve, 2)); process.exit(); }
  if (task === 'throw') { busy(); await new Promise((resolve) => setTimeout(resolve, 2)); throw new Error('mine'); }
  if (task === 'leave') busy();
  if (task === 'batcher') { const batcher = vae.batcher(); for (;;) await Promise.all([1, 2, 3, 4].map(() => batcher.encode({ data: data.subarray(0, 64), shape: [1, 64] }))); }
  if (task === 'loop') for (;;) await busy();
}
`;

const MAIN = `
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Vae } from './dist/index.js';
const load = () => Vae.load(new URL('./model', import.meta.url).pathname, { threads: 1 });
const start = (task) => new Worker(new URL('./worker.mjs', import.meta.url), { workerData: { task } });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const data = Float32Array.from({ length: 2048 * 64 }, (_, index) => (index % 11) / 11);
const batch = { data, shape: [2048, 64] };
`;

beforeAll(async () => {
  await compileBinding(folder, {}, 'index.ts');
  await writeFile(join(folder, 'worker.mjs'), WORKER);
  await using vae = await Vae.create({
    input: { kind: 'vector', length: 64 },
    latentDim: 8,
    architecture: { type: 'mlp', hidden: [256, 256] },
  });
  await vae.save(join(folder, 'model'));
});

let scripts = 0;
async function run(script: string): Promise<{ code: number | null; signal: string | null; out: string; err: string }> {
  scripts += 1;
  const path = join(folder, `main-${scripts}.mjs`);
  await writeFile(path, MAIN + script);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [path], { timeout: PATIENCE_MS }, (_error, out, err) =>
      resolve({ code: child.exitCode, signal: child.signalCode, out: out.trim(), err }),
    );
  });
}

test('any number of workers compute what the main thread computes', async () => {
  const { out, code } = await run(`
    const sums = await Promise.all([1, 2, 3, 4].map(async () => {
      const worker = start('sum');
      const [[sum]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      return sum;
    }));
    const vae = await load();
    const { mean } = await vae.encode(batch);
    const own = mean.data.reduce((sum, value) => sum + value, 0);
    console.log(sums.length, sums.every((sum) => sum === own), Number.isFinite(own));
    await vae.close();`);
  expect({ out, code }).toEqual({ out: '4 true true', code: 0 });
});

test.each(['loop', 'batcher'])('terminated 8 times in a "%s" of runs', async (task) => {
  const { out, code, err } = await run(`
    const vae = await load();
    for (let at = 0; at < 8; at += 1) {
      const worker = start('${task}');
      await once(worker, 'message');
      await pause(at % 6);
      await worker.terminate();
    }
    console.log((await vae.encode(batch)).mean.dims.join());
    await vae.close();`);
  expect({ out, code, err }).toEqual({ out: '2048,8', code: 0, err: '' });
});

test.each(['exit', 'leave', 'throw'])(
  'a worker that ends by "%s" during a run leaves the others working',
  async (task) => {
    const { out, code } = await run(`
    const other = start('loop');
    await once(other, 'message');
    const codes = [];
    for (let at = 0; at < 2; at += 1) {
      const worker = start('${task}');
      worker.on('error', () => {});
      codes.push(await new Promise((resolve) => worker.once('exit', resolve)));
    }
    const vae = await load();
    console.log(codes.join(), (await vae.encode(batch)).mean.dims.join());
    await vae.close();
    await other.terminate();`);
    expect({ out, code }).toEqual({
      out: `${Array(2)
        .fill(task === 'throw' ? 1 : 0)
        .join()} 2048,8`,
      code: 0,
    });
  },
);

test('process.exit() in the main thread while it and its workers run', async () => {
  for (const delay of [0, 5]) {
    const { code, signal } = await run(`
      const workers = [start('loop'), start('batcher'), start('loop')];
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      const vae = await load();
      vae.reconstruct(batch).catch(() => {});
      await pause(${delay});
      process.exit(3);`);
    expect({ code, signal }).toEqual({ code: 3, signal: null });
  }
});

test('the main thread closes first, workers after, and the other way round', async () => {
  const { out, code } = await run(`
    const worker = start('loop');
    await once(worker, 'message');
    const first = await load();
    const running = first.reconstruct(batch);
    await first.close();
    console.log((await running).dims.join());
    await pause(5);
    await worker.terminate();
    const second = await load();
    const again = start('sum');
    await once(again, 'exit');
    console.log((await second.encode(batch)).mean.dims.join());
    await second.close();`);
  expect({ out, code }).toEqual({ out: '2048,64\n2048,8', code: 0 });
});
