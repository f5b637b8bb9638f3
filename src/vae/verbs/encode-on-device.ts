/** vae.encodeOnDevice() */
import { parseOptions } from '../../core/options.js';
import type { DeviceEncoding } from '../../inference/device/run-on-device.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import { type DeviceOptions, deviceSchema } from '../device-options.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * As encode(), in one run, with the results left in the execution provider's memory: with CUDA, what
     * decodeOnDevice() takes from there does not pass through the processor's. Dispose of them when done.
     */
    encodeOnDevice(batch: BatchInput, options?: DeviceOptions): Promise<DeviceEncoding>;
  }
}

export function encodeOnDevice(this: Vae, batch: BatchInput, options: DeviceOptions = {}): Promise<DeviceEncoding> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const call = parseOptions(deviceSchema, options, 'encodeOnDevice()');
    return state.engine.encodeOnDevice(batch, call, 'encodeOnDevice()');
  });
}
