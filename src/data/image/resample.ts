/**
 * Pixels of any type at other sides: Lanczos' filter of three lobes, widened where pictures become smaller, as libvips and
 * Pillow have it. libvips itself cuts values that are no colours.
 */
import type { DecodeStored, Samples, StoredPixels } from './readers/stored.js';

const LOBES = 3;

type Size = NonNullable<DecodeStored['size']>;

/** Cut in the middle (`cover`), within bars of 0 (`contain`), or stretched (`fill`). */
export function resampleStored(pixels: StoredPixels, { width, height, fit }: Size): StoredPixels {
  const [across, down] = [width / pixels.width, height / pixels.height];
  const scale = fit === 'cover' ? Math.max(across, down) : Math.min(across, down);
  const sides =
    fit === 'fill'
      ? [width, height]
      : [Math.max(1, Math.round(pixels.width * scale)), Math.max(1, Math.round(pixels.height * scale))];
  const { channels } = pixels;
  const [innerWidth, innerHeight] = sides as [number, number];
  const lines = resampled(pixels.data, pixels.height, pixels.width, channels, innerWidth);
  // The same down the columns: each line is one pixel of as many channels as it has values.
  const inner = resampled(lines, 1, pixels.height, innerWidth * channels, innerHeight);
  const out = new Float32Array(width * height * channels);
  const [left, top] = [Math.floor((innerWidth - width) / 2), Math.floor((innerHeight - height) / 2)];
  for (let y = Math.max(0, -top); y < Math.min(height, innerHeight - top); y += 1) {
    for (let x = Math.max(0, -left); x < Math.min(width, innerWidth - left); x += 1) {
      const from = ((y + top) * innerWidth + x + left) * channels;
      for (let k = 0; k < channels; k += 1) out[(y * width + x) * channels + k] = inner[from + k]!;
    }
  }
  return { ...pixels, width, height, data: out };
}

/** Rows of `length` pixels to rows of `wanted`. */
function resampled(values: Samples, rows: number, length: number, channels: number, wanted: number): Float32Array {
  const out = new Float32Array(rows * wanted * channels);
  const step = length / wanted;
  const stretch = Math.max(1, step);
  for (let to = 0; to < wanted; to += 1) {
    const centre = (to + 0.5) * step - 0.5;
    const first = Math.max(0, Math.ceil(centre - LOBES * stretch));
    const last = Math.min(length - 1, Math.floor(centre + LOBES * stretch));
    const weights = Float64Array.from({ length: last - first + 1 }, (_, k) => lanczos((first + k - centre) / stretch));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let row = 0; row < rows; row += 1) {
      for (let k = 0; k < channels; k += 1) {
        let sum = 0;
        for (let at = first; at <= last; at += 1) {
          sum += values[(row * length + at) * channels + k]! * weights[at - first]!;
        }
        out[(row * wanted + to) * channels + k] = sum / total;
      }
    }
  }
  return out;
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const phase = Math.PI * x;
  return (LOBES * Math.sin(phase) * Math.sin(phase / LOBES)) / (phase * phase);
}
