/** Regions of pictures with all that a coder of their samples knows, and what an encoder of latents may see of them. */
import { loadAddon } from '../../../src/binding/index.js';
import type { Picture } from '../../../src/codecs/pictures/picture.js';
import { rowDraws } from '../../../src/data/rows/draws.js';

/** Of the pixels of a region so many have their rows kept, as many of each quarter: one of four. */
const KEPT = 1 / 4;
/** What an encoder sees of a pixel: of each plane how far its prediction was off, and how far those near it. */
const SEEN = 6;
/** Green, red, blue. */
const PLANES = [1, 2, 3];
const UNITS = 256;
/** Rows of the native wavefront: how far each is behind the one above it. */
const [LAG, BAND, BAND_LAG] = [3, 8, 32];

/** Numbers of a region lie one after another: rows of its kept pixels plane by plane, blocks to be seen, contexts. */
export interface Regions {
  readonly data: Int16Array;
  readonly count: number;
  /** Of a region, which is as high as it is wide. */
  readonly side: number;
  /** Numbers of a pixel's row of each plane: features, then EXTRA more. */
  readonly widths: readonly number[];
  readonly extra: number;
}

export function keptPixels(side: number): number {
  return KEPT * side ** 2;
}

function numbersOf({ widths, extra, side }: Pick<Regions, 'widths' | 'extra' | 'side'>): number {
  const rows = keptPixels(side) * widths.reduce((sum, width) => sum + width, 0);
  return rows + 3 * side ** 2 * SEEN + 4 * (widths[0]! - extra);
}

/** @param every about one of so many regions is taken. */
export async function collectRegions(
  pictures: readonly Picture[],
  priors: readonly Int32Array[],
  { side, every, seed }: { readonly side: number; readonly every: number; readonly seed: number },
): Promise<Regions> {
  const { roles, extra, fractionBits } = loadAddon().photoConstants;
  const widths = PLANES.map((role) => roles[role]!.features + extra);
  const size = numbersOf({ widths, extra, side });
  const half = side / 2;
  const made: Int16Array[] = [];
  for (const [index, picture] of pictures.entries()) {
    if (picture.channels !== 3) continue;
    const { width, height } = picture;
    const draw = rowDraws(seed, index, 0);
    const found = await loadAddon().collectPhotoSamples(picture.data, { ...picture, bits: 8 }, priors, 1, 0);
    const rows = PLANES.map((role) => {
      const { rows: bytes } = found[role]!;
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    });
    const order = orderOf(width, height);
    const seen = whatIsSeen(rows, order, widths, 2 ** fractionBits);
    for (let top = side; top + side <= height; top += side) {
      for (let left = side; left + side <= width; left += side) {
        if (draw() * every >= 1) continue;
        const region = new Int16Array(size);
        let at = 0;
        const pixels = pixelsOf(side, draw).map(([x, y]) => order[(top + y) * width + left + x]!);
        for (const [plane, all] of rows.entries()) {
          const wide = widths[plane]!;
          for (const pixel of pixels) for (let i = 0; i < wide; i += 1) region[at++] = all[pixel * wide + i]!;
        }
        for (const [x0, y0] of [
          [left, top],
          [left - side, top],
          [left, top - side],
        ] as const) {
          for (let y = y0; y < y0 + side; y += 1) {
            for (let x = x0; x < x0 + side; x += 1) {
              for (let i = 0; i < SEEN; i += 1) region[at++] = seen[order[y * width + x]! * SEEN + i]!;
            }
          }
        }
        // What is known where a block begins: the features of its first pixel's green.
        for (const [dx, dy] of [
          [0, 0],
          [half, 0],
          [0, half],
          [half, half],
        ] as const) {
          const pixel = order[(top + dy) * width + left + dx]!;
          for (let i = 0; i < widths[0]! - extra; i += 1) region[at++] = rows[0]![pixel * widths[0]! + i]!;
        }
        made.push(region);
      }
    }
  }
  const data = new Int16Array(made.length * size);
  for (const [index, region] of made.entries()) data.set(region, index * size);
  return { data, count: made.length, side, widths, extra };
}

/** Of each pixel, the how manieth it is along the wavefront. */
function orderOf(width: number, height: number): Int32Array {
  const offsets: number[] = [];
  for (let y = 0; y < height; y += 1) offsets.push(y === 0 ? 0 : offsets[y - 1]! + (y % BAND === 0 ? BAND_LAG : LAG));
  const order = new Int32Array(width * height);
  let next = 0;
  let [first, last] = [0, 0];
  for (let step = 0; step < offsets.at(-1)! + width; step += 1) {
    while (last < height && offsets[last]! <= step) last += 1;
    while (offsets[first]! + width <= step) first += 1;
    for (let y = first; y < last; y += 1) order[y * width + step - offsets[y]!] = next++;
  }
  return order;
}

