/** Finds the ONNX Runtime library that the installed onnxruntime-node carries. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { VaeError } from '../core/errors.js';
import { packageFiles } from '../core/package-files.js';

/** Overrides the path of the library, for builds of one's own and for tests. */
const LIBRARY_VARIABLE = 'NODE_VAE_ONNXRUNTIME_LIBRARY';

export interface OnnxRuntimeLibrary {
  readonly path: string;
  /** What the package.json beside it says; absent when the path was given by the environment. */
  readonly packageVersion?: string;
}

const LIBRARY_NAME: Partial<Record<NodeJS.Platform, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/,
};

export function findOnnxRuntime(): OnnxRuntimeLibrary {
  const override = process.env[LIBRARY_VARIABLE];
  if (override !== undefined && override !== '') {
    const path = resolve(override);
    if (existsSync(path)) return { path };
    throw new VaeError(
      'ERR_VAE_BINDING',
      `The environment variable ${LIBRARY_VARIABLE} names ${path}, which does not exist. ` +
        'Set it to the full path of an ONNX Runtime library, or unset it to use the one of onnxruntime-node.',
    );
  }

  let manifest: string;
  try {
    manifest = packageFiles().findRuntime();
  } catch (cause) {
    throw new VaeError(
      'ERR_VAE_BINDING',
      'The package onnxruntime-node is not installed; it holds the ONNX Runtime library that node-vae runs on. ' +
        'Install it with: ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node',
      { cause },
    );
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { path: libraryIn(dirname(manifest), version), packageVersion: version };
}

/** The library for this platform inside an installed onnxruntime-node. */
function libraryIn(folder: string, version: string): string {
  const platform = `${process.platform}-${process.arch}`;
  const pattern = LIBRARY_NAME[process.platform];
  const bin = join(folder, 'bin');
  const interfaces = existsSync(bin) ? readdirSync(bin).filter((name) => name.startsWith('napi-v')) : [];
  for (const name of interfaces.sort().reverse()) {
    const at = join(bin, name, process.platform, process.arch);
    if (pattern === undefined || !existsSync(at)) continue;
    // The shortest name is the one without a full version, where there are several.
    const files = readdirSync(at).filter((file) => pattern.test(file));
    const file = files.sort((a, b) => a.length - b.length)[0];
    if (file !== undefined) return join(at, file);
  }
  const has = interfaces.flatMap((name) => platformsIn(join(bin, name)));
  throw new VaeError(
    'ERR_VAE_BINDING',
    has.includes(platform)
      ? `onnxruntime-node ${version} at ${folder} is incomplete: its library for ${platform} is missing. ` +
          'Install it again: rm -rf node_modules/onnxruntime-node && ONNXRUNTIME_NODE_INSTALL=skip npm install'
      : `onnxruntime-node ${version} has no library for ${platform}` +
          `${has.length > 0 ? `; it supports ${has.join(', ')}` : ` under ${bin}`}. ` +
          `Use one of those platforms, or set ${LIBRARY_VARIABLE} to an ONNX Runtime library built for this one.`,
  );
}

function platformsIn(folder: string): string[] {
  return readdirSync(folder).flatMap((platform) =>
    readdirSync(join(folder, platform)).map((arch) => `${platform}-${arch}`),
  );
}
