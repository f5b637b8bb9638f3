/**
 * Large pictures in overlapping tiles with blended seams: the memory of a run is that of one tile.
 * The blend is that of diffusers' AutoencoderKL (blend_v and blend_h): across an overlap the next
 * tile fades in linearly.
 */
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import type { Networks } from '../networks.js';

/** `true`: tiles of 512 (or of the size the graph or its config fixes) with an overlap of a quarter. */
export type TilingInput = boolean | { readonly size?: number; readonly overlap?: number };

export const tilingSchema: z.ZodType<TilingInput> = z.union([
  z.boolean(),
  z.strictObject({
    /** Side of a tile in elements of the data. */
    size: z.int().positive().optional(),
    /** Part of a tile that lies over the next one. Default 0.25. */
    overlap: z.number().min(0).max(0.9).optional(),
  }),
]) as z.ZodType<TilingInput>;

export interface Tiling {
  /** Sides of a tile, in elements of the data. */
  readonly height: number;
  readonly width: number;
  readonly overlap: number;
}

const DEFAULT_TILE = 512;
const DEFAULT_OVERLAP = 0.25;

/**
 * Settles the tiles, and gives the networks as they look through tiles: for data of any size. A graph
 * of fixed size has tiles of that size.
 *
 * @throws VaeError ERR_VAE_OPTION where the networks cannot be tiled that way.
 */
export function tiledNetworks(
  networks: Networks,
  input: TilingInput | undefined,
  where: string,
): { networks: Networks; tiling: Tiling | undefined } {
  if (input === undefined || input === false) return { networks, tiling: undefined };
  const { dataShape, latentShape, downsampling, tileSize } = networks;
  if (downsampling === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: tiling needs latents with the axes of the data; this model's latents are [${latentShape.join(', ')}].`,
    );
  }
  const { size = tileSize ?? DEFAULT_TILE, overlap = DEFAULT_OVERLAP } = input === true ? {} : input;
  const side = (axis: number, name: string): number => {
    const fixed = dataShape.at(axis)!;
    if (fixed === -1) return size;
    if (input === true || input.size === undefined) return fixed;
    if (fixed !== size) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `${where}: tiling.size is ${size}, but this model's graphs have a fixed ${name} of ${fixed}; leave the size out.`,
      );
    }
    return size;
  };
  const open = (shape: readonly number[]): number[] =>
    shape.map((dim, axis) => (axis >= shape.length - 2 && axis > 0 ? -1 : dim));
  return {
    networks: { ...networks, dataShape: open(dataShape), latentShape: open(latentShape) },
    tiling: { height: dataShape.length > 2 ? side(-2, 'height') : 1, width: side(-1, 'width'), overlap },
  };
}

/** Tiles along one axis, in units of the latent and of the data. */
export interface AxisTiles {
  /** Elements of a tile. */
  readonly latentSize: number;
  readonly dataSize: number;
  readonly starts: readonly { readonly latent: number; readonly data: number }[];
  /** Weight of each tile's elements, tile by tile; over all tiles they add up to 1 everywhere. */
  readonly latentWeights: readonly Float32Array[];
  readonly dataWeights: readonly Float32Array[];
}

/**
 * Divides an axis of `latentLength` latent elements. All tiles have the same size; the last one is
 * moved back so that it ends where the axis ends.
 *
 * @throws VaeError ERR_VAE_OPTION where a tile is not a multiple of the downsampling factor.
 */
export function tileAxis(latentLength: number, factor: number, size: number, overlap: number): AxisTiles {
  if (size % factor !== 0) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `tiling.size: expected a multiple of ${factor}, by which this model reduces every side, received ${size}.`,
    );
  }
  const latentSize = Math.min(size / factor, latentLength);
  const stride = Math.max(1, Math.floor(latentSize * (1 - overlap)));
  const latentStarts: number[] = [];
  for (let start = 0; ; start += stride) {
    if (start + latentSize >= latentLength) {
      latentStarts.push(latentLength - latentSize);
      break;
    }
    latentStarts.push(start);
  }
  const blend = latentSize - stride;
  const scaled = latentStarts.map((start) => start * factor);
  return {
    latentSize,
    dataSize: latentSize * factor,
    starts: latentStarts.map((latent, index) => ({ latent, data: scaled[index]! })),
    latentWeights: weights(latentStarts, latentSize, blend),
    dataWeights: weights(scaled, latentSize * factor, blend * factor),
  };
}

/** Each tile fades in over its first `blend` elements, and what came before fades out by as much. */
function weights(starts: readonly number[], size: number, blend: number): Float32Array[] {
  const shown = (tile: number, position: number): number => {
    const inside = position - starts[tile]!;
    if (inside < 0 || inside >= size) return 0;
    return tile === 0 || inside >= blend ? 1 : inside / blend;
  };
  return starts.map((start, tile) =>
    Float32Array.from({ length: size }, (_, inside) => {
      let weight = shown(tile, start + inside);
      for (let later = tile + 1; later < starts.length; later += 1) weight *= 1 - shown(later, start + inside);
      return weight;
    }),
  );
}

/** A window of a row seen as [planes, height, width]. */
export interface Window {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  readonly top: number;
  readonly left: number;
  readonly rows: number;
  readonly columns: number;
}

/** Calls `copy(at, count, to)` for every line of the window: elements `at` of the row are `to` of the tile. */
export function eachLine(window: Window, copy: (at: number, count: number, to: number) => void): void {
  const { planes, height, width, top, left, rows, columns } = window;
  let to = 0;
  for (let plane = 0; plane < planes; plane += 1) {
    for (let row = 0; row < rows; row += 1) {
      copy((plane * height + top + row) * width + left, columns, to);
      to += columns;
    }
  }
}

/** Adds a tile, weighted, to the row. */
export function addTile(
  into: Float32Array,
  tile: Float32Array,
  window: Window,
  rowWeights: Float32Array,
  columnWeights: Float32Array,
): void {
  const { rows } = window;
  let line = 0;
  eachLine(window, (at, count, to) => {
    const weight = rowWeights[line % rows]!;
    line += 1;
    for (let column = 0; column < count; column += 1) {
      into[at + column] = into[at + column]! + tile[to + column]! * (weight * columnWeights[column]!);
    }
  });
}

/** [planes, height, width] of a row: 1-D data has a height of 1, further axes count as planes. */
export function asPlanes(shape: readonly number[]): { planes: number; height: number; width: number } {
  const width = shape.at(-1)!;
  const height = shape.length > 2 ? shape.at(-2)! : 1;
  return {
    planes: shape.slice(0, shape.length > 2 ? -2 : -1).reduce((product, dim) => product * dim, 1),
    height,
    width,
  };
}
