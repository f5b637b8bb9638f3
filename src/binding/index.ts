/**
 * Loads the native addon and the ONNX Runtime library it runs on; nothing is loaded before the first
 * use. The only place that loads a `.node` file.
 */
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';
import { packageFiles } from '../core/package-files.js';
import type { Addon, RuntimeInfo } from './addon.js';
import { checkEnvironment } from './environment.js';
import { findOnnxRuntime } from './library.js';
import { makeNativeError } from './native-errors.js';
import { PlannedInference } from './planned-inference.js';
import { platformObstacle } from './platform.js';
import { pollRequest } from './poll.js';
import type { RawAddon } from './raw-addon.js';
import { threadLimit } from './threads.js';

export { linkAbort } from './abort.js';
export type * from './addon.js';

let addon: Addon | undefined;
let runtime: RuntimeInfo | undefined;

/**
 * The addon. Its functions that need ONNX Runtime load the library by themselves.
 * @throws VaeError ERR_VAE_BINDING with what to do: no addon for this platform, or (from the
 * functions that need it) no ONNX Runtime library, or one of the wrong version.
 */
export function loadAddon(): Addon {
  if (addon !== undefined) return addon;
  checkEnvironment();
  const native = loadNative();
  native.configure(makeNativeError, pollRequest, threadLimit() ?? 0);
  addon = {
    ...native,
    registerProviderLibrary(path) {
      loadRuntime();
      return native.registerProviderLibrary(path);
    },
    async createInferenceSession(model, options) {
      const { denseNetwork, optimizedModelPath } = options;
      if (runtime === undefined && denseNetwork?.ends !== undefined && optimizedModelPath === undefined) {
        // Its runs do without ONNX Runtime, which takes longer to load than everything else: native code loads it when
        // a run needs it after all.
        const later = { ...denseNetwork, library: findOnnxRuntime().path };
        const session = await native.createInferenceSession(model, { ...options, denseNetwork: later });
        return new PlannedInference(native, session);
      }
      loadRuntime();
      return new PlannedInference(native, await native.createInferenceSession(model, options));
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
    throw new VaeError('ERR_VAE_BINDING', `${reason} ${remedy(reason)}`.trim(), { cause });
  }
  return runtime;
}

function loadNative(): RawAddon {
  const { root, loadAddon: load } = packageFiles();
  try {
    return load() as RawAddon;
  } catch (cause) {
    const { code } = cause as { code?: string };
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    const failed =
      `The native addon of node-vae could not be loaded for ${process.platform}-${process.arch}, Node ` +
      `${process.versions.node}: ${reason.replace(/\.$/, '')}.`;
    if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED') {
      throw new VaeError(
        'ERR_VAE_BINDING',
        `${failed} Node's permission model is on: give --allow-addons (and --allow-worker where you use workers), and ` +
          `--allow-fs-read for ${root}, for onnxruntime-node and for your models.`,
        { cause },
      );
    }
    const obstacle = platformObstacle();
    if (obstacle !== undefined) throw new VaeError('ERR_VAE_BINDING', obstacle, { cause });
    throw new VaeError(
      'ERR_VAE_BINDING',
      `${failed} Looked in ${join(root, 'build', 'Release')} and ${join(root, 'prebuilds')}. If this platform has a ` +
        'prebuilt addon, install the package again (npm install --force node-vae); in a checkout of the sources, build ' +
        'it with: node scripts/build-native.mjs',
      { cause },
    );
  }
}

function remedy(reason: string): string {
  if (/No thread could/.test(reason)) return '';
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
