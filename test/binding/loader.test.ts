/** What a user is told when the addon or the ONNX Runtime library is missing, damaged or of the wrong version. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadRuntime } from '../../src/binding/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { compileBinding, ROOT } from './compiled.js';

const LIBRARY = loadRuntime().libraryPath;
const onLinux = process.platform === 'linux';
const hasCompiler = onLinux && spawnSync('cc', ['--version']).status === 0;

const folder = temporaryFolder('loader');
beforeAll(async () => {
  await compileBinding(join(folder, 'package'));
});

/** Runs a script in a process of its own, with the binding of the package at `at`; returns what it logs. */
async function run(body: string, env: NodeJS.ProcessEnv = {}, at = join(folder, 'package')): Promise<string> {
  const file = join(folder, `script-${Math.random().toString(36).slice(2)}.mjs`);
  const binding = pathToFileURL(join(at, 'dist', 'binding', 'index.js')).href;
  await writeFile(
    file,
    `const { loadAddon, loadRuntime } = await import(${JSON.stringify(binding)});
     const tell = (error) => console.log(error.name + ' ' + error.code + ': ' + error.message);
     ${body}`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [file], {
    cwd: folder,
    env: { ...process.env, ...env },
  });
  return stdout.trim();
}

const LOAD = 'try { console.log(loadRuntime().version); } catch (error) { tell(error); }';

// /proc, where the files that are mapped can be read, is Linux's.
test.skipIf(!onLinux)('nothing is loaded before the first use', async () => {
  const loaded = `const { readFileSync } = await import('node:fs');
    const maps = () => /node-vae\\.node|libonnxruntime/.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0] ?? 'nothing';`;
  expect(await run(`${loaded} console.log(maps());`)).toBe('nothing');
  expect(await run(`${loaded} loadAddon(); console.log(maps());`)).toBe('node-vae.node');
  expect(await run(`${loaded} loadRuntime(); console.log(maps());`)).toMatch(/node-vae|libonnxruntime/);
});

test('random numbers need no ONNX Runtime', async () => {
  const out = await run(
    'const out = new Float32Array(2); loadAddon().random.fillUniform(out, 1n, 0, 0n); console.log(out[0] > 0);',
    { NODE_VAE_ONNXRUNTIME_LIBRARY: '/no/such/library' },
  );
  expect(out).toBe('true');
});

describe('NODE_VAE_ONNXRUNTIME_LIBRARY', () => {
  test('names the library', async () => {
    const copy = join(folder, 'libonnxruntime.so.1');
    await copyFile(LIBRARY, copy);
    const out = await run('console.log(loadRuntime().libraryPath);', { NODE_VAE_ONNXRUNTIME_LIBRARY: copy });
    expect(out).toBe(copy);
  });

  test('that names nothing is an error that says so', async () => {
    const out = await run(LOAD, { NODE_VAE_ONNXRUNTIME_LIBRARY: '/no/such/library.so' });
    expect(out).toMatch(/VaeError ERR_VAE_BINDING: .*NODE_VAE_ONNXRUNTIME_LIBRARY.*\/no\/such\/library\.so.*not exist/);
    expect(out).toContain('unset it');
  });

  test('that names something else than a library', async () => {
    const text = join(folder, 'libonnxruntime.txt');
    await writeFile(text, 'not a library');
    const out = await run(LOAD, { NODE_VAE_ONNXRUNTIME_LIBRARY: text });
    expect(out).toMatch(/VaeError ERR_VAE_BINDING: .*could not be opened.*completely installed/);
  });

  test.runIf(hasCompiler)('that names another library, or an old ONNX Runtime', async () => {
    const build = async (name: string, source: string): Promise<string> => {
      await writeFile(join(folder, `${name}.c`), source);
      execFileSync('cc', ['-shared', '-fPIC', '-o', join(folder, `${name}.so`), join(folder, `${name}.c`)]);
      return join(folder, `${name}.so`);
    };
    const other = await build('other', 'int something(void) { return 1; }');
    expect(await run(LOAD, { NODE_VAE_ONNXRUNTIME_LIBRARY: other })).toMatch(
      /ERR_VAE_BINDING: .*other\.so is not ONNX Runtime: it has no function OrtGetApiBase/,
    );
    // An ONNX Runtime returns null for a version of its interface that is newer than itself.
    const old = await build(
      'old',
      `#include <stddef.h>
       typedef struct { const void* (*GetApi)(unsigned); const char* (*GetVersionString)(void); } Base;
       static const void* api(unsigned version) { (void)version; return NULL; }
       static const char* version(void) { return "1.17.3"; }
       static const Base base = { api, version };
       const Base* OrtGetApiBase(void) { return &base; }`,
    );
    expect(await run(LOAD, { NODE_VAE_ONNXRUNTIME_LIBRARY: old })).toMatch(
      /ERR_VAE_BINDING: .*old\.so is version 1\.17\.3, which is too old: expected 1\.\d+ or newer.*npm install onnxruntime-node@/,
    );
  });
});

