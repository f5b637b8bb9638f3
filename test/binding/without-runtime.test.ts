/** Archives decode where ONNX Runtime is not to be had. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { compileBinding, ROOT } from './compiled.js';

const run = promisify(execFile);
const work = temporaryFolder('no-runtime');

/** Archives of release 0.1.0 without loss, one of each kind of model: shipped, embedded, of sound. */
const ARCHIVES = ['idx', 'embedded', 'images-grey', 'sounds'];

async function decodes(root: string, name: string, env: NodeJS.ProcessEnv): Promise<void> {
  const output = join(work, name, Math.random().toString(36).slice(2));
  const archives = join(ROOT, 'test', 'golden', 'archives', '0.1.0');
  await run(
    process.execPath,
    [join(root, 'dist', 'cli', 'main.js'), 'decompress', join(archives, `${name}.vaez`), '-o', output],
    { env },
  );
  const expected = JSON.parse(await readFile(join(archives, 'expected.json'), 'utf8'))[name].files;
  const files = (await readdir(output, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files.length).toBe(Object.keys(expected).length);
}

describe('without ONNX Runtime', () => {
  it.each(ARCHIVES)('%s decodes where the library is not there', { timeout: 120_000 }, async (name) => {
    await decodes(ROOT, name, { ...process.env, NODE_VAE_ONNXRUNTIME_LIBRARY: '/no/such/library' });
  });

  it('archives decode where onnxruntime-node is not installed', { timeout: 240_000 }, async () => {
    const root = join(work, 'package');
    for (const part of ['addon.cjs', 'dist', 'build/Release/node-vae.node', 'package.json', 'models']) {
      await cp(join(ROOT, part), join(root, part), { recursive: true });
    }
    await mkdir(join(root, 'node_modules'));
    for (const name of await readdir(join(ROOT, 'node_modules'))) {
      if (name !== 'onnxruntime-node')
        await symlink(join(ROOT, 'node_modules', name), join(root, 'node_modules', name));
    }
    for (const name of ARCHIVES) await decodes(root, name, process.env);
    // What needs it says so.
    const sample = [join(root, 'dist', 'cli', 'main.js'), 'sample', 'mnist-mlp', '-n', '1', '-o', join(work, 'x.npy')];
    await expect(run(process.execPath, sample)).rejects.toThrowError(/onnxruntime-node is not installed/);
  });
});

describe('where no thread can be started', () => {
  // prlimit belongs to util-linux, which every Linux system has.
  it.skipIf(process.platform !== 'linux')(
    'coding says so, and close() does not wait for what never began',
    { timeout: 60_000 },
    async () => {
      const at = join(work, 'threads');
      await compileBinding(at, {}, 'codecs/index.ts');
      const module = (path: string) => JSON.stringify(join(at, 'dist', path));
      const script = `
      const { execFileSync } = await import('node:child_process');
      const { readFileSync } = await import('node:fs');
      const { createItemCodec } = await import(${module('binding/coder.js')});
      const { decodeCodecModel } = await import(${module('codecs/lossless/codec-model.js')});
      const { readModelFile } = await import(${module('codecs/models/model-file.js')});
      const { bytes: file } = await readModelFile(${JSON.stringify(join(ROOT, 'models', 'sound-codec'))}, 'codec.safetensors');
      // Loading has threads of its own; none codes yet.
      const [codec, other] = [await createItemCodec(decodeCodecModel(file, '').spec), await createItemCodec(decodeCodecModel(file, '').spec)];
      const items = new Uint8Array(256);
      const limit = (value) => execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + value]);
      const bytes = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
      limit((bytes + (6 << 20)) + ':unlimited');
      const refused = await Promise.resolve().then(() => codec.encode(items, 1, false)).then(() => 'coded', (error) => error.code + ' ' + error.message);
      limit('unlimited:unlimited');
      const closed = await Promise.race([codec.close().then(() => 'closed'), new Promise((resolve) => setTimeout(resolve, 10000, 'waits'))]);
      const after = (await other.encode(items, 1, true)).length > 0;
      console.log(JSON.stringify({ refused, closed, after }));
      process.exit(0);
    `;
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
      const { refused, closed, after } = JSON.parse(stdout);
      expect(refused).toMatch(/ERR_VAE_RUNTIME No thread could be started/);
      expect([closed, after]).toEqual(['closed', true]);
    },
  );
});
