/** Where networks run: execution providers of ONNX Runtime, by our short names. */
import { z } from 'zod';
import type { RuntimeInfo, SessionOptions } from '../../binding/addon.js';
import { loadRuntime } from '../../binding/index.js';
import { isVaeError, VaeError } from '../../core/errors.js';
import { nearest } from '../../core/options.js';

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
 * `auto` takes the first of `cuda`, `coreml`, `dml` that starts, and `cpu` where none does. With
 * `options`, ONNX Runtime's options of that provider, as strings.
 */
export type ProviderInput =
  | ProviderName
  | 'auto'
  | { readonly name: ProviderName; readonly options?: Readonly<Record<string, string>> };

/** The order in which `auto` tries. TensorRT and WebGPU are for those who ask: they compile at length or round more. */
const AUTO: readonly ProviderName[] = ['cuda', 'coreml', 'dml'];

const NAMES = [...Object.keys(PROVIDERS), 'auto'];

const nameSchema = z.string().refine((name) => NAMES.includes(name), {
  error: (issue) => {
    const near = typeof issue.input === 'string' ? nearest(issue.input, NAMES) : undefined;
    return `expected one of ${NAMES.join(', ')}${near ? ` (did you mean "${near}"?)` : ''}`;
  },
});

export const providerSchema = z
  .union([nameSchema, z.strictObject({ name: nameSchema, options: z.record(z.string(), z.string()).optional() })], {
    error: `expected one of ${NAMES.join(', ')}, or { name, options }`,
  })
  .transform((given) => given as ProviderInput) as unknown as z.ZodType<ProviderInput, ProviderInput>;

const INSTALL: Partial<Record<ProviderName, string>> = {
  cuda:
    'Install its files, and CUDA 12 with cuDNN 9 on the machine: ' +
    'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  tensorrt:
    'Install its files, and CUDA 12 with TensorRT 10 on the machine: ' +
    'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  webgpu: 'It needs a graphics driver with Vulkan, Metal or Direct3D 12 that this process may use.',
};

type SessionProviders = NonNullable<SessionOptions['providers']>;

export interface ChosenProvider {
  /** The one that is used. */
  readonly name: ProviderName;
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
      if (!offered(name)) continue;
      const choice = { name, providers: name === 'cpu' ? [] : [{ name }] };
      try {
        return { choice, opened: await open(choice) };
      } catch (error) {
        const unavailable = isVaeError(error) && error.code === 'ERR_VAE_BINDING';
        if (name === 'cpu' || !unavailable) throw error;
      }
    }
  }
  const { name, options } = typeof wanted === 'string' ? { name: wanted as ProviderName, options: undefined } : wanted;
  if (!offered(name)) throw missing(name, loadRuntime());
  const choice: ChosenProvider = {
    name,
    providers: name === 'cpu' ? [] : [options === undefined ? { name } : { name, options }],
  };
  try {
    return { choice, opened: await open(choice) };
  } catch (error) {
    if (name !== 'cpu' && isVaeError(error) && error.code === 'ERR_VAE_BINDING') {
      throw new VaeError('ERR_VAE_BINDING', [firstLine(error.message), remedy(name)].join(' '), { cause: error });
    }
    throw error;
  }
}

/** Providers compiled into the loaded library, by short names. Their own libraries may still be missing. */
function offeredProviders(): ProviderName[] {
  return (Object.keys(PROVIDERS) as ProviderName[]).filter(offered);
}

function offered(name: ProviderName): boolean {
  return loadRuntime().providers.includes(PROVIDERS[name]);
}

function missing(name: ProviderName, { version, libraryPath }: RuntimeInfo): VaeError {
  const has = offeredProviders().join(', ');
  return new VaeError(
    'ERR_VAE_BINDING',
    `Provider "${name}" is not in ONNX Runtime ${version} at ${libraryPath}, which offers ${has}. ${remedy(name)}`,
  );
}

function remedy(name: ProviderName): string {
  const install =
    INSTALL[name] ??
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
