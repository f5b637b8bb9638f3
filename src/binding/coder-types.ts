/** The types of native/coder: models in integers, and what codes items or latents under them. */
import type { NativeAbortFlag } from './abort-flag.js';

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

/** A level of latents above the first. Layers as in ItemCodecSpec; latents in 1/4096. */
export interface LatentLevel {
  readonly latents: number;
  /** Latents of the level below to this level's posterior: means, then log2 of the precisions. */
  readonly encoder: readonly IntegerLayer[];
  /** This level's latents to the prior of the level below, likewise. */
  readonly prior: readonly IntegerLayer[];
}

/** Every number of a codec model; native/coder/item_model.h says what each one means. */
export interface ItemCodecSpec {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Of the first level. */
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
  /** Levels of latents above the first, from the data upwards; none in a model of one level. At most 31. */
  readonly levels: readonly LatentLevel[];
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

/** A convolution in integers; native/coder/integer_conv.h has the layout. */
export interface IntegerConv extends IntegerLayer {
  /** 1, 3 or 5. */
  readonly kernel: number;
  /** 1 for a layer that doubles height and width, its outputs being four parts; else 0. */
  readonly doubles: 0 | 1;
}

/** Every number that codes a picture's latents; native/coder/latent_codec.h says what each one means. */
export interface LatentCodecSpec {
  readonly channels: number;
  /** 0 without a hyperprior. */
  readonly hyperChannels: number;
  readonly hyper: readonly IntegerConv[];
  readonly levels: number;
  readonly components: number;
  /** [levels, coded channels, components, 3]: weight · 2^14, mean · 2^6, log2 of the inverse scale · 2^8. */
  readonly prior: Int32Array;
}

/** Size of a picture's latents, and which of the model's priors codes it. */
export interface LatentPlace {
  readonly height: number;
  readonly width: number;
  readonly level: number;
}

export interface NativeLatentCodec {
  /**
   * Rounds and codes latents [channels, height, width] with hyper-latents [hyperChannels, ...]. Both
   * are borrowed until the promise settles; the latents are written to: they become what decode() gives.
   */
  encode(latents: Float32Array, hyper: Float32Array, place: LatentPlace): Promise<Uint8Array>;
  /** The rounded latents, the same on every machine. Rejects with ERR_VAE_FORMAT for damaged bytes. */
  decode(bytes: Uint8Array, place: LatentPlace): Promise<Float32Array>;
  /** Idempotent; resolves once work in flight has ended. */
  close(): Promise<void>;
}
