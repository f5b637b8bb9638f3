/** Sweeps: searches, halving, and trials that are killed and go on to the same bits. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../src/index.js';
import { runSweep } from '../../src/jobs/index.js';
import { describeSweep, trialsOf } from '../../src/jobs/sweep/sweep.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('sweep');
const at = (...parts: string[]) => join(folder, ...parts);
const SWEEP = {
  model: { architecture: { type: 'mlp', hidden: [8] }, latentDim: 2 },
  fit: { batchSize: 32 },
  space: { 'fit.learningRate': [1e-4, 1e-3, 1e-2], 'model.latentDim': [1, 2] },
  epochs: 9,
  halving: { from: 1, factor: 3 },
  validationSplit: 0.2,
  seed: 5,
};

beforeAll(async () => {
  const data = Float32Array.from({ length: 300 * 6 }, (_, i) => Math.sin(i % 41) / 2 + 0.5);
  await writeNpy(at('rows.npy'), { data, shape: [300, 6] });
});

describe('a sweep', () => {
  it('halves: all trials begin, a third of them goes on, and one table and one report are there at the end', async () => {
    const told: string[] = [];
    const summary = await runSweep({
      ...{ sweep: SWEEP, data: at('rows.npy'), output: at('out'), concurrency: 2 },
      onProgress: ({ epochs, done, trials }) => told.push(`${epochs}: ${done}/${trials}`),
    });
    expect(told.filter((line) => /^1: 6\/6|^3: 2\/2|^9: 1\/1/.test(line))).toHaveLength(3);
    expect(summary.trials.map(({ epochs }) => epochs)).toEqual([9, 3, 1, 1, 1, 1]);
    const resultsAfter = (epochs: number) =>
      Promise.all(
        Array.from({ length: 6 }, async (_, trial) => {
          const name = at('out', 'trials', `000${trial}`, `result-00000${epochs}.json`);
          return JSON.parse(await readFile(name, 'utf8').catch(() => 'null')) as { trial: number; loss: number } | null;
        }),
      );
    const first = (await resultsAfter(1)).sort((a, b) => a!.loss - b!.loss).map((each) => each!.trial);
    const second = (await resultsAfter(3)).flatMap((each) => each?.trial ?? []);
    expect(second.sort()).toEqual(first.slice(0, 2).sort());
    const lines = (await readFile(summary.table, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(7);
    expect(lines[0]).toBe('trial,epochs,loss,reconstruction,kl,parameters,fit.learningRate,model.latentDim,failed');
    expect(await readFile(summary.report!, 'utf8')).toContain('Best −ELBO');
    expect(await readdir(summary.best)).toContain('config.json');
    // Again: nothing is trained.
    const again = await runSweep({
      sweep: SWEEP,
      data: at('rows.npy'),
      output: at('out'),
      onProgress: () => told.push('more'),
    });
    expect(again.trials).toEqual(summary.trials);
    expect(told).not.toContain('more');
    await expect(
      runSweep({ sweep: { ...SWEEP, seed: 6 }, data: at('rows.npy'), output: at('out') }),
    ).rejects.toMatchObject({ code: 'ERR_VAE_REPRODUCIBILITY' });
  }, 120_000);

  it('goes on after a kill to the same bits', async () => {
    const { halving: _, ...whole } = SWEEP;
    const sweep = { ...whole, space: { 'fit.learningRate': [1e-3] }, epochs: 30, fit: { batchSize: 16 } };
    await runSweep({ sweep, data: at('rows.npy'), output: at('calm') });
    const script = at('sweep.mjs');
    const jobs = new URL('../../src/jobs/index.ts', import.meta.url).href;
    await writeFile(
      script,
      `import { watch } from 'node:fs';
       import { mkdirSync, readdirSync } from 'node:fs';
       import { runSweep } from ${JSON.stringify(jobs)};
       const folder = ${JSON.stringify(at('killed', 'trials', '0000', 'checkpoints'))};
       mkdirSync(folder, { recursive: true });
       const look = () => readdirSync(folder).some((name) => !name.startsWith('.')) && process.kill(process.pid, 'SIGKILL');
       watch(folder, look);
       await runSweep(${JSON.stringify({ sweep, data: at('rows.npy'), output: at('killed') })});`,
    );
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const child = spawn(process.execPath, ['--import', tsx, script], { stdio: ['ignore', 'ignore', 'inherit'] });
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    expect(await readdir(at('killed'))).not.toContain('trials.csv');
    await runSweep({ sweep, data: at('rows.npy'), output: at('killed') });
    for (const name of ['encoder.onnx', 'decoder.onnx', '../result-000030.json']) {
      const [calm, killed] = await Promise.all(
        ['calm', 'killed'].map((output) => readFile(at(output, 'trials', '0000', 'model', name))),
      );
      expect(killed!.equals(calm!), name).toBe(true);
    }
    await rm(script);
    // Killed between its last checkpoint and its result: nothing is trained further than was asked for.
    await rm(at('killed', 'trials', '0000', 'result-000030.json'));
    await rm(at('killed', 'trials', '0000', 'model'), { recursive: true });
    await runSweep({ sweep, data: at('rows.npy'), output: at('killed') });
    for (const name of ['encoder.onnx', '../result-000030.json']) {
      const [calm, killed] = await Promise.all(
        ['calm', 'killed'].map((output) => readFile(at(output, 'trials', '0000', 'model', name))),
      );
      expect(killed!.equals(calm!), name).toBe(true);
    }
  }, 120_000);

  it('tells of trials that cannot be trained, and goes on with the others', async () => {
    const { halving: _, ...whole } = SWEEP;
    const sweep = { ...whole, epochs: 1, space: { 'model.architecture.type': ['mlp', 'nothing'] } };
    const { trials } = await runSweep({ sweep, data: at('rows.npy'), output: at('some') });
    expect(trials.map(({ trial, failed }) => [trial, failed !== undefined])).toEqual([
      [0, false],
      [1, true],
    ]);
    const none = { ...sweep, space: { 'model.latentDim': [-1] } };
    await expect(runSweep({ sweep: none, data: at('rows.npy'), output: at('none') })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
    });
  }, 60_000);

  it('draws the same trials everywhere, within their ranges, and refuses what is wrong', () => {
    const options = { data: 'd', output: 'o', where: 'sweep.json' };
    const space = {
      'fit.learningRate': { logUniform: [1e-4, 1e-2] },
      'model.latentDim': { int: [2, 5] },
      'fit.klWeight': { uniform: [0.5, 1] },
      'model.likelihood': ['bernoulli', 'gaussian'],
    };
    const sweep = describeSweep({ space, search: { random: 200 }, seed: 1 }, options);
    const trials = trialsOf(sweep);
    expect(trials).toEqual(trialsOf(sweep));
    const of = (path: string) => trials.map(({ values }) => values[path] as number);
    expect([Math.min(...of('model.latentDim')), Math.max(...of('model.latentDim'))]).toEqual([2, 5]);
    expect(of('fit.learningRate').every((rate) => rate >= 1e-4 && rate <= 1e-2)).toBe(true);
    // Half of them below the middle of the logarithms.
    expect(of('fit.learningRate').filter((rate) => rate < 1e-3).length).toBeGreaterThan(70);
    expect(new Set(of('model.likelihood')).size).toBe(2);
    for (const wrong of [{ space: {} }, { space }, { space: { 'x.y': [1] } }, { space: { 'fit.a': [1] }, epoch: 3 }])
      expect(() => describeSweep(wrong, options)).toThrow(/sweep\.json/);
    // What none of them could read or go on from.
    const fine = { space: { 'fit.klWeight': [1] } };
    for (const far of [{ data: 's3://bucket/d' }, { output: 's3://bucket/o' }]) {
      expect(() => describeSweep(fine, { ...options, ...far })).toThrow(/file system .* not s3:\/\/bucket\/[do]/);
    }
  });
});
