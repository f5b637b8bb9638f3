/** vae.decodeOnDevice() */
import { parseOptions } from '../../core/options.js';
import type { DeviceTensor } from '../../inference/device/device-tensor.js';
import type { DeviceLatents } from '../../inference/device/run-on-device.js';
import { type DeviceOptions, deviceSchema } from '../device-options.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /** As decode(), in one run, from latents in the provider's memory or not, to data in the provider's memory. */
    decodeOnDevice(latents: DeviceLatents, options?: DeviceOptions): Promise<DeviceTensor>;
  }
}

export function decodeOnDevice(this: Vae, latents: DeviceLatents, options: DeviceOptions = {}): Promise<DeviceTensor> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const call = parseOptions(deviceSchema, options, 'decodeOnDevice()');
    return state.engine.decodeOnDevice(latents, call, 'decodeOnDevice()');
  });
}
