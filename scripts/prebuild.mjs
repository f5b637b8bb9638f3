#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/node-vae.node, the stripped addon that the package ships.
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
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
