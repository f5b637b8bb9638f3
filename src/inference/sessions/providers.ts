/** Where networks run: execution providers of ONNX Runtime, by our short names. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { RuntimeInfo, SessionOptions } from '../../binding/addon.js';
import { loadRuntime } from '../../binding/index.js';
import { isVaeError, VaeError } from '../../core/errors.js';
import { nearest } from '../../core/options.js';
import { devicesOf, findProviderLibraries, LIBRARIES_VARIABLE, nameOf } from './plugins.js';

/** Short names and what ONNX Runtime calls them in its list of providers. */
const PROVIDERS = {
  cpu: 'CPUExecutionProvider',
  cuda: 'CUDAExecutionProvider',
  tensorrt: 'TensorrtExecutionProvider',
  coreml: 'CoreMLExecutionProvider',
  dml: 'DmlExecutionProvider',
  openvino: 'OpenVINOExecutionProvider',
  qnn: 'QNNExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
  xnnpack: 'XnnpackExecutionProvider',
} as const;

export type ProviderName = keyof typeof PROVIDERS;

/**
 * `auto` takes the first of `cuda`, `coreml`, `dml` that starts, then `webgpu` where it has a device that is no software,
 * and `cpu` where none does. With `options`, ONNX Runtime's options of that provider, as strings. `library` is the path of
 * a plugin that has the provider, which then may have any name; without it, plugins are found where they are installed.
 * `device` is the number of the device among those that the plugin offers; default: the first that is no software, else
 * the first.
 */
export type ProviderInput =
  | ProviderName
  | 'auto'
  | {
      readonly name: string;
      readonly options?: Readonly<Record<string, string>>;
      readonly library?: string;
      readonly device?: number;
    };

/** The order in which `auto` tries. TensorRT is for those who ask: it compiles at length. */
const AUTO: readonly ProviderName[] = ['cuda', 'coreml', 'dml', 'webgpu'];

const NAMES = [...Object.keys(PROVIDERS), 'auto'];

const nameSchema = z.string().refine((name) => NAMES.includes(name), {
  error: (issue) => {
    const near = typeof issue.input === 'string' ? nearest(issue.input, NAMES) : undefined;
    return `expected one of ${NAMES.join(', ')}${near ? ` (did you mean "${near}"?)` : ''}`;
  },
});

export const providerSchema = z
  .union(
    [
      nameSchema,
      z.strictObject({
        name: z.string().min(1),
        options: z.record(z.string(), z.string()).optional(),
        library: z.string().min(1),
        device: z.int().min(0).optional(),
      }),
      z.strictObject({
        name: nameSchema,
        options: z.record(z.string(), z.string()).optional(),
        device: z.int().min(0).optional(),
      }),
    ],
    { error: `expected one of ${NAMES.join(', ')}, or { name, library, options, device }` },
  )
  .transform((given) => given as ProviderInput) as unknown as z.ZodType<ProviderInput, ProviderInput>;

const INSTALL: Partial<Record<ProviderName, string>> = {
  cuda:
    'Install its files, and CUDA 12 with cuDNN 9 on the machine: ' +
    'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  tensorrt:
    'Install its files, and CUDA 12 with TensorRT 10 on the machine: ' +
    'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  webgpu:
    'It comes as a plugin: pip install onnxruntime-ep-webgpu (or unpack that wheel), and set ' +
    `${LIBRARIES_VARIABLE} to its library, or activate that Python environment. It needs a driver with Vulkan, Metal or Direct3D 12.`,
  openvino:
    'It comes as a plugin: pip install onnxruntime-ep-openvino, and set ' +
    `${LIBRARIES_VARIABLE} to its library, or activate that Python environment.`,
};

type SessionProviders = NonNullable<SessionOptions['providers']>;

export interface ChosenProvider {
  /** The one that is used. */
  readonly name: string;
  /** For the session's options. */
  readonly providers: SessionProviders;
}

/**
 * Settles which provider is used. `open` is called with each candidate and must fail where the
 * provider cannot be started; it is called at most once with the one that comes out.
 *
 * @throws VaeError ERR_VAE_BINDING naming what is missing and how to install it.
 */
