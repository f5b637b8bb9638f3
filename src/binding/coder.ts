/** The typed face of native/coder: items to bytes and back under an integer model. */
import type { NativeAbortFlag } from './addon.js';
import { loadAddon, loadRuntime } from './index.js';

/** A fully connected layer in integers; native/coder/dense.h has the formula. */
export interface IntegerLayer {
  readonly inputs: number;
  readonly outputs: number;
  /** [outputs, inputs] */
  readonly weights: Int16Array;
  /** [outputs] */
  readonly bias: Int32Array;
  /** [outputs], each 0..30 */
  readonly shift: Uint8Array;
  /** Range that outputs are clamped to, within 16 bits. */
  readonly low: number;
  readonly high: number;
}

/** Every number of a codec model; native/coder/item_model.h says what each one means. */
export interface ItemCodecSpec {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly latents: number;
  /** Each latent is one of 2^latentBits buckets of its prior; 1..11. */
  readonly latentBits: number;
  readonly features: number;
  readonly components: number;
  /** Pairs (rows above, columns to the right), in the order of the local network's inputs. */
  readonly neighbours: Int32Array;
  readonly encoder: readonly IntegerLayer[];
  readonly decoder: readonly IntegerLayer[];
  readonly local: readonly IntegerLayer[];
}

export interface NativeItemCodec {
  /** Bytes of one item. */
  readonly itemSize: number;
  /**
   * Codes `count` items on a thread of the addon; `items` is borrowed until the promise settles.
   * With `verify` the result is decoded again and compared first.
   */
  encode(items: Uint8Array, count: number, verify: boolean, abort?: NativeAbortFlag): Promise<Uint8Array>;
  /** Rejects with ERR_VAE_FORMAT when the bytes are not `count` items coded by this very model. */
  decode(bytes: Uint8Array, count: number, abort?: NativeAbortFlag): Promise<Uint8Array>;
  /** Idempotent; resolves once work in flight has ended. */
  close(): Promise<void>;
}

/** @throws VaeError ERR_VAE_FORMAT when the numbers do not make a model, or could overflow. */
export async function createItemCodec(spec: ItemCodecSpec): Promise<NativeItemCodec> {
  loadRuntime();
  return loadAddon().createItemCodec(spec);
}
