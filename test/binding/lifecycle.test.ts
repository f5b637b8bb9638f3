/** Every way in which a process or a worker can end while native work is under way. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { compileBinding } from './compiled.js';
import { linearEvalModel, linearTrainingModel, slowModel } from './models.js';

/** Sanitizers make programs many times slower. */
const PATIENCE_MS = Number(process.env['NODE_VAE_TEST_PATIENCE_MS'] ?? 100_000);
const folder = temporaryFolder('life');
beforeAll(async () => {
  await compileBinding(folder);
  await writeFile(join(folder, 'slow.onnx'), slowModel(300, 256));
  await writeFile(join(folder, 'train.onnx'), linearTrainingModel());
  await writeFile(join(folder, 'eval.onnx'), linearEvalModel());
  await writeFile(join(folder, 'work.mjs'), WORK);
});

/** Starts work that lasts for a while: a run some tens of milliseconds, training some seconds. */
const WORK = `
import { fileURLToPath } from 'node:url';
import { loadAddon } from './dist/binding/index.js';
const addon = loadAddon();
const path = (name) => fileURLToPath(new URL(name, import.meta.url));

export async function slowRuns(count = 1) {
  const session = await addon.createInferenceSession(path('slow.onnx'), {});
  const data = new Float32Array(64 * 256).fill(0.1);
  const feeds = { x: { dtype: 'float32', dims: [64, 256], data } };
  return { session, runs: Array.from({ length: count }, () => session.run(feeds, [{ name: 'y' }])) };
}

export async function longTraining(steps = 200_000) {
  const session = await addon.createTrainingSession({
    trainingModel: path('train.onnx'),
    evalModel: path('eval.onnx'),
    parameters: [
      { name: 'W', dims: [3, 2], trainable: true, gradient: 'W_grad' },
      { name: 'gain', dims: [2], trainable: false },
      { name: 'b', dims: [2], trainable: true, gradient: 'b_grad' },
    ],
    states: [{ name: 'running', dims: [3], output: 'running_next' }],
    feeds: [
      { kind: 'rows', name: 'x', dims: [3], dtype: 'float32' },
      { kind: 'rows', name: 'target', dims: [2], dtype: 'float32' },
      { kind: 'normal', name: 'noise', dims: [2], stream: 1 },
      { kind: 'scalar', name: 'weight' },
    ],
    scalars: ['loss'],
    perExample: ['loss_each'],
    optimizer: { type: 'sgd', momentum: 0.9, nesterov: false, dampening: 0, weightDecay: 0 },
    seed: 1n,
  });
  session.attachRows('x', new Float32Array(300).fill(0.5), 100, { scale: 1, offset: 0, binarise: 'none' });
  session.attachRows('target', new Float32Array(200), 100, { scale: 1, offset: 0, binarise: 'none' });
  const training = session.train({
    indices: Uint32Array.from({ length: 4 * steps }, (_, i) => i % 100),
    batchSizes: new Uint32Array(steps).fill(4),
    firstMicroBatch: 0,
    scalars: { weight: new Float32Array(steps).fill(1) },
    learningRates: new Float64Array(steps).fill(1e-3),
    accumulate: 1,
  });
  return { session, training };
}

export const nativeBytes = () => addon.nativeBytes();
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

let scripts = 0;
const IMPORT = `import { slowRuns, longTraining, pause } from './work.mjs';`;

/** Runs a script to its end, whatever that is. */
async function run(
  body: string,
  header = IMPORT,
): Promise<{ code: number | string | null; out: string; seconds: number }> {
  scripts += 1;
  const file = join(folder, `script-${scripts}.mjs`);
  await writeFile(file, `${header}\n${body}`);
  const started = performance.now();
  return new Promise((done) => {
    execFile(process.execPath, [file], { timeout: PATIENCE_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.signal ?? error.code ?? null);
      done({ code, out: `${stdout}${stderr}`.trim(), seconds: (performance.now() - started) / 1000 });
    });
  });
}

const PARTS = [
  ['a run', 'const { session, runs } = await slowRuns(); const work = runs[0];'],
  ['many runs', 'const { session, runs } = await slowRuns(20); const work = Promise.all(runs);'],
  ['training', 'const { session, training: work } = await longTraining();'],
] as const;

describe.each(PARTS)('with %s under way', (_, start) => {
  test('process.exit() ends the process, with its code', async () => {
    const { code, out } = await run(`${start} await pause(20); process.exit(7);`);
    expect({ code, out }).toEqual({ code: 7, out: '' });
  });

  test('an uncaught error ends the process, with that error', async () => {
    const { code, out } = await run(`${start} await pause(20); throw new Error('on purpose');`);
    expect(code).toBe(1);
    expect(out).toContain('on purpose');
  });
});

test('a process ends by itself once its work is done, sessions closed or not', async () => {
  const { code, out } = await run(`
    const { session, runs } = await slowRuns(2);
    await runs[0];
    console.log('done');`);
  expect({ code, out }).toEqual({ code: 0, out: 'done' });
});

test('work in flight keeps the process until it is done', async () => {
  const { code, out } = await run(`
    const { runs } = await slowRuns(3);
    Promise.all(runs).then((all) => console.log(all.length));`);
  expect({ code, out }).toEqual({ code: 0, out: '3' });
});

test('a session that is forgotten while it works finishes, and is collected with its memory', async () => {
  const { code, out } = await run(`
    import { setFlagsFromString } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    import { nativeBytes } from './work.mjs';
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc');
    const { training, runs } = await (async () => {
      const { runs } = await slowRuns(2);
      return { runs, training: (await longTraining(20_000)).training };
    })();
    for (let i = 0; i < 5; i += 1) { gc(); await pause(1); }
    const held = nativeBytes() > 0;
    const [{ completed }, ...results] = await Promise.all([training, ...runs]);
    for (let i = 0; i < 20 && nativeBytes() > 0; i += 1) { gc(); await pause(10); }
    console.log(held, completed, results[1][0].data.every(Number.isFinite), nativeBytes());`);
  expect({ code, out }).toEqual({ code: 0, out: 'true 20000 true 0' });
});

describe('workers', () => {
  const WORKER = (start: string) => `
    import { parentPort } from 'node:worker_threads';
    import { slowRuns, longTraining } from './work.mjs';
    ${start}
    work.then(() => parentPort.postMessage('finished'), () => {});
    parentPort.postMessage('working');`;

  test.each(PARTS)('terminated 15 times with %s under way', async (name, start) => {
    const worker = `worker-${name.replace(/\W/g, '-')}.mjs`;
    await writeFile(join(folder, worker), WORKER(start));
    const { code, out } = await run(`
      import { Worker } from 'node:worker_threads';
      for (let i = 0; i < 15; i += 1) {
        const worker = new Worker(new URL('./${worker}', import.meta.url));
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
        await pause((i * 7) % 25);
        await worker.terminate();
      }
      console.log('alive');`);
    expect({ code, out }).toEqual({ code: 0, out: 'alive' });
  });

  test('terminated while they load', async () => {
    await writeFile(join(folder, 'loader.mjs'), WORKER('const work = slowRuns();'));
    const { code, out } = await run(`
      import { Worker } from 'node:worker_threads';
      for (let i = 0; i < 15; i += 1) {
        const worker = new Worker(new URL('./loader.mjs', import.meta.url));
        await new Promise((resolve) => worker.once('online', resolve));
        await pause(20 * i);
        await worker.terminate();
      }
      console.log('alive');`);
    expect({ code, out }).toEqual({ code: 0, out: 'alive' });
  });

  test('and the main thread work side by side, with one ONNX Runtime', async () => {
    await writeFile(join(folder, 'beside.mjs'), WORKER(PARTS[0][1]));
    const { code, out } = await run(`
      import { Worker } from 'node:worker_threads';
      const workers = [1, 2].map(() => new Worker(new URL('./beside.mjs', import.meta.url)));
      const finished = workers.map((worker) => new Promise((resolve, reject) => {
        worker.on('message', (message) => message === 'finished' && resolve(message));
        worker.once('error', reject);
      }));
      const { runs } = await slowRuns(2);
      await Promise.all(runs);
      console.log((await Promise.all(finished)).join());
      await Promise.all(workers.map((worker) => worker.terminate()));`);
    expect({ code, out }).toEqual({ code: 0, out: 'finished,finished' });
  });

  test('that load the addon first, and end, leave it usable by others and by the main thread', async () => {
    await writeFile(join(folder, 'first.mjs'), WORKER(PARTS[0][1]));
    const { code, out } = await run(
      `
      import { Worker } from 'node:worker_threads';
      for (let i = 0; i < 3; i += 1) {
        const worker = new Worker(new URL('./first.mjs', import.meta.url));
        await new Promise((resolve) => worker.on('message', (message) => message === 'finished' && resolve(message)));
        await worker.terminate();
      }
      const { slowRuns } = await import('./work.mjs');
      const { runs } = await slowRuns();
      console.log((await runs[0])[0].dims.join());`,
      '',
    );
    expect({ code, out }).toEqual({ code: 0, out: '64,256' });
  });
});
