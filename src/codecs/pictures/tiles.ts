/** Transforms of pictures larger than what should be in memory at once, piece by piece. */
import { DOWNSAMPLING } from './config.js';

/** Pixels of a side of a tile: 512, some 130 MB within the transforms. */
const TILE = 32;
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

/** Tiles that cover a grid of latents. */
export function tilesOf(height: number, width: number): Tile[] {
  const tiles: Tile[] = [];
  for (let top = 0; top < height; top += TILE) {
    for (let left = 0; left < width; left += TILE) {
      const [bottom, right] = [Math.min(height, top + TILE), Math.min(width, left + TILE)];
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