describe('two libraries in one process', () => {
  const copied = async (): Promise<string> => {
    const copy = join(folder, 'copy', 'libonnxruntime.so.1');
    await mkdir(dirname(copy), { recursive: true });
    await copyFile(LIBRARY, copy);
    return copy;
  };

  test('asked of the addon', async () => {
    const out = await run(
      `loadRuntime(); const { createRequire } = await import('node:module');
       try { loadAddon().loadRuntime(${JSON.stringify(await copied())}); } catch (error) { tell(error); }`,
    );
    expect(out).toMatch(/ERR_VAE_BINDING: This process already uses the ONNX Runtime library .* One process has one/);
  });

  test.runIf(onLinux)('one loaded by onnxruntime-node before', async () => {
    const out = await run(
      `const { createRequire } = await import('node:module');
       createRequire(${JSON.stringify(import.meta.url)})('onnxruntime-node');
       ${LOAD}`,
      { NODE_VAE_ONNXRUNTIME_LIBRARY: await copied() },
    );
    expect(out).toMatch(/ERR_VAE_BINDING: Another copy of ONNX Runtime is already loaded .*npm dedupe/s);
  });

  test.each([
    ['before', true],
    ['after', false],
  ])('onnxruntime-node with the same library, loaded %s, works beside us', async (_, before) => {
    const peer = `const ort = createRequire(${JSON.stringify(import.meta.url)})('onnxruntime-node');`;
    const out = await run(
      `const { createRequire } = await import('node:module');
       ${before ? peer : ''}
       console.log(loadRuntime().version);
       ${before ? '' : peer}
       console.log(new ort.Tensor('float32', [1], [1]).size);`,
    );
    expect(out).toMatch(/^1\.\d+\.\d+\n1$/);
  });
});

describe('an installation that is not complete', () => {
  /** The package with nothing beside it that it needs, not even onnxruntime-node. */
  async function install(name: string, addon = true): Promise<string> {
    const at = join(folder, name);
    await compileBinding(at, { addon, modules: [] });
    return at;
  }
  const runtimeBeside = async (at: string): Promise<string> => {
    const runtime = join(at, 'node_modules', 'onnxruntime-node');
    await mkdir(runtime, { recursive: true });
    await writeFile(join(runtime, 'package.json'), '{ "name": "onnxruntime-node", "version": "9.8.7" }');
    return runtime;
  };

  test('no addon', async () => {
    const out = await run(LOAD, {}, await install('no-addon', false));
    expect(out).toMatch(/ERR_VAE_BINDING: The native addon of node-vae could not be loaded for \w+-\w+, Node \d+/);
    expect(out).toContain('node scripts/build-native.mjs');
    expect(out).toContain(join('build', 'Release'));
  });

  test('a platform that there is no ONNX Runtime for', async () => {
    const at = await install('freebsd', false);
    const out = await run(`Object.defineProperty(process, 'platform', { value: 'freebsd' }); ${LOAD}`, {}, at);
    expect(out).toMatch(
      /ERR_VAE_BINDING: node-vae does not run on freebsd-\w+.*it runs on linux-x64, linux-arm64, darwin-/,
    );
  });

  test.runIf(onLinux)('musl, as Node itself tells of it', async () => {
    // There is no addon for musl, so that none loads.
    const at = await install('musl', false);
    const out = await run(`process.report.getReport = () => ({ header: {} }); ${LOAD}`, {}, at);
    expect(out).toMatch(/ERR_VAE_BINDING: node-vae does not run on musl \(Alpine Linux\).*such as node:20-slim/);
  });

  test('no onnxruntime-node', async () => {
    const out = await run(LOAD, {}, await install('no-runtime'));
    expect(out).toMatch(/ERR_VAE_BINDING: The package onnxruntime-node is not installed.*npm install onnxruntime-node/);
  });

  test('onnxruntime-node without the library of this platform', async () => {
    const at = await install('other-platform');
    await mkdir(join(await runtimeBeside(at), 'bin', 'napi-v6', 'plan9', 'mips'), { recursive: true });
    const out = await run(LOAD, {}, at);
    expect(out).toContain(`onnxruntime-node 9.8.7 has no library for ${process.platform}-${process.arch}`);
    expect(out).toContain('it supports plan9-mips');
  });

  test('onnxruntime-node whose library file is gone', async () => {
    const at = await install('file-gone');
    const bin = join(await runtimeBeside(at), 'bin', 'napi-v6', process.platform, process.arch);
    await mkdir(bin, { recursive: true });
    const out = await run(LOAD, {}, at);
    expect(out).toMatch(/ERR_VAE_BINDING: .*9\.8\.7 .* is incomplete: its library for .* is missing. Install it again/);
  });

  test('everything in place works', async () => {
    const at = await install('complete');
    const runtime = await runtimeBeside(at);
    const file = LIBRARY.slice(LIBRARY.lastIndexOf('bin'));
    await mkdir(join(runtime, dirname(file)), { recursive: true });
    await copyFile(LIBRARY, join(runtime, file));
    expect(await run(LOAD, {}, at)).toMatch(/^1\.\d+\.\d+$/);
  });
});

test.runIf(onLinux)('the addon asks for no newer glibc than ONNX Runtime does, and for no libstdc++', async () => {
  const newest = async (file: string): Promise<number> => {
    const text = (await readFile(file)).toString('latin1');
    return Math.max(...Array.from(text.matchAll(/GLIBC_2\.(\d+)/g), ([, minor]) => Number(minor)));
  };
  const addon = join(ROOT, 'build', 'Release', 'node-vae.node');
  expect(await newest(addon)).toBeLessThanOrEqual(await newest(LIBRARY));
  expect((await readFile(addon)).includes('libstdc++.so')).toBe(false);
});
