/**
 * The packed package everywhere it should work: npm run check:package -- [--tarball FILE] [--node 20,22,24,26] [PART …]
 *
 * nodes:    every program of programs.ts on every version of Node, and bundled by esbuild
 * types:    a strict TypeScript program, with this compiler and with 5.9
 * isolated: node_modules as pnpm lays it out, where a package sees only what it asked for
 * versions: beside an older onnxruntime-node that npm can share, and beside one that it cannot
 * tools:    webpack, Rollup, Next.js, Jest 29 and 30, Deno and Bun, with the settings that docs/guides give
 * arm64:    the programs on linux-arm64 under qemu, with the addon that is cross-compiled here
 *
 * Installs from the registry into folders of its own and removes them. Without --tarball it packs what is built here.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { arm64Obstacle, newestGlibc, packForArm64, projectOnArm64 } from './arm64.js';
import { execute } from './execute.js';
import { npm, PACKAGE_ROOT, packInto, projectWith, succeed } from './packed.js';
import { BESIDE, BUNDLES, PROGRAMS, TYPED_PROGRAM, TYPED_SETTINGS } from './programs.js';
import { TOOLS } from './tools.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tarball: { type: 'string' }, node: { type: 'string', default: '20,22,24,26' }, tool: { type: 'string' } },
});
const npx = npm.replace('npm', 'npx');
const folder = await mkdtemp(join(tmpdir(), 'node-vae-matrix-'));
const tarball = values.tarball === undefined ? (await packInto(folder)).tarball : resolve(values.tarball);
let failed = 0;

async function check(name: string, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  const error = await work().then(
    () => undefined,
    (reason: Error) => reason,
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${error === undefined ? 'works' : 'FAULT'}  ${name} (${seconds} s)${error ? `\n${error.message}` : ''}`);
  if (error !== undefined) failed += 1;
}

/** Runs one program of a project and compares what it prints. */
async function runs(node: string, project: string, main: string, stdout: string): Promise<void> {
  const finished = await succeed(execute(node, [main], { cwd: project }));
  if (finished.stdout !== stdout) throw new Error(`printed ${finished.stdout}, expected ${stdout}`);
}

async function nodes(): Promise<void> {
  const project = join(folder, 'nodes');
  await projectWith(project, [tarball]);
  for (const { files } of [...PROGRAMS, ...BESIDE]) {
    for (const [name, code] of Object.entries(files)) await writeFile(join(project, name), code);
  }
  for (const { format, source, main, code } of BUNDLES) {
    await writeFile(join(project, source), code);
    const external = ['node-vae'];
    await build({
      ...{
        absWorkingDir: project,
        entryPoints: [source],
        outfile: main,
        bundle: true,
        platform: 'node',
        format,
        external,
      },
      logLevel: 'error',
    });
  }
  for (const version of values.node.split(',')) {
    const { stdout } = await succeed(
      execute(npx, ['-y', '-p', `node@${version}`, '--', 'node', '-p', 'process.execPath']),
    );
    const node = stdout.trim();
    for (const { name, main, stdout: expected } of [...PROGRAMS, ...BESIDE, ...BUNDLES]) {
      await check(`Node ${version}: ${name}`, () => runs(node, project, main, expected));
    }
  }
}

async function types(): Promise<void> {
  for (const compiler of ['own', '5.9']) {
    for (const moduleResolution of ['nodenext', 'bundler']) {
      await check(`TypeScript ${compiler}, ${moduleResolution}`, async () => {
        const project = join(folder, `types-${compiler}-${moduleResolution}`);
        await projectWith(project, compiler === 'own' ? [tarball] : [tarball, 'typescript@~5.9.3']);
        await writeFile(join(project, 'program.mts'), TYPED_PROGRAM);
        const module = moduleResolution === 'nodenext' ? 'nodenext' : 'esnext';
        const compilerOptions = { ...TYPED_SETTINGS, module, moduleResolution };
        await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.mts'] }));
        const at = compiler === 'own' ? PACKAGE_ROOT : project;
        const tsc = join(at, 'node_modules', 'typescript', 'bin', 'tsc');
        await succeed(execute(process.execPath, [tsc, '-p', '.'], { cwd: project }));
      });
    }
  }
}

