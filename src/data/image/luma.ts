/** Brightness of red, green and blue as ITU-R BT.601, section 2.5.1, has it, in their own range. */
export function luma(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}
