/** Weights of red and blue in brightness, as ITU-R BT.601, section 2.5.1, and BT.709, section 3.2, have them. */
export const BT601 = { red: 0.299, blue: 0.114 };
export const BT709 = { red: 0.2126, blue: 0.0722 };

/** Brightness of red, green and blue by BT.601, in their own range. */
export function luma(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** The same of bytes, in steps of 1/65536 and rounded, as Pillow has it. */
export function lumaOfBytes(red: number, green: number, blue: number): number {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
}
