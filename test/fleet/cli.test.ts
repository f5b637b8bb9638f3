/** jobs submit, work, status, cancel and retry, as they are typed. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { digits } from '../support/digits.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('fleet-cli');
let redis: TestRedis;
const env = () => ({ NODE_VAE_REDIS: redis.url });
const cli = (...args: string[]) => runCli(args, { cwd: folder, env: env() });
const SUBMIT = ['jobs', 'submit', 'encode', '-m', 'mnist-mlp', '-i', 'digits.npy', '-o', 'out', '--shard-size', '40'];
const built = existsSync(fileURLToPath(new URL('../../dist/jobs/index.js', import.meta.url)));
const left = HAS_REDIS ? (built ? '' : ': the package is not built') : `: ${REDIS_MISSING}`;

describe.skipIf(left !== '')(`commands of a fleet${left}`, () => {
  beforeAll(async () => {
    redis = await startRedis(join(folder, 'redis'));
    const { data } = digits(200);
    await writeNpy(join(folder, 'digits.npy'), { data, shape: [200, 28, 28] });
  });
  afterAll(() => redis?.stop());

  it('submit, look, cancel, submit again, work until SIGTERM', async () => {
    const submitted = await cli(...SUBMIT, '--detach', '--json');
    expect(submitted).toMatchObject({ code: 0, stderr: '' });
    const { id, shards } = JSON.parse(submitted.stdout) as { id: string; shards: number };
    expect(shards).toBe(5);
    const before = await cli('jobs', 'status');
    expect(before.stdout).toMatch(new RegExp(`${id} +encode into .*out: running, 0 of 5 shards`));
    expect(before.stdout).toMatch(/Workers +none/);
    expect((await cli('jobs', 'cancel', id)).stdout).toMatch(/cancelled/);
    expect((await cli('jobs', 'retry', id)).code).toBe(0);

    let worker: ChildProcess | undefined;
    const working = runCli(['jobs', 'work', '--root', folder, '--concurrency', '2', '--name', 'tester'], {
      cwd: folder,
      env: env(),
      onStart: (child) => {
        worker = child;
      },
    });
    const stayed = await cli(...SUBMIT);
    expect(stayed).toMatchObject({ code: 0, stdout: expect.stringMatching(/Items +200\n/) });
    const after = await cli('jobs', 'status', id, '--json');
    expect(JSON.parse(after.stdout)).toMatchObject({
      jobs: [{ id, state: 'done', shardsDone: 5, summary: { items: 200 } }],
      workers: [{ name: 'tester', providers: ['cpu'] }],
    });
    worker!.kill('SIGTERM');
    const { code, stderr } = await working;
    expect(code).toBe(0);
    const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
    const logged = lines.map((line) => JSON.parse(line) as { msg: string; worker: string; shard?: number });
    expect(logged.every((line) => line.worker === 'tester')).toBe(true);
    expect(
      logged
        .filter(({ msg }) => msg === 'shard')
        .map(({ shard }) => shard)
        .sort(),
    ).toEqual([0, 1, 2, 3, 4]);
    expect(stderr).not.toContain(redis.url);
  }, 120_000);

  it('says what is missing', async () => {
    const none = await runCli(SUBMIT, { cwd: folder });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/--redis redis:\/\/host:6379/) });
    const gone = await runCli(['jobs', 'status', '--redis', 'redis://:hidden@127.0.0.1:1'], { cwd: folder });
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringMatching(/127\.0\.0\.1:1 cannot be used/) });
    expect(gone.stderr).not.toContain('hidden');
    const unknown = await cli('jobs', 'cancel', 'j-0000000000000000');
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringMatching(/There is no job/) });
  }, 60_000);
});