export async function chooseProvider<T>(
  wanted: ProviderInput,
  open: (choice: ChosenProvider) => Promise<T>,
): Promise<{ choice: ChosenProvider; opened: T }> {
  if (wanted === 'auto') {
    for (const name of [...AUTO, 'cpu' as const]) {
      try {
        const choice = choiceOf({ name }, true);
        if (choice !== undefined) return { choice, opened: await open(choice) };
      } catch (error) {
        const unavailable = isVaeError(error) && error.code === 'ERR_VAE_BINDING';
        if (name === 'cpu' || !unavailable) throw error;
      }
    }
  }
  const asked = typeof wanted === 'string' ? { name: wanted } : wanted;
  const choice = choiceOf(asked, false)!;
  const { name } = choice;
  try {
    return { choice, opened: await open(choice) };
  } catch (error) {
    if (name !== 'cpu' && isVaeError(error) && error.code === 'ERR_VAE_BINDING') {
      throw new VaeError('ERR_VAE_BINDING', [firstLine(error.message), remedy(name)].join(' '), { cause: error });
    }
    throw error;
  }
}

type Asked = Exclude<ProviderInput, string>;

/**
 * @param quietly undefined where it is not there, or has software devices only; otherwise an error says so.
 */
function choiceOf(asked: Asked, quietly: boolean): ChosenProvider | undefined {
  const { name, options, library } = asked;
  const withOptions = options === undefined ? {} : { options };
  // A plugin goes before the part of the library of that name, which may not work: it is newer, and somebody put it there.
  const path = library ?? (name === 'cpu' ? undefined : findLibrary(name));
  // The WebGPU in the library itself does not say whether its device is software, and speaks to the terminal while it looks.
  if (path === undefined && isBuiltIn(name) && offered(name) && !(quietly && name === 'webgpu')) {
    if (asked.device !== undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `Provider "${name}" is part of ONNX Runtime and no plugin; choose its device by its own options, such as { device_id: '1' }.`,
      );
    }
    return { name, providers: name === 'cpu' ? [] : [{ name, ...withOptions }] };
  }
  if (path === undefined) {
    if (quietly) return undefined;
    throw missing(name, loadRuntime());
  }
  const device = deviceOf(path, asked, quietly);
  return device === undefined ? undefined : { name, providers: [{ name, library: path, device, ...withOptions }] };
}

/** The plugin whose file is called so. */
function findLibrary(name: string): string | undefined {
  return findProviderLibraries().find((library) => library.name === name)?.path;
}

function deviceOf(path: string, { name, device }: Asked, quietly: boolean): number | undefined {
  const all = devicesOf(path);
  const hardware = all.findIndex(({ type }) => type !== 'cpu');
  if (quietly) return hardware === -1 ? undefined : hardware;
  if (all.length === 0) {
    throw new VaeError(
      'ERR_VAE_BINDING',
      `Provider "${name}" of ${path} finds no device on this machine: it needs a graphics card, its driver, and the right to use ` +
        'it (in containers: --gpus all or --device /dev/dri). For tests without a card, a Vulkan driver in software does: ' +
        'ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1 with VK_DRIVER_FILES naming it. Or use the provider "auto", which falls back to the processor.',
    );
  }
  const index = device ?? Math.max(hardware, 0);
  if (index < all.length) return index;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `Provider "${name}": device ${index} is not among the ${all.length} that ${nameOf(path)} offers, which begin with 0; ` +
      'node-vae providers lists them.',
  );
}

function isBuiltIn(name: string): name is ProviderName {
  return Object.hasOwn(PROVIDERS, name);
}

