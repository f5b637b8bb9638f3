/** The package as strangers get it: packed, installed into an empty project without scripts, and used. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, type Finished, PACKAGE_ROOT } from '../support/project.js';

const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

describe('a packed install', () => {
  let folder: string;
  let project: string;
  let packed: readonly { readonly path: string; readonly size: number }[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'node-vae-pack-'));
    const stage = join(folder, 'stage');
    await mkdir(stage);
    for (const name of ['package.json', 'README.md', 'LICENSE', 'dist', 'models']) {
      await cp(join(PACKAGE_ROOT, name), join(stage, name), { recursive: true });
    }
    // What `npm run prebuild` makes, without building again.
    const prebuilds = join(stage, 'prebuilds', `${process.platform}-${process.arch}`);
    await mkdir(prebuilds, { recursive: true });
    await cp(join(PACKAGE_ROOT, 'build', 'Release', 'node-vae.node'), join(prebuilds, 'node-vae.node'));
    const pack = await succeed(execute(npm, ['pack', '--json', '--ignore-scripts', '--silent'], { cwd: stage }));
    const [description] = JSON.parse(pack.stdout) as [{ filename: string; files: { path: string; size: number }[] }];
    packed = description.files;

    project = join(folder, 'project');
    await mkdir(project);
    await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true }\n');
    await succeed(
      execute(
        npm,
        ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', join(stage, description.filename)],
        {
          cwd: project,
          env: { ONNXRUNTIME_NODE_INSTALL: 'skip' },
        },
      ),
    );
  }, 400_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function succeed(run: Promise<Finished>): Promise<Finished> {
    const finished = await run;
    expect(finished.code, finished.stderr + finished.stdout).toBe(0);
    return finished;
  }

  async function program(name: string, code: string): Promise<Finished> {
    await writeFile(join(project, name), code);
    return succeed(execute(process.execPath, [name], { cwd: project }));
  }

  const USE = `
    const main = async ({ Vae }) => {
      const vae = await Vae.create({ input: { kind: 'vector', length: 8 }, latentDim: 2, seed: 1 });
      const data = { data: Float32Array.from({ length: 800 }, (_, i) => (i % 13) / 13), shape: [100, 8] };
      const { epochs } = await vae.fit(data, { epochs: 2 });
      const { mean } = await vae.encode(data);
      console.log(epochs.length, (await vae.decode(mean)).dims.join('x'));
      await vae.close();
    };
  `;

  test('holds what it needs and nothing else, within 15 MB', () => {
    const total = packed.reduce((sum, { size }) => sum + size, 0);
    expect(total).toBeLessThan(15e6);
    const folders = new Set(packed.map(({ path }) => path.split('/')[0]));
    expect([...folders].sort()).toEqual(['LICENSE', 'README.md', 'dist', 'models', 'package.json', 'prebuilds']);
    expect(packed.some(({ path }) => /\.test\.|\.onnx_data|\.env/.test(path))).toBe(false);
  });

  test('is imported', async () => {
    const { stdout } = await program('import.mjs', `import * as library from 'node-vae';${USE} await main(library);`);
    expect(stdout).toBe('2 100x8\n');
  });

  test('is required', async () => {
    const { stdout } = await program('require.cjs', `${USE} main(require('node-vae'));`);
    expect(stdout).toBe('2 100x8\n');
  });

  test('has its parts under their own names', async () => {
    const { exports } = JSON.parse(await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { exports: object };
    const names = Object.keys(exports).map((path) => path.replace(/^\./, 'node-vae'));
    const modules = names.filter((name) => !name.endsWith('.json'));
    expect(modules).toContain('node-vae/graph');
    const { stdout } = await program(
      'parts.mjs',
      modules.map((name) => `console.log(Object.keys(await import('${name}')).length > 0);`).join('\n'),
    );
    expect(stdout).toBe('true\n'.repeat(modules.length));
  });

  test('brings its command and its models', async () => {
    const command = join(project, 'node_modules', '.bin', process.platform === 'win32' ? 'node-vae.cmd' : 'node-vae');
    const { stdout } = await succeed(execute(command, ['info', 'mnist-mlp', '--json'], { cwd: project }));
    expect(JSON.parse(stdout)).toMatchObject({ latentDim: 20 });
    const { code } = await execute(command, ['explode'], { cwd: project });
    expect(code).toBe(2);
  });

  test('runs in worker threads', async () => {
    const { stdout } = await program(
      'workers.mjs',
      `import { Worker, isMainThread } from 'node:worker_threads'; import * as library from 'node-vae';${USE}
       if (isMainThread) for (let i = 0; i < 2; i += 1) new Worker(new URL(import.meta.url)); else await main(library);`,
    );
    expect(stdout).toBe('2 100x8\n2 100x8\n');
  });

  test.each([
    ['before', 'ort', 'vae'],
    ['after', 'vae', 'ort'],
  ])('lives beside a program that loads onnxruntime-node %s it', async (order, first, second) => {
    const load = { ort: `await import('onnxruntime-node');`, vae: `await main(await import('node-vae'));` };
    const code = `${USE} ${load[first as 'ort' | 'vae']} ${load[second as 'ort' | 'vae']}
      const ort = (await import('onnxruntime-node')).default; console.log(typeof ort.InferenceSession.create);`;
    const { stdout } = await program(`beside-${order}.mjs`, code);
    expect(stdout).toBe('2 100x8\nfunction\n');
  });

  test('without onnxruntime-node, says how to get it', async () => {
    const modules = join(project, 'node_modules', 'onnxruntime-node');
    await cp(modules, join(folder, 'aside'), { recursive: true });
    await rm(modules, { recursive: true });
    try {
      await writeFile(
        join(project, 'without.mjs'),
        `import { Vae } from 'node-vae';
        await Vae.create({ input: { kind: 'vector', length: 8 }, latentDim: 2 }).then((vae) => vae.encode({ data: new Float32Array(8), shape: [1, 8] }))
          .catch((error) => console.log(error.code, error.message));`,
      );
      const { stdout } = await succeed(execute(process.execPath, ['without.mjs'], { cwd: project }));
      expect(stdout).toMatch(/^ERR_VAE_BINDING .*npm install/s);
    } finally {
      await cp(join(folder, 'aside'), modules, { recursive: true });
    }
  });

  test('leaves the project as it was', async () => {
    expect((await readdir(project)).filter((name) => !/\.(mjs|cjs)$/.test(name)).sort()).toEqual([
      'node_modules',
      'package-lock.json',
      'package.json',
    ]);
  });
});
