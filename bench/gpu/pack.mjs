#!/usr/bin/env node
// Makes a folder that needs nothing else on a machine with a card and without a network:
//
//   npm run build && node bench/gpu/pack.mjs FOLDER [--runtime FOLDER OF libonnxruntime.so*] [--plugin LIBRARY] [--node BINARY]
//
// There: FOLDER/run.sh --provider cuda (or webgpu, cpu). What the run needs is copied, not linked.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: 'string' },
    plugin: { type: 'string' },
    node: { type: 'string', default: process.execPath },
  },
});
if (positionals.length !== 1) throw new Error('Name the folder that is to be made.');
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = resolve(positionals[0]);
const modules = join(folder, 'node_modules');
await mkdir(modules, { recursive: true });

// The package as npm packs it, and its dependencies as they are installed here.
const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  }),
);
await mkdir(join(modules, 'node-vae'), { recursive: true });
execFileSync('tar', ['-xzf', join(folder, packed.filename), '-C', join(modules, 'node-vae'), '--strip-components=1']);
await rm(join(folder, packed.filename));
await cp(join(root, 'build', 'Release'), join(modules, 'node-vae', 'build', 'Release'), { recursive: true });
const carried = new Set();
const carry = async (name) => {
  const from = join(root, 'node_modules', name);
  if (carried.has(name) || !existsSync(from)) return;
  carried.add(name);
  // Libraries of other systems stay behind.
  const other = /darwin|win32|arm64|musl/;
  await cp(from, join(modules, name), { recursive: true, filter: (path) => !other.test(path.slice(from.length)) });
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    await readFile(join(from, 'package.json'), 'utf8'),
  );
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) await carry(each);
};
const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
for (const name of Object.keys(own.dependencies)) if (!name.startsWith('@types/')) await carry(name);
for (const name of ['run.mjs', 'check.mjs', 'cases.mjs', 'peer.py']) {
  await cp(fileURLToPath(new URL(name, import.meta.url)), join(folder, name));
}
await cp(values.node, join(folder, 'node'));
const settings = [];
if (values.runtime !== undefined) {
  await cp(values.runtime, join(folder, 'runtime'), { recursive: true });
  const library = (await readdir(values.runtime)).find((name) => /^libonnxruntime\.so/.test(name));
  settings.push(`export NODE_VAE_ONNXRUNTIME_LIBRARY="$here/runtime/${library}"`);
}
if (values.plugin !== undefined) {
  await cp(values.plugin, join(folder, basename(values.plugin)));
  settings.push(`export NODE_VAE_PROVIDER_LIBRARIES="$here/${basename(values.plugin)}"`);
}
const script = [
  '#!/bin/sh',
  'here=$(cd "$(dirname "$0")" && pwd)',
  ...settings,
  'exec "$here/node" "$here/run.mjs" "$@"',
  '',
];
await writeFile(join(folder, 'run.sh'), script.join('\n'), { mode: 0o755 });
console.log(`${folder}: ${execFileSync('du', ['-sh', folder], { encoding: 'utf8' }).split('\t')[0]}`);
