#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/node-vae.node, the stripped addon that the package ships.
//
//   node scripts/prebuild.mjs                        for this machine
//   node scripts/prebuild.mjs --target linux-arm64   for another, with its cross compiler
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildNative } from './build-native.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const STRIP = { 'linux-arm64': 'aarch64-linux-gnu-strip' };

const at = process.argv.indexOf('--target');
try {
  if (at >= 0) crossBuild(process.argv[at + 1] ?? '?');
  else await prebuild();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

/** prebuildify knows only this machine, so this does for another what it would do: build, strip, name. */
function crossBuild(target) {
  const folder = join(root, 'prebuilds', target);
  const built = buildNative({ target, quiet: true });
  mkdirSync(folder, { recursive: true });
  const fresh = join(folder, `node-vae.node.${process.pid}.tmp`);
  copyFileSync(built, fresh);
  execFileSync(STRIP[target], ['--strip-all', fresh], { stdio: 'inherit' });
  renameSync(fresh, join(folder, 'node-vae.node'));
  console.log(join(folder, 'node-vae.node'));
}

async function prebuild() {
  const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'));
  // prebuildify strips and moves what it finds in build/Release; a folder of its own keeps the addon
  // of the working tree out of that.
  const stage = join(root, 'build', 'prebuild');
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });

  await prebuildify({
    cwd: stage,
    out: root,
    name: 'node-vae',
    napi: true,
    strip: process.platform !== 'win32',
    // prebuildify expects node-gyp; ours calls CMake. A command line, hence the shell.
    nodeGyp: `"${process.execPath}" "${join(root, 'scripts', 'prebuild-shim.mjs')}"`,
    shell: true,
  });
}
