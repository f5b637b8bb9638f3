/**
 * Loads the native addon and the ONNX Runtime library it runs on; nothing is loaded before the first
 * use. The only place that loads a `.node` file.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VaeError } from '../core/errors.js';
import type { Addon, RuntimeInfo } from './addon.js';
import { InferenceSession } from './inference-session.js';
import { findOnnxRuntime } from './library.js';
import { makeNativeError } from './native-errors.js';
import { platformObstacle } from './platform.js';
import { pollRequest } from './poll.js';
import type { RawAddon } from './raw-addon.js';

export { linkAbort } from './abort.js';
export type * from './addon.js';

// This file is src/binding/index.ts or dist/binding/index.js.
const PACKAGE_ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

let addon: Addon | undefined;
let runtime: RuntimeInfo | undefined;

/**
 * The addon. Its functions that need ONNX Runtime load the library by themselves.
 * @throws VaeError ERR_VAE_BINDING with what to do: no addon for this platform, or (from the
 * functions that need it) no ONNX Runtime library, or one of the wrong version.
 */
export function loadAddon(): Addon {
  if (addon !== undefined) return addon;
  const native = loadNative();
  native.configure(makeNativeError, pollRequest);
  addon = {
    ...native,
    async createInferenceSession(model, options) {
      loadRuntime();
      return new InferenceSession(native, await native.createInferenceSession(model, options));
    },
    async createTrainingSession(config) {
      loadRuntime();
      return native.createTrainingSession(config);
    },
  };
  return addon;
}

/** Opens ONNX Runtime, once per process, and says which it is. */
export function loadRuntime(): RuntimeInfo {
  if (runtime !== undefined) return runtime;
  const native = loadAddon();
  const library = findOnnxRuntime();
  try {
    runtime = native.loadRuntime(library.path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VaeError('ERR_VAE_BINDING', `${reason} ${remedy(reason)}`, { cause });
  }
  return runtime;
}

function loadNative(): RawAddon {
  const require = createRequire(import.meta.url);
  try {
    const nodeGypBuild = require('node-gyp-build') as (folder: string) => RawAddon;
    return nodeGypBuild(PACKAGE_ROOT);
  } catch (cause) {
    const obstacle = platformObstacle();
    if (obstacle !== undefined) throw new VaeError('ERR_VAE_BINDING', obstacle, { cause });
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new VaeError(
      'ERR_VAE_BINDING',
      `The native addon of node-vae could not be loaded for ${process.platform}-${process.arch}, Node ${process.versions.node}: ` +
        `${reason}. Looked in ${join(PACKAGE_ROOT, 'build', 'Release')} and ${join(PACKAGE_ROOT, 'prebuilds')}. ` +
        'If this platform has a prebuilt addon, install the package again (npm install --force node-vae); in a ' +
        'checkout of the sources, build it with: node scripts/build-native.mjs',
      { cause },
    );
  }
}

function remedy(reason: string): string {
  if (/too old/.test(reason)) {
    return 'Update it with: ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@^1.30.0';
  }
  if (/already (uses|loaded)/.test(reason)) {
    return (
      'Make every package of the program use the same onnxruntime-node: see which want which with ' +
      '`npm ls onnxruntime-node`, then `npm dedupe`, or set "overrides" in package.json.'
    );
  }
  return (
    'Check that onnxruntime-node is completely installed for this platform: ' +
    'rm -rf node_modules/onnxruntime-node && ONNXRUNTIME_NODE_INSTALL=skip npm install'
  );
}
