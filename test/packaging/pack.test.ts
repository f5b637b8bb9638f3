/** The package as strangers get it: packed, installed into an empty project without scripts, and used. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { nodeFileTrace } from '@vercel/nft';
import { build } from 'esbuild';
import { publint } from 'publint';
import { beforeAll, describe, expect, test } from 'vitest';
import { execute, type Finished } from '../../scripts/package/execute.js';
import {
  PACKAGE_ROOT,
  type Packed,
  packInto,
  packWorkspace,
  projectWith,
  succeed,
} from '../../scripts/package/packed.js';
import { BESIDE, BUNDLES, PROGRAMS, TYPED_PROGRAM, TYPED_SETTINGS } from '../../scripts/package/programs.js';
import { temporaryFolder } from '../support/temporary.js';

describe('a packed install', () => {
  const folder = temporaryFolder('pack');
  let project: string;
  let packed: Packed;

  beforeAll(async () => {
    project = join(folder, 'project');
    packed = await packInto(folder);
    await projectWith(project, [packed.tarball]);
  }, 400_000);

  async function program(name: string, code: string): Promise<Finished> {
    await writeFile(join(project, name), code);
    return succeed(execute(process.execPath, [name], { cwd: project }));
  }

  test('carries what its README points at, and what that points at', async () => {
    const there = new Set(packed.files.map(({ path }) => path));
    const missing: string[] = [];
    const seen = new Set<string>();
    const visit = async (page: string): Promise<void> => {
      if (seen.has(page)) return;
      seen.add(page);
      const text = (await readFile(join(PACKAGE_ROOT, page), 'utf8')).replace(/```[\s\S]*?```/g, '');
      for (const [, link] of text.matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
        if (/^(https?:|mailto:|#)/.test(link!)) continue;
        const path = posix.join(posix.dirname(page), link!.split('#')[0]!);
        if (!there.has(path)) missing.push(`${page}: ${link}`);
        else if (path.endsWith('.md')) await visit(path);
      }
    };
    await visit('README.md');
    expect(missing).toEqual([]);
    expect(seen.size).toBeGreaterThan(20);
  });

  test('holds what it needs and nothing else, within 15 MB', () => {
    const bytes = (wanted: (path: string) => boolean) =>
      packed.files.reduce((sum, { path, size }) => sum + (wanted(path) ? size : 0), 0);
    const isRead = (path: string) => /^(docs|examples)\/|^(CHANGELOG|CONTRIBUTING|SECURITY)\.md$/.test(path);
    expect(bytes((path) => !isRead(path))).toBeLessThan(15e6);
    // What people read besides; all together with the other Linux addon, of 1.2 MB.
    expect(bytes(isRead)).toBeLessThan(1e6);
    expect(bytes(() => true) + 1.25e6).toBeLessThan(15e6);
    const folders = new Set(packed.files.map(({ path }) => path.split('/')[0]));
    expect([...folders].sort()).toEqual([
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'addon.cjs',
      'addon.d.cts',
      'dist',
      'docs',
      'examples',
      'models',
      'package.json',
      'prebuilds',
      'schemas',
    ]);
    expect(packed.files.some(({ path }) => /\.test\.|\.onnx_data|\.env/.test(path))).toBe(false);
  });

  test.each([...PROGRAMS, ...BESIDE])('$name', async ({ main, files, stdout }) => {
    expect(await program(main, files[main]!)).toMatchObject({ stdout });
  });

  test('what a tracer finds runs by itself, as Next.js and Vercel deploy it', async () => {
    const code = `import { Vae } from 'node-vae';
      const vae = await Vae.load('mnist-mlp');
      console.log((await vae.encode(new Float32Array(784))).mean.dims.join());
      await vae.close();`;
    await writeFile(join(project, 'traced.mjs'), code);
    const { fileList } = await nodeFileTrace([join(project, 'traced.mjs')], { base: project });
    const alone = join(folder, 'traced');
    for (const file of fileList)
      await cp(join(project, file), join(alone, file), { recursive: true, verbatimSymlinks: true });
    expect(await succeed(execute(process.execPath, ['traced.mjs'], { cwd: alone }))).toMatchObject({
      stdout: '1,20\n',
    });
  }, 120_000);

  test.each(BUNDLES)('$name', async ({ format, source, main, code, stdout }) => {
    await writeFile(join(project, source), code);
    await build({
      absWorkingDir: project,
      entryPoints: [source],
      outfile: main,
      bundle: true,
      platform: 'node',
      format,
      external: ['node-vae'],
      logLevel: 'error',
    });
    expect(await succeed(execute(process.execPath, [main], { cwd: project }))).toMatchObject({ stdout });
  });

  test.each(['nodenext', 'bundler'])(
    'compiles under strict TypeScript settings, resolved as %s',
    async (resolution) => {
      await writeFile(join(project, 'program.mts'), TYPED_PROGRAM);
      const compilerOptions = {
        ...TYPED_SETTINGS,
        module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
        moduleResolution: resolution,
      };
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.mts'] }));
      const tsc = join(PACKAGE_ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      await succeed(execute(process.execPath, [tsc, '-p', '.'], { cwd: project }));
    },
  );

  test('has a manifest and types that linters find nothing wrong with', async () => {
    const tarball = await readFile(packed.tarball);
    const { messages } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer } });
    // What require() gets is the same module, so its types are those of a module.
    const known = (code: string, path: readonly string[]) =>
      code === 'EXPORTS_TYPES_INVALID_FORMAT' && path.join() === 'exports,.,types';
    expect(messages.filter(({ code, path }) => !known(code, path))).toEqual([]);
    const analysis = await checkPackage(createPackageFromTarballData(tarball));
    if (analysis.types === false) throw new Error('no types found');
    // Node 16 has no require() of modules; ours starts at 20.19, which has it.
    const unexpected = analysis.problems.filter(
      (problem) =>
        problem.kind !== 'CJSResolvesToESM' && !('resolutionKind' in problem && problem.resolutionKind === 'node10'),
    );
    expect(unexpected).toEqual([]);
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

  test('without node-vae-report, says how to get it before it trains; with it, draws charts', async () => {
    await writeFile(
      join(project, 'table.csv'),
      `a,b\n${Array.from({ length: 40 }, (_, i) => `${i},${i % 7}`).join('\n')}\n`,
    );
    const bin = join(project, 'node_modules', '.bin', process.platform === 'win32' ? 'node-vae.cmd' : 'node-vae');
    const train = () =>
      execute(bin, ['train', 'table.csv', '-o', 'model', '--epochs', '2', '--report'], { cwd: project });
    const chart = `import { figureToPng, trainingCurves } from 'node-vae/report';
      const terms = { loss: 1, reconstruction: 1, kl: 0 };
      const png = figureToPng(trainingCurves([{ epoch: 1, train: terms }, { epoch: 2, train: terms }], { unit: 'row' }));
      await png.then((bytes) => console.log(Buffer.from(bytes.subarray(1, 4)).toString()), (error) => console.log(error.code, error.message));`;
    try {
      expect(await train()).toMatchObject({ code: 1, stderr: expect.stringContaining('npm install node-vae-report') });
      expect((await program('chart.mjs', chart)).stdout).toMatch(/^ERR_VAE_PACKAGE .*npm install node-vae-report/);
      const report = await packWorkspace('report', folder);
      await projectWith(project, [report, packed.tarball]);
      expect((await program('chart.mjs', chart)).stdout).toBe('PNG\n');
      expect((await train()).stdout).toMatch(/Report\s+model.report.report\.html/);
    } finally {
      await rm(join(project, 'table.csv'));
      await rm(join(project, 'model'), { recursive: true, force: true });
    }
  }, 200_000);

  test('without node-vae-models, says how to get further models; with it, finds them by name', async () => {
    const items = '{ data: new Uint8Array(784), shape: [1, 1, 28, 28] }';
    const code = `import { compress, openArchive } from 'node-vae/codec';
      const packed = compress(${items}, { model: 'fashion-codec' });
      await packed.then(async ({ archive }) => console.log((await openArchive(archive)).length), (error) => console.log(error.code, error.message));`;
    expect((await program('models.mjs', code)).stdout).toMatch(/^ERR_VAE_IO .*npm install node-vae-models/);
    await projectWith(project, [await packWorkspace('models', folder), packed.tarball]);
    expect((await program('models.mjs', code)).stdout).toBe('1\n');
  }, 200_000);

  test('without node-vae-explorer, says how to get it before it trains; with it, serves the page', async () => {
    await writeFile(
      join(project, 'table.csv'),
      `a,b\n${Array.from({ length: 40 }, (_, i) => `${i},${i % 7}`).join('\n')}\n`,
    );
    const bin = join(project, 'node_modules', '.bin', process.platform === 'win32' ? 'node-vae.cmd' : 'node-vae');
    const served = `import { spawn } from 'node:child_process';
      const child = spawn(process.execPath, ['node_modules/node-vae/dist/cli/main.js', 'explore', 'mnist-mlp'], { stdio: ['ignore', 'ignore', 'pipe'] });
      child.stderr.setEncoding('utf8').on('data', async (text) => {
        const address = /Open (http:\\S+)/.exec(text)?.[1];
        if (!address) return;
        const page = await (await fetch(address)).text();
        const script = /src="\\.\\/(assets\\/[^"]+\\.js)"/.exec(page)[1];
        console.log((await fetch(address + script)).status, (await (await fetch(address + 'api/state')).json()).name);
        child.kill('SIGINT');
      });
      child.on('close', (code) => console.log(code));`;
    try {
      for (const args of [
        ['explore', 'mnist-mlp'],
        ['train', 'table.csv', '-o', 'model', '--watch'],
      ]) {
        expect(await execute(bin, args, { cwd: project })).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('npm install node-vae-explorer'),
        });
      }
      const [explorer, report] = [await packWorkspace('explorer', folder), await packWorkspace('report', folder)];
      await projectWith(project, [explorer, report, packed.tarball]);
      expect((await program('served.mjs', served)).stdout).toBe('200 mnist-mlp\n0\n');
      const without = await execute(bin, ['explore', 'mnist-mlp', '--export', 'site'], { cwd: project });
      expect(without).toMatchObject({ code: 1, stderr: expect.stringContaining('npm install onnxruntime-web') });
    } finally {
      await rm(join(project, 'table.csv'));
      await rm(join(project, 'model'), { recursive: true, force: true });
    }
  }, 200_000);

  test('leaves the project as it was', async () => {
    expect((await readdir(project)).filter((name) => !/\.(mjs|cjs|mts)$|^tsconfig/.test(name)).sort()).toEqual([
      'node_modules',
      'package-lock.json',
      'package.json',
    ]);
  });
});
