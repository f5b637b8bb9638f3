/** Execution providers that come as libraries of their own: where they are found, and what devices they offer. */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { ProviderDevice } from '../../binding/addon.js';
import { loadAddon, loadRuntime } from '../../binding/index.js';
import { VaeError } from '../../core/errors.js';

/** Paths of plugins, separated as in PATH. */
export const LIBRARIES_VARIABLE = 'NODE_VAE_PROVIDER_LIBRARIES';

export interface ProviderLibrary {
  /** What its file is called after: `webgpu`. */
  readonly name: string;
  readonly path: string;
  /** Where it was found. */
  readonly origin: 'environment' | 'npm' | 'python' | 'runtime';
}

const FILE = /^(?:lib)?onnxruntime_(?:providers|ep)_([a-z0-9_]+)\.(?:so|dylib|dll)$/i;
/** Parts of ONNX Runtime itself, which only its own way of loading understands. */
const NOT_PLUGINS = new Set(['shared', 'cuda', 'tensorrt']);
const PACKAGE = /^onnxruntime[-_]ep[-_]/;

/** The plugins of this machine: of the environment, npm packages, the active Python environment, beside the runtime. */
export function findProviderLibraries(): ProviderLibrary[] {
  const found = [
    ...fromEnvironment(),
    ...npmFolders().flatMap((folder) => inPackages(folder, 'npm')),
    ...pythonFolders().flatMap((folder) => inPackages(folder, 'python')),
    ...inFolder(dirname(loadRuntime().libraryPath), 'runtime'),
  ];
  const seen = new Set<string>();
  return found.filter(({ path }) => {
    const real = realpathSync(path);
    return !seen.has(real) && seen.add(real) !== undefined;
  });
}

/** @throws VaeError ERR_VAE_BINDING for a path that leads nowhere. */
function fromEnvironment(): ProviderLibrary[] {
  const paths = (process.env[LIBRARIES_VARIABLE] ?? '').split(delimiter).filter((path) => path !== '');
  return paths.map((path) => {
    const whole = resolve(path);
    if (!isFile(whole)) {
      throw new VaeError(
        'ERR_VAE_BINDING',
        `The environment variable ${LIBRARIES_VARIABLE} names ${whole}, which is no file. Set it to the paths of provider ` +
          `libraries, with "${delimiter}" between them, or unset it.`,
      );
    }
    return { name: nameOf(whole), path: whole, origin: 'environment' };
  });
}

/** `webgpu` of libonnxruntime_providers_webgpu.so; of other names the name without its ending. */
export function nameOf(path: string): string {
  const file = path.split(/[\\/]/).at(-1)!;
  return FILE.exec(file)?.[1]?.toLowerCase() ?? file.replace(/\.(so|dylib|dll)$/i, '').replace(/^lib/, '');
}

function npmFolders(): string[] {
  const folders: string[] = [];
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    folders.push(join(folder, 'node_modules'));
    if (dirname(folder) === folder) return folders;
  }
}

function pythonFolders(): string[] {
  const roots = [process.env['VIRTUAL_ENV'], process.env['CONDA_PREFIX']].filter(
    (root) => root !== undefined && root !== '',
  );
  return roots.flatMap((root) => [
    join(root!, 'Lib', 'site-packages'),
    ...entries(join(root!, 'lib'))
      .filter((name) => name.startsWith('python3'))
      .map((name) => join(root!, 'lib', name, 'site-packages')),
  ]);
}

/** Libraries in packages of that kind of name, and in their folders. */
function inPackages(folder: string, origin: ProviderLibrary['origin']): ProviderLibrary[] {
  const packages = entries(folder).filter((name) => PACKAGE.test(name) && !name.endsWith('.dist-info'));
  return packages.flatMap((name) => {
    const root = join(folder, name);
    const inner = entries(root).map((each) => join(root, each));
    return [root, ...inner].flatMap((each) => inFolder(each, origin));
  });
}

function inFolder(folder: string, origin: ProviderLibrary['origin']): ProviderLibrary[] {
  return entries(folder)
    .filter((file) => FILE.test(file) && !NOT_PLUGINS.has(FILE.exec(file)![1]!.toLowerCase()))
    .map((file) => ({ name: nameOf(file), path: join(folder, file), origin }));
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/**
 * @param path of the plugin.
 * @throws VaeError ERR_VAE_BINDING where there is no such file, or it is no plugin for this runtime.
 */
export function devicesOf(path: string): readonly ProviderDevice[] {
  if (!isFile(path)) {
    throw new VaeError('ERR_VAE_BINDING', `There is no provider library at ${resolve(path)}.`);
  }
  try {
    return loadAddon().registerProviderLibrary(realpathSync(path));
  } catch (cause) {
    const { message } = cause as Error;
    throw new VaeError(
      'ERR_VAE_BINDING',
      `${message.split('\n')[0]} Is it a plugin for this ONNX Runtime and this system? Install the version that its package ` +
        'names for it.',
      { cause },
    );
  }
}
