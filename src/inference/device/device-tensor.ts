import { Tensor } from 'onnxruntime-common';
import type { NativeDeviceTensor, NativeTensor } from '../../binding/addon.js';
import { VaeError } from '../../core/errors.js';

/**
 * Float32 values in the memory of the execution provider, such as that of a graphics card: what one
 * network gave, for another to take. Dispose of it when done: until then it holds that memory, and the
 * network's, even after the model is closed.
 */
export class DeviceTensor implements Disposable {
  readonly type = 'float32';
  readonly dims: readonly number[];
  /** Where it lies: `cuda`, or `cpu` where the provider works in the processor's memory. */
  readonly location: string;
  readonly #native: NativeDeviceTensor;
  readonly #read: (native: NativeDeviceTensor) => Promise<NativeTensor>;

  /** @internal Inside use. */
  constructor(native: NativeDeviceTensor, read: (native: NativeDeviceTensor) => Promise<NativeTensor>) {
    this.#native = native;
    this.#read = read;
    this.dims = Object.freeze([...native.dims]);
    this.location = native.location;
  }

  get disposed(): boolean {
    return this.#native.disposed;
  }

  /** @internal Inside use. */
  get native(): NativeDeviceTensor {
    if (!this.disposed) return this.#native;
    throw new VaeError('ERR_VAE_DISPOSED', 'This DeviceTensor was disposed of and can no longer be used.');
  }

  /**
   * A copy in memory that JavaScript can read.
   *
   * @throws VaeError ERR_VAE_DISPOSED after dispose().
   */
  async download(): Promise<Tensor> {
    const { data, dims } = await this.#read(this.native);
    return new Tensor('float32', data as Float32Array, dims);
  }

  /** Lets go of the memory. Idempotent; work in flight that reads it ends first. */
  dispose(): void {
    this.#native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
