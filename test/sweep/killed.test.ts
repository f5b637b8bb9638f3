/** Trials of a sweep on a queue whose worker is killed with -9: another one takes them, and nothing shows of it in the end. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { writeNpy } from '../../src/index.js';
import { runSweep, startWorker, submitSweep } from '../../src/jobs/index.js';
import { CheckpointDirectory } from '../../src/training/record/checkpoint-directory.js';
import { outputOf } from '../shards/support/tree.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('sweep-killed');
const at = (...parts: string[]) => join(folder, ...parts);
/** 240 of 300 rows are trained on: 8 batches to an epoch. */
const STEPS = 8;
const SWEEP = {
  model: { architecture: { type: 'mlp', hidden: [8] }, latentDim: 2 },
  fit: { batchSize: 30 },
  space: { 'fit.learningRate': [1e-4, 1e-3, 1e-2] },
  epochs: 9,
  halving: { from: 3, factor: 3 },
  validationSplit: 0.2,
  seed: 5,
};
const LOCK_MS = 3000;
let redis: TestRedis;

const sourceOf = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** Works on a queue until it has written so many checkpoints, the last of them wholly or not at all, and kills itself there. */
async function workUntilKilled(queue: string, checkpoints: number, whole: boolean): Promise<void> {
  const script = at(`${queue}.mjs`);
  await writeFile(
    script,
    `import { startWorker } from ${sourceOf('jobs/index.ts')};
     import { CheckpointDirectory } from ${sourceOf('training/record/checkpoint-directory.ts')};
     const { save } = CheckpointDirectory.prototype;
     let count = 0;
     CheckpointDirectory.prototype.save = async function (checkpoint) {
       count += 1;
       if (count === ${checkpoints} && !${whole}) process.kill(process.pid, 'SIGKILL');
       await save.call(this, checkpoint);
       if (count === ${checkpoints}) process.kill(process.pid, 'SIGKILL');
     };
     const options = ${JSON.stringify({ redis: redis.url, queue, roots: [folder], concurrency: 1, lockMs: LOCK_MS })};
     await (await startWorker(options)).ended;`,
  );
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawn(process.execPath, ['--import', tsx, script], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
}

/** All that a sweep leaves, but for checkpoints: models, results, table, report. */
async function leftBy(output: string): Promise<Record<string, string>> {
  const all = Object.entries(await outputOf(output));
  // Charts count the pages that their process has drawn.
  const page = (await readFile(join(output, 'report.html'), 'utf8')).replace(/\bzr\d+-/g, 'zr-');
  return {
    ...Object.fromEntries(all.filter(([name]) => !name.includes('/checkpoints/') && name !== 'report.html')),
    page: createHash('sha256').update(page).digest('hex'),
  };
}

describe.skipIf(!HAS_REDIS)(`a worker killed in a trial${HAS_REDIS ? '' : `: ${REDIS_MISSING}`}`, () => {
  beforeAll(async () => {
    redis = await startRedis(at('redis'));
    const data = Float32Array.from({ length: 300 * 6 }, (_, i) => Math.sin(i % 41) / 2 + 0.5);
    await writeNpy(at('rows.npy'), { data, shape: [300, 6] });
    await runSweep({ sweep: SWEEP, data: at('rows.npy'), output: at('calm') });
  }, 60_000);
  afterAll(() => redis?.stop());

  // Trials of three epochs, one after another, and one of them on to nine: a checkpoint at the end of each epoch.
  it.each([
    { name: 'before its first checkpoint', checkpoints: 1, whole: false, from: undefined },
    { name: 'in the middle, at a checkpoint', checkpoints: 2, whole: true, from: 2 * STEPS },
    { name: 'between two checkpoints', checkpoints: 3, whole: false, from: 2 * STEPS },
    { name: 'in the second trial', checkpoints: 5, whole: true, from: undefined },
  ])(
    '$name: another goes on from there, to the same bits',
    { timeout: 120_000 },
    async ({ checkpoints, whole, from }) => {
      const queue = `killed-${checkpoints}-${whole}`;
      const output = at(queue);
      const submitted = await submitSweep({
        ...{ redis: redis.url, queue, sweep: SWEEP, data: at('rows.npy'), output },
        // A worker that vanishes is no try: what fails once would be told as a trial that cannot be trained.
        tries: 1,
      });
      onTestFinished(() => submitted.close());
      await workUntilKilled(queue, checkpoints, whole);
      expect(await readdir(output)).not.toContain('trials.csv');
      const begun = vi.spyOn(CheckpointDirectory.prototype, 'latest');
      onTestFinished(() => begun.mockRestore());
      const worker = await startWorker({ redis: redis.url, queue, roots: [folder], concurrency: 1, lockMs: LOCK_MS });
      onTestFinished(() => worker.close());
      const { trials } = await submitted.wait();
      expect(trials.filter(({ failed }) => failed !== undefined)).toEqual([]);
      const places = await Promise.all(begun.mock.results.map(async ({ value }) => (await value)?.progress.microBatch));
      if (from !== undefined) expect(places).toContain(from);
      expect(await leftBy(output)).toEqual(await leftBy(at('calm')));
      expect(await readFile(join(output, 'trials.csv'), 'utf8')).toMatch(/^\d,9,/m);
    },
  );
});
