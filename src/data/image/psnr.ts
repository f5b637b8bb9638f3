/** Peak signal-to-noise ratio, in decibels; Infinity for equal values. */

/** From the mean squared error of values from 0 to `peak`. */
export function psnrOfError(meanSquare: number, peak: number): number {
  return meanSquare === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(peak ** 2 / meanSquare);
}

/** Of values from 0 to `range` and others from 0 to `otherRange`, of which those beyond are taken as the nearest. */
export function psnrOfValues(
  original: ArrayLike<number>,
  other: ArrayLike<number>,
  range: number,
  otherRange = range,
): number {
  let squares = 0;
  for (let at = 0; at < original.length; at += 1) {
    const value = Math.min(1, Math.max(0, other[at]! / otherRange));
    squares += (original[at]! / range - value) ** 2;
  }
  return psnrOfError(squares / original.length, 1);
}
