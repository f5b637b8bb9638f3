/** kill -9 at any moment: a resumed run ends with the bits of one that was never interrupted. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const script = fileURLToPath(new URL('fixtures/resumable-run.ts', import.meta.url));
const folder = temporaryFolder('kill');

interface Outcome {
  readonly steps: number[];
  readonly killed: boolean;
  readonly errors: string;
}

/** Runs to the end, or kills the process: so many ms after its first step, or when the condition holds at a step. */
function run(directory: string, result: string, kill?: number | (() => boolean)): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', script, directory, result], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const steps: number[] = [];
    let errors = '';
    let timer: NodeJS.Timeout | undefined;
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.stdout.on('data', (chunk: Buffer) => {
      steps.push(...String(chunk).trim().split('\n').map(Number));
      if (typeof kill === 'number') timer ??= setTimeout(() => child.kill('SIGKILL'), kill);
      else if (kill?.()) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 || signal === 'SIGKILL') resolve({ steps, killed: signal === 'SIGKILL', errors });
      else reject(new Error(`exit code ${code}\n${errors}`));
    });
  });
}

/** Only the weights: config.json and the history hold times. */
async function weights(directory: string): Promise<Record<string, Float32Array>> {
  await using vae = await Vae.load(directory);
  return Object.fromEntries(vae.info.parameters.map(({ name }) => [name, vae.parameter(name)]));
}

test('twenty kills lose at most the interval and change no bit', { timeout: 300_000 }, async () => {
  const straight = join(folder, 'straight');
  const whole = await run(join(folder, 'straight-run'), straight);
  expect(whole.steps.at(-1)).toBe(960);

  const directory = join(folder, 'run');
  const result = join(folder, 'resumed');
  let kills = 0;
  let last = 0;
  // A fixed sequence of delays: the moments still differ with the machine's load, as they should.
  for (let attempt = 0; kills < 20; attempt += 1) {
    expect(attempt, 'the run finished before it could be killed 20 times').toBeLessThan(60);
    const { steps, killed } = await run(directory, result, (attempt * 37) % 90);
    if (!killed) {
      // It finished first: begin again, so that twenty kills are really twenty.
      await rm(directory, { recursive: true, force: true });
      last = 0;
      continue;
    }
    kills += 1;
    // Batches are two to a step, and a checkpoint comes every seven steps; one may have been under way.
    if (steps.length > 0) {
      expect(steps[0]!).toBeGreaterThanOrEqual(last - 2 * 7 * 2);
      last = steps.at(-1)!;
    }
  }
  await run(directory, result);
  expect(await weights(result)).toEqual(await weights(straight));
});

test('a checkpoint cut short is passed over for the one before it', { timeout: 120_000 }, async () => {
  const directory = join(folder, 'cut');
  const checkpoints = (): string[] =>
    existsSync(directory) ? readdirSync(directory).filter((name) => name.startsWith('checkpoint-')) : [];
  expect((await run(directory, join(folder, 'unused'), () => checkpoints().length > 1)).killed).toBe(true);
  const names = checkpoints().sort();
  const newest = join(directory, names.at(-1)!);
  await truncate(newest, (await readFile(newest)).length - 10);
  const result = join(folder, 'cut-result');
  await run(directory, result);
  expect(await weights(result)).toEqual(await weights(join(folder, 'straight')));
});