async function isolated(): Promise<void> {
  await check('pnpm, isolated node_modules', async () => {
    const project = join(folder, 'isolated');
    await projectWith(project, []);
    const store = join(folder, 'pnpm-store');
    const add = ['-y', 'pnpm@9', 'add', '--ignore-scripts', '--store-dir', store, tarball];
    await succeed(execute(npx, add, { cwd: project, env: { ONNXRUNTIME_NODE_INSTALL: 'skip' } }));
    for (const { files, main, stdout } of PROGRAMS) {
      await writeFile(join(project, main), files[main]!);
      await runs(process.execPath, project, main, stdout);
    }
  });
}

async function tools(): Promise<void> {
  for (const [index, { name, run }] of TOOLS.entries()) {
    if (values.tool !== undefined && !name.toLowerCase().startsWith(values.tool.toLowerCase())) continue;
    await check(name, () => run(join(folder, `tool-${index}`), tarball));
  }
}

async function versions(): Promise<void> {
  await check('an onnxruntime-node of the project that npm can share', async () => {
    const project = join(folder, 'shared');
    await projectWith(project, [tarball, 'onnxruntime-node@1.29.0']);
    for (const { files, main, stdout } of [PROGRAMS[0]!, ...BESIDE]) {
      await writeFile(join(project, main), files[main]!);
      await runs(process.execPath, project, main, stdout);
    }
  });
  const project = join(folder, 'other');
  await projectWith(project, [tarball, 'onnxruntime-node@1.22.0']);
  await check('an older onnxruntime-node of the project that is not loaded', async () => {
    const { files, main, stdout } = PROGRAMS[0]!;
    await writeFile(join(project, main), files[main]!);
    await runs(process.execPath, project, main, stdout);
  });
  for (const { name, files, main, stdout } of BESIDE) {
    await check(`an older onnxruntime-node: ${name}, or says why not`, async () => {
      await writeFile(join(project, main), files[main]!);
      const finished = await execute(process.execPath, [main], { cwd: project });
      const works = finished.code === 0 && finished.stdout === stdout;
      // Ours after theirs is our error; theirs after ours is the system's, which names both libraries.
      const told =
        (finished.stderr.includes('ERR_VAE_BINDING') && finished.stderr.includes('npm dedupe')) ||
        (finished.stderr.includes('ERR_DLOPEN_FAILED') &&
          finished.stderr.includes('node-vae/node_modules/onnxruntime-node'));
      if (!works && !told)
        throw new Error(`ended with ${finished.code ?? finished.signal}:\n${finished.stdout}${finished.stderr}`);
    });
  }
}

async function arm64(): Promise<void> {
  const obstacle = arm64Obstacle();
  if (obstacle !== undefined) return console.log(`left out  linux-arm64 under qemu: ${obstacle}`);
  const fitting = values.tarball === undefined ? await packForArm64(folder) : tarball;
  const run = await projectOnArm64(folder, fitting);
  await check('linux-arm64: asks for no newer glibc than ONNX Runtime', async () => {
    const modules = join(folder, 'arm64-project', 'node_modules');
    const ours = await newestGlibc(join(modules, 'node-vae/prebuilds/linux-arm64/node-vae.node'));
    const theirs = await newestGlibc(join(modules, 'onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1'));
    if (ours > theirs) throw new Error(`glibc 2.${ours}, ONNX Runtime 2.${theirs}`);
  });
  for (const { name, files, main, stdout } of PROGRAMS) {
    await check(`linux-arm64 under qemu: ${name}`, async () => {
      await writeFile(join(folder, 'arm64-project', main), files[main]!);
      const finished = await succeed(run(main));
      if (finished.stdout !== stdout) throw new Error(`printed ${finished.stdout}, expected ${stdout}`);
    });
  }
}

const PARTS = { nodes, types, isolated, versions, tools, arm64 };
const chosen = positionals.length > 0 ? positionals : Object.keys(PARTS);
for (const part of chosen) {
  const work = PARTS[part as keyof typeof PARTS];
  if (work === undefined) throw new Error(`No part ${part}; there are ${Object.keys(PARTS).join(', ')}.`);
  await work();
}
await rm(folder, { recursive: true, force: true });
process.exit(failed === 0 ? 0 : 1);
