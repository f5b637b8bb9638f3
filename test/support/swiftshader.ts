/** A graphics card in software: ONNX Runtime's WebGPU plugin on the Vulkan driver that comes with chromium. */
import { existsSync } from 'node:fs';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** The plugin's library, as `.ci/run` finds it. */
export const PLUGIN = process.env['NODE_VAE_TEST_WEBGPU_PLUGIN'] ?? '';
export const canRunWebGpu = existsSync(DRIVER) && existsSync(PLUGIN);
export const WEBGPU_NEEDS = 'needs chromium and NODE_VAE_TEST_WEBGPU_PLUGIN, see .ci/run';

/** Lets this process use it, until the function that it gives is called. */
export function useSwiftShader(folder: string): () => void {
  const saved = { ...process.env };
  Object.assign(process.env, {
    ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER: '1',
    VK_DRIVER_FILES: DRIVER,
    XDG_RUNTIME_DIR: folder,
    NODE_VAE_PROVIDER_LIBRARIES: PLUGIN,
  });
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
    Object.assign(process.env, saved);
  };
}