/** What there is for one provider on this machine. */
export interface ProviderListing {
  readonly name: string;
  /** Whether sessions can be opened on it, as far as can be told without opening one. */
  readonly available: boolean;
  readonly source: 'built-in' | 'plugin';
  /** Of a plugin. */
  readonly library?: string;
  readonly origin?: 'environment' | 'npm' | 'python' | 'runtime';
  readonly devices: readonly {
    readonly index: number;
    readonly provider: string;
    readonly type: 'cpu' | 'gpu' | 'npu';
    /** Computed on the processor. */
    readonly software: boolean;
    readonly vendor: string;
    readonly description: string | undefined;
    readonly metadata: Readonly<Record<string, string>>;
  }[];
  /** Why it is not available. */
  readonly problem?: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** Providers of the library that is loaded, plugins that are found, and what is missing for the others. */
export function listProviders(): ProviderListing[] {
  const builtIn = offeredProviders().map((name): ProviderListing => {
    const absent = missingFile(name);
    const listing = { name, source: 'built-in' as const, devices: [] };
    return absent === undefined
      ? { ...listing, available: true }
      : { ...listing, available: false, problem: `its file ${absent} is not there`, remedy: remedy(name) };
  });
  const plugins = findProviderLibraries().map(({ name, path, origin }): ProviderListing => {
    const found = { name, source: 'plugin' as const, library: path, origin };
    try {
      const devices = devicesOf(path).map(({ provider, type, vendor, metadata }, index) => ({
        ...{ index, provider, type, software: type === 'cpu', vendor, metadata },
        description: metadata['Description'] ?? metadata['description'],
      }));
      if (devices.length > 0) return { ...found, available: true, devices };
      return { ...found, available: false, devices, problem: 'no device', remedy: remedy(name) };
    } catch (error) {
      return { ...found, available: false, devices: [], problem: (error as Error).message, remedy: remedy(name) };
    }
  });
  const there = new Set([...builtIn, ...plugins].map(({ name }) => name));
  const absent = (Object.keys(PROVIDERS) as ProviderName[])
    .filter((name) => !there.has(name) && ELSEWHERE[name]?.includes(process.platform) !== false)
    .map((name): ProviderListing => {
      const source = INSTALL[name] === undefined || name === 'cuda' || name === 'tensorrt' ? 'built-in' : 'plugin';
      return { name, available: false, source, devices: [], problem: 'not installed', remedy: remedy(name) };
    });
  return [...builtIn, ...plugins, ...absent];
}

/** What ONNX Runtime loads beside itself for a provider that it names, and does not find. */
function missingFile(name: ProviderName): string | undefined {
  if (name !== 'cuda' && name !== 'tensorrt') return undefined;
  const file =
    process.platform === 'win32' ? `onnxruntime_providers_${name}.dll` : `libonnxruntime_providers_${name}.so`;
  const path = join(dirname(loadRuntime().libraryPath), file);
  return existsSync(path) ? undefined : path;
}

/** Providers of some systems only. */
const ELSEWHERE: Partial<Record<ProviderName, readonly NodeJS.Platform[]>> = {
  coreml: ['darwin'],
  dml: ['win32'],
  cuda: ['linux', 'win32'],
  tensorrt: ['linux', 'win32'],
};

/** Providers compiled into the loaded library, by short names. Their own libraries may still be missing. */
function offeredProviders(): ProviderName[] {
  return (Object.keys(PROVIDERS) as ProviderName[]).filter(offered);
}

function offered(name: ProviderName): boolean {
  return loadRuntime().providers.includes(PROVIDERS[name]);
}

function missing(name: string, { version, libraryPath }: RuntimeInfo): VaeError {
  const has = offeredProviders().join(', ');
  return new VaeError(
    'ERR_VAE_BINDING',
    `Provider "${name}" is not in ONNX Runtime ${version} at ${libraryPath}, which offers ${has}, and no plugin of that name was found. ${remedy(name)}`,
  );
}

function remedy(name: string): string {
  const install =
    INSTALL[name as ProviderName] ??
    'Use an ONNX Runtime library built with it: set NODE_VAE_ONNXRUNTIME_LIBRARY to its path before starting.';
  return `${install} Or use the provider "auto", which falls back to the processor.`;
}

/** ONNX Runtime's messages carry source positions and stack frames; the first line says what happened. */
function firstLine(message: string): string {
  return (message.trim().split('\n')[0] ?? message).replace(
    /\/onnxruntime_src\/\S+ .*? \[ONNXRuntimeError\] : \d+ : /,
    '',
  );
}
