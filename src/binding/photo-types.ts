/** The types of native/coder/photo: models of photographs, and what codes tiles under them. */
import type { NativeAbortFlag } from './abort-flag.js';
import type { IntegerLayer } from './coder-types.js';

export interface PhotoTileShape {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  /** Of each sample, 1..16; Uint8Array up to 8, else Uint16Array. */
  readonly bits: number;
}

/** Of a plane that stands alone, of green, of red, of blue. */
export interface PhotoRole {
  /** Sums that a predictor begins with, [n + 1, n + 1], n being photoConstants' differences; symmetric. */
  readonly prior: Int32Array;
  /** Of each effort: features to 3 · components numbers. */
  readonly networks: readonly (readonly IntegerLayer[])[];
}

/** Every number of a model of photographs; native/coder/photo/photo_model.h says what each one means. */
export interface PhotoCodecSpec {
  /** Logistics of a sample's mixture, 2..8. */
  readonly components: number;
  readonly roles: readonly PhotoRole[];
}

export interface NativePhotoCodec {
  /**
   * Codes a tile of interleaved samples on a thread of the addon; `samples` is borrowed until the promise settles. With
   * `verify` the result is decoded again and compared first. With `asAtFirst` nothing is told of its values that the first
   * release did not tell, and the bytes are those that it made.
   */
  encode(
    samples: Uint8Array | Uint16Array,
    shape: PhotoTileShape,
    effort: number,
    verify: boolean,
    abort?: NativeAbortFlag,
    asAtFirst?: boolean,
  ): Promise<Uint8Array>;
  /**
   * The samples' bytes, two for each where they have more than 8 bits. Rejects with ERR_VAE_FORMAT when the bytes are not
   * a tile of this shape coded by this very model.
   */
  decode(bytes: Uint8Array, shape: PhotoTileShape, abort?: NativeAbortFlag): Promise<Uint8Array>;
  /** Idempotent; resolves once work in flight has ended. */
  close(): Promise<void>;
}

export interface PhotoConstants {
  readonly roles: readonly { readonly features: number; readonly differences: number }[];
  /** Numbers after the features in a row of CollectedSamples. */
  readonly extra: number;
  readonly mostFeature: number;
  /** Predictions, scales and values are in 2^-fractionBits. */
  readonly fractionBits: number;
}

/** Of one role. */
export interface CollectedSamples {
  /**
   * The bytes of 32-bit integers: rows of features (in 1/256), then prediction, alternative, scale, value and the largest
   * value.
   */
  readonly rows: Uint8Array;
  /** [n + 1, n + 1] */
  readonly sums: readonly number[];
  readonly blocks: number;
}