/** Errors in scales as logarithms with their signs, and the scales' logarithms, of every pixel in the wavefront's order. */
function whatIsSeen(
  rows: readonly Int32Array[],
  order: Int32Array,
  widths: readonly number[],
  one: number,
): Int16Array {
  const seen = new Int16Array(order.length * SEEN);
  for (const [plane, all] of rows.entries()) {
    const wide = widths[plane]!;
    for (let pixel = 0; pixel < order.length; pixel += 1) {
      const at = pixel * wide + wide - 5;
      const scale = all[at + 2]!;
      seen[pixel * SEEN + 2 * plane] = UNITS * Math.asinh((all[at + 3]! - all[at]!) / scale);
      seen[pixel * SEEN + 2 * plane + 1] = UNITS * Math.log2(1 + scale / one);
    }
  }
  return seen;
}

/** The kept pixels of a region, quarter by quarter. */
function pixelsOf(side: number, draw: () => number): [x: number, y: number][] {
  const half = side / 2;
  return [0, 1, 2, 3].flatMap((quarter) => {
    const places = Array.from({ length: half * half }, (_, place) => ({ place, key: draw() }));
    return places
      .sort((a, b) => a.key - b.key)
      .slice(0, keptPixels(side) / 4)
      .map(({ place }): [number, number] => [
        (quarter % 2) * half + (place % half),
        Math.floor(quarter / 2) * half + Math.floor(place / half),
      ]);
  });
}

/** How a region is cut into blocks that have latents: which blocks are seen, and each one's neighbours among them. */
export interface Blocks {
  readonly side: 8 | 16 | 32;
  /** Of the region itself. */
  readonly own: number;
  /** With those to the left of it and above it. */
  readonly seen: number;
  readonly west: readonly number[];
  readonly north: readonly number[];
}

const WHOLE = { own: 1, seen: 3, west: [1], north: [2] };
export const BLOCKS = {
  8: { side: 8, own: 4, seen: 8, west: [4, 0, 5, 2], north: [6, 7, 0, 1] },
  16: { side: 16, ...WHOLE },
  32: { side: 32, ...WHOLE },
} as const satisfies Record<number, Blocks>;
/** Of 8 × 8: the quarters of the region, then those that touch it of the regions to the left and above. */
const QUARTERS = [
  [0, 0],
  [0, 1],
  [0, 2],
  [0, 3],
  [1, 1],
  [1, 3],
  [2, 2],
  [2, 3],
] as const;
/** Numbers of a block that is seen: 8 × 8 places, of each plane the error, its size and the scale. */
export const BLOCK_NUMBERS = 64 * 9;

export function itemNumbers(regions: Regions, blocks: Blocks, pixels: number): number {
  const { widths, extra } = regions;
  const rows = pixels * widths.reduce((sum, width) => sum + width, 0);
  return rows + blocks.seen * BLOCK_NUMBERS + blocks.own * (widths[0]! - extra);
}

/** A region as the objective takes it, with `pixels` of those that are kept, by chance, as many of each quarter. */
export function writeItem(
  regions: Regions,
  index: number,
  blocks: Blocks,
  pixels: number,
  draw: () => number,
  into: Float32Array,
  at: number,
): void {
  const { data, side, widths, extra } = regions;
  const start = index * numbersOf(regions);
  const kept = keptPixels(regions.side);
  const [all, some] = [kept / 4, pixels / 4];
  const shift = Math.floor(draw() * all);
  let next = at;
  let from = start;
  for (const wide of widths) {
    for (let quarter = 0; quarter < 4; quarter += 1) {
      for (let k = 0; k < some; k += 1) {
        const row = from + (quarter * all + ((shift + k) % all)) * wide;
        for (let i = 0; i < wide; i += 1) into[next++] = data[row + i]! / (i < wide - extra ? UNITS : 32);
      }
    }
    from += kept * wide;
  }
  const step = blocks.side / 8;
  for (let block = 0; block < blocks.seen; block += 1) {
    const [part, quarter] = blocks.side === 8 ? QUARTERS[block]! : [block, 0];
    const [left, top] = [(quarter % 2) * 8, Math.floor(quarter / 2) * 8];
    for (let y = 0; y < 8; y += 1) {
      for (let x = 0; x < 8; x += 1) {
        into.fill(0, next, next + 9);
        for (let dy = 0; dy < step; dy += 1) {
          for (let dx = 0; dx < step; dx += 1) {
            const place = (top + y * step + dy) * side + left + x * step + dx;
            const seen = from + (part * side ** 2 + place) * SEEN;
            for (let plane = 0; plane < 3; plane += 1) {
              const error = data[seen + 2 * plane]! / UNITS / step ** 2;
              into[next + 3 * plane]! += error;
              into[next + 3 * plane + 1]! += Math.abs(error);
              into[next + 3 * plane + 2]! += data[seen + 2 * plane + 1]! / UNITS / step ** 2;
            }
          }
        }
        next += 9;
      }
    }
  }
  from += 3 * side ** 2 * SEEN;
  const context = widths[0]! - extra;
  for (let i = 0; i < blocks.own * context; i += 1) into[next++] = data[from + i]! / UNITS;
}
