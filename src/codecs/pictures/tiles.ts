/** Transforms of pictures larger than what should be in memory at once, piece by piece. */
import { DOWNSAMPLING, HYPER_DOWNSAMPLING } from './config.js';

/** Pixels of a side of a tile: 512, some 190 MB within the transforms. */
const TILE = 32;
/** Of a large picture, which takes memory itself, 256: some 80 MB, and a third more work. */
const SMALL_TILE = 16;
/** Pixels of a picture from which on its tiles are small. */
const LARGE_PIXELS = 8e6;
/**
 * Latents around a tile that go through the transform with it. A latent depends on pixels up to 23
 * outside its own 16 × 16, and a pixel on latents up to 2 away: with these around, tiles are what the
 * whole would have been, but for rounding.
 */
const HALO = 3;

/** Part of the latents' grid, and the same with what lies around it. In latents. */
export interface Tile {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly outerTop: number;
  readonly outerLeft: number;
  readonly outerHeight: number;
  readonly outerWidth: number;
}

/** Whether a picture of so many pixels goes through in small tiles. */
export function hasSmallTiles(count: number): boolean {
  return count > LARGE_PIXELS;
}

/** Tiles that cover a grid of latents. */
export function tilesOf(height: number, width: number): Tile[] {
  const side = hasSmallTiles(pixels(height) * pixels(width)) ? SMALL_TILE : TILE;
  const tiles: Tile[] = [];
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const [bottom, right] = [Math.min(height, top + side), Math.min(width, left + side)];
      const outerTop = Math.max(0, top - HALO);
      const outerLeft = Math.max(0, left - HALO);
      tiles.push({
        ...{ top, left, height: bottom - top, width: right - left, outerTop, outerLeft },
        outerHeight: Math.min(height, bottom + HALO) - outerTop,
        outerWidth: Math.min(width, right + HALO) - outerLeft,
      });
    }
  }
  return tiles;
}

/** Rows of latents that become hyper-latents at once. */
const BAND = 32;
/** A hyper-latent depends on latents up to 4 before and behind its own four. */
const BAND_HALO = 2 * HYPER_DOWNSAMPLING;

/** Rows of latents, and the same with those around them. */
export interface Band {
  readonly top: number;
  readonly rows: number;
  readonly outerTop: number;
  readonly outerRows: number;
}

/** Bands that cover a grid of latents, each of whole hyper-latents. */
export function bandsOf(height: number): Band[] {
  const bands: Band[] = [];
  for (let top = 0; top < height; top += BAND) {
    const bottom = Math.min(height, top + BAND);
    const outerTop = Math.max(0, top - BAND_HALO);
    bands.push({ top, rows: bottom - top, outerTop, outerRows: Math.min(height, bottom + BAND_HALO) - outerTop });
  }
  return bands;
}

/** Copies a rectangle between two [channels, rows, columns] arrays. */
export function copyPlanes(
  from: Float32Array,
  to: Float32Array,
  channels: number,
  size: {
    readonly fromRows: number;
    readonly fromColumns: number;
    readonly toRows: number;
    readonly toColumns: number;
  },
  place: {
    readonly fromTop: number;
    readonly fromLeft: number;
    readonly toTop: number;
    readonly toLeft: number;
    readonly rows: number;
    readonly columns: number;
  },
): void {
  const { fromRows, fromColumns, toRows, toColumns } = size;
  for (let channel = 0; channel < channels; channel += 1) {
    for (let row = 0; row < place.rows; row += 1) {
      const start = (channel * fromRows + place.fromTop + row) * fromColumns + place.fromLeft;
      const target = (channel * toRows + place.toTop + row) * toColumns + place.toLeft;
      to.set(from.subarray(start, start + place.columns), target);
    }
  }
}

/** Pixels of a length in latents. */
export function pixels(latents: number): number {
  return latents * DOWNSAMPLING;
}
