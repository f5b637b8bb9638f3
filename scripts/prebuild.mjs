#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/node-vae.node, the stripped addon that the package ships.
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildNative } from './build-native.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'));

await prebuildify({
  cwd: root,
  napi: true,
  strip: process.platform !== 'win32',
  // prebuildify expects node-gyp; ours calls CMake. A command line, hence the shell.
  nodeGyp: `"${process.execPath}" "${resolve(root, 'scripts', 'prebuild-shim.mjs')}"`,
  shell: true,
});
// prebuildify moves the addon out of build/Release; put it back for the working tree.
buildNative({ quiet: true });
