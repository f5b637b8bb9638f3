/** Rows as pixels: pictures, frames, heat maps, spectrograms. */
import { heat } from './colours.js';

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** RGBA */
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly range: readonly [number, number];
}

/** Values [channels, height, width] as a picture. */
export function picture(values: Float32Array, { channels, height, width, range: [low, high] }: Planes): Pixels {
  const plane = height * width;
  const data = new Uint8ClampedArray(4 * plane);
  const scale = 255 / (high - low);
  for (let at = 0; at < plane; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      data[4 * at + channel] = (values[(channels < 3 ? 0 : channel) * plane + at]! - low) * scale;
    }
    data[4 * at + 3] = channels === 4 ? (values[3 * plane + at]! - low) * scale : 255;
  }
  return { width, height, data };
}

/** How far two pictures lie apart, the mean over channels, as colours from 0 to `most` (default: half of the range). */
export function difference(
  a: Float32Array,
  b: Float32Array,
  { channels, height, width, range: [low, high] }: Planes,
  most = (high - low) / 2,
): Pixels {
  const plane = height * width;
  const data = new Uint8ClampedArray(4 * plane);
  for (let at = 0; at < plane; at += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1)
      sum += Math.abs(a[channel * plane + at]! - b[channel * plane + at]!);
    data.set([...heat(sum / channels / most), 255], 4 * at);
  }
  return { width, height, data };
}

/** Values [height, width] as colours, the first row at the bottom. */
export function heatMap(values: Float32Array, height: number, width: number, low: number, high: number): Pixels {
  const data = new Uint8ClampedArray(4 * values.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const part = (values[(height - 1 - y) * width + x]! - low) / (high - low || 1);
      data.set([...heat(part), 255], 4 * (y * width + x));
    }
  }
  return { width, height, data };
}

export function paint(canvas: HTMLCanvasElement, { width, height, data }: Pixels): void {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')!.putImageData(new ImageData(data, width, height), 0, 0);
}
