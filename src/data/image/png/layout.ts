/** How the rows of a picture lie in a PNG file (ISO/IEC 15948): packed, the most significant byte first. */

/** Colour types of IHDR. */
export const GREY = 0;
export const RGB = 2;
export const PALETTE = 3;
export const GREY_ALPHA = 4;
export const RGB_ALPHA = 6;

const SAMPLES: Readonly<Record<number, number>> = {
  [GREY]: 1,
  [RGB]: 3,
  [PALETTE]: 1,
  [GREY_ALPHA]: 2,
  [RGB_ALPHA]: 4,
};
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  [GREY]: [1, 2, 4, 8, 16],
  [RGB]: [8, 16],
  [PALETTE]: [1, 2, 4, 8],
  [GREY_ALPHA]: [8, 16],
  [RGB_ALPHA]: [8, 16],
};
export const MOST_SIDE = 2 ** 31 - 1;

export interface PngLayout {
  readonly width: number;
  readonly height: number;
  /** Colour type of IHDR. */
  readonly type: number;
  /** Bits of a sample. */
  readonly depth: number;
}

export function isLayout({ width, height, type, depth }: PngLayout): boolean {
  const sides = width >= 1 && height >= 1 && width <= MOST_SIDE && height <= MOST_SIDE;
  return sides && (DEPTHS[type]?.includes(depth) ?? false);
}

/** Samples of a pixel, alpha with them. */
export function samplesOf({ type }: Pick<PngLayout, 'type'>): number {
  return SAMPLES[type]!;
}

/** Bytes of a row. */
export function rowBytesOf(layout: Pick<PngLayout, 'width' | 'type' | 'depth'>): number {
  return Math.ceil((layout.width * samplesOf(layout) * layout.depth) / 8);
}

/** Bytes from a pixel to the next, 1 at least: what filters look back by. */
export function stepOf(layout: Pick<PngLayout, 'type' | 'depth'>): number {
  return Math.max(1, (samplesOf(layout) * layout.depth) >> 3);
}
