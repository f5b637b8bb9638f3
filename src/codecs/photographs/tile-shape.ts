/** Tiles: their samples, and what those are. */
import type { PhotoTileShape } from '../../binding/coder.js';

export type TileShape = PhotoTileShape;

/** Bytes for up to 8 bits, else 16-bit numbers. */
export type TileSamples = Uint8Array | Uint16Array;
