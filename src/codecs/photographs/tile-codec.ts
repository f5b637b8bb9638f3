/** What codes tiles by a network. */
import type { AnyCodec } from '../models/find.js';

export interface TileShape {
  readonly width: number;
  readonly height: number;
  /** Grey, grey and alpha, RGB, RGBA. */
  readonly channels: 1 | 2 | 3 | 4;
  /** 1 to 16, of every sample. */
  readonly bits: number;
}

/** Bytes for up to 8 bits, else 16-bit numbers. */
export type TileSamples = Uint8Array | Uint16Array;

export interface TileCodec extends AnyCodec {
  /** Interleaved samples of one tile, which are borrowed until it settles. */
  encodeTile(
    samples: TileSamples,
    shape: TileShape,
    options?: { readonly verify?: boolean; readonly signal?: AbortSignal },
  ): Promise<Uint8Array>;
  /** @throws VaeError ERR_VAE_FORMAT for bytes that are damaged. */
  decodeTile(bytes: Uint8Array, shape: TileShape, options?: { readonly signal?: AbortSignal }): Promise<TileSamples>;
}
