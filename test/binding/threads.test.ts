/** How many threads there are: quotas of cgroups, affinity, the environment. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { checkEnvironment, threadsVariable } from '../../src/binding/environment.js';
import { quotaProcessors } from '../../src/binding/threads.js';
import { temporaryFolder } from '../support/temporary.js';
import { ROOT } from './compiled.js';

const folder = temporaryFolder('threads');
let made = 0;

function system(files: Readonly<Record<string, string>>): string {
  made += 1;
  const root = join(folder, String(made));
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return root;
}

describe('the quota of a cgroup', () => {
  const OWN = 'proc/self/cgroup';
  test.each<[string, Record<string, string>, number | undefined]>([
    ['none', {}, undefined],
    ['version 2, max', { [OWN]: '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' }, undefined],
    ['version 2, one and a half', { [OWN]: '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }, 2],
    ['version 2, a tenth', { [OWN]: '0::/\n', 'sys/fs/cgroup/cpu.max': '10000 100000\n' }, 1],
    [
      'version 2, of the group around it',
      {
        [OWN]: '0::/pod/container\n',
        'sys/fs/cgroup/pod/container/cpu.max': 'max 100000\n',
        'sys/fs/cgroup/pod/cpu.max': '300000 100000\n',
        'sys/fs/cgroup/cpu.max': '800000 100000\n',
      },
      3,
    ],
    [
      "version 2, the host's path in a container",
      { [OWN]: '0::/../../system.slice/x\n', 'sys/fs/cgroup/cpu.max': '200000 100000\n' },
      2,
    ],
    [
      'version 1',
      {
        [OWN]: '3:memory:/a\n2:cpu,cpuacct:/docker/1\n1:name=systemd:/\n',
        'sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us': '250000\n',
        'sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us': '100000\n',
      },
      3,
    ],
    [
      'version 1, none',
      {
        [OWN]: '2:cpu:/\n',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
      undefined,
    ],
    ['nonsense', { [OWN]: '0::/\nx\n', 'sys/fs/cgroup/cpu.max': 'lots\n' }, undefined],
  ])('%s', (_, files, expected) => {
    expect(quotaProcessors(system(files))).toBe(expected);
  });
});

describe('variables of the environment', () => {
  test('say a number of threads', () => {
    expect(threadsVariable({ NODE_VAE_THREADS: '3' })).toBe(3);
    expect(threadsVariable({ NODE_VAE_THREADS: '' })).toBeUndefined();
    expect(threadsVariable({})).toBeUndefined();
  });

  test.each([
    ['NODE_VAE_THREADS', '0'],
    ['NODE_VAE_THREADS', '1.5'],
    ['NODE_VAE_THREADS', 'many'],
    ['NODE_VAE_KERNELS_ISA', 'nonsense'],
    ['NODE_VAE_KERNELS_ISA', 'AVX2'],
    ['NODE_VAE_CODER_ISA', 'nonsense'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => checkEnvironment({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'ERR_VAE_OPTION', message: expect.stringContaining(`${name} is "${value}"`) }),
    );
  });

  test('known values are not', () => {
    checkEnvironment({ NODE_VAE_KERNELS_ISA: 'avx2', NODE_VAE_CODER_ISA: 'sse2', NODE_VAE_THREADS: '7' });
  });
});

/** Threads of a process that has run three models and trained one. */
const COUNT = `
import { readdirSync } from 'node:fs';
const { Vae } = await import(${JSON.stringify(join(ROOT, 'dist', 'main', 'index.js'))});
const before = readdirSync('/proc/self/task').length;
const batch = { data: new Float32Array(64 * 64).fill(0.5), shape: [64, 1, 8, 8] };
for (const type of ['conv', 'mlp', 'conv']) {
  const vae = await Vae.create({ input: { kind: 'image', height: 8, width: 8 }, latentDim: 2, architecture: { type } });
  await vae.encode(batch);
  await vae.decode((await vae.encode(batch)).mean);
}
console.log(readdirSync('/proc/self/task').length - before);
`;

describe.runIf(process.platform === 'linux')('threads of a process', () => {
  const run = async (env: NodeJS.ProcessEnv, command: readonly string[] = []): Promise<number> => {
    const [file, ...args] = [...command, process.execPath, '--input-type=module', '-e', COUNT];
    const { stdout } = await promisify(execFile)(file!, args, { env: { ...process.env, ...env } });
    return Number(stdout);
  };

  test('are as many as NODE_VAE_THREADS says, however many models there are', async () => {
    // Two that load models, some that run them, and those that runs are spread over: one fewer than asked for.
    const [one, three, eight] = await Promise.all(['1', '3', '8'].map((threads) => run({ NODE_VAE_THREADS: threads })));
    expect(three! - one!).toBeGreaterThanOrEqual(2);
    expect(eight! - three!).toBeGreaterThanOrEqual(5);
    // Sessions share one pool: six of them with seven helpers each would be 42.
    expect(eight!).toBeLessThan(24);
  });

  test.runIf(availableParallelism() > 1 && has('taskset'))('follow the affinity of the process', async () => {
    const bound = await run({}, ['taskset', '-c', '0']);
    const eight = await run({ NODE_VAE_THREADS: '8' }, ['taskset', '-c', '0']);
    expect(eight - bound).toBeGreaterThanOrEqual(6);
  });
});

function has(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('nonsense is refused when the addon is first needed', async () => {
  const code = `const { Vae } = await import(${JSON.stringify(join(ROOT, 'dist', 'main', 'index.js'))}); await Vae.load('mnist-mlp').then((v) => v.encode({ data: new Float32Array(784), shape: [1, 784] }));`;
  const failed = promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, NODE_VAE_KERNELS_ISA: 'nonsense' },
  });
  await expect(failed).rejects.toThrow(/ERR_VAE_OPTION|NODE_VAE_KERNELS_ISA is "nonsense"/);
});

test("Node's permission model: what it needs is named, and with that it works", async () => {
  const code = `const { Vae } = await import(${JSON.stringify(join(ROOT, 'dist', 'main', 'index.js'))}); await Vae.load('mnist-mlp').then((v) => v.encode({ data: new Float32Array(784), shape: [1, 784] })); console.log('encoded');`;
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const run = (...flags: string[]) =>
    promisify(execFile)(
      process.execPath,
      [permission, `--allow-fs-read=${ROOT}/*`, ...flags, '--input-type=module', '-e', code],
      {
        env: { ...process.env, NODE_NO_WARNINGS: '1' },
      },
    );
  await expect(run()).rejects.toThrow(/permission model.*--allow-addons/);
  expect((await run('--allow-addons')).stdout).toBe('encoded\n');
}, 30_000);
