/** Pictures as cameras held them, upright (EXIF 2.3, orientation). */
import type { Samples, StoredPixels } from './readers/stored.js';

/** @param orientation 1 to 8: what is done to bring pixels upright; 1 is nothing. */
export function turned(pixels: StoredPixels, orientation: number): StoredPixels {
  if (orientation <= 1 || orientation > 8) return pixels;
  const { width, height, channels, data } = pixels;
  const swapped = orientation >= 5;
  const [across, down] = swapped ? [height, width] : [width, height];
  const mirrored = [2, 3, 7, 8].includes(orientation);
  const upsideDown = [3, 4, 6, 7].includes(orientation);
  const out = new (data.constructor as new (length: number) => Samples)(data.length);
  for (let y = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1) {
      const [u, v] = swapped ? [y, x] : [x, y];
      const from = (upsideDown ? height - 1 - v : v) * width + (mirrored ? width - 1 - u : u);
      for (let k = 0; k < channels; k += 1) out[(y * across + x) * channels + k] = data[from * channels + k]!;
    }
  }
  return { ...pixels, width: across, height: down, data: out };
}
