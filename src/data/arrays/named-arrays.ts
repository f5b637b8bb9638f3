import type { Tensor } from 'onnxruntime-common';

/** A file of several arrays, open. */
export interface NamedArrays {
  readonly names: readonly string[];
  /** @throws VaeError ERR_VAE_FORMAT for an array that holds no numbers. */
  read(name: string): Promise<Tensor>;
  close(): Promise<void>;
}
