/** How strong a picture is at each fineness. */
import { VaeError } from '../../core/errors.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import { Fourier, hann } from '../audio/fourier.js';

const LARGEST = 512;
const RINGS = 48;
/** Below what rounding to bytes leaves. */
const FLOOR = 1e-9;

/**
 * Power by spatial frequency: the two-dimensional Fourier transform of the middle of the picture under a Hann window,
 * its squared magnitude averaged over rings of equal frequency and over channels.
 *
 * @param picture [channels, height, width], uint8 0 to 255 or floats 0 to 1; its mean is taken away.
 * @returns pairs of frequency, in cycles a pixel from 0 to 0.5, and power in decibels; white noise of variance v is
 *   10 log10(v) everywhere.
 * @throws VaeError ERR_VAE_SHAPE for sides below 16.
 */
export function powerSpectrum({ data, shape }: ArrayWithShape): [frequency: number, decibels: number][] {
  const [channels, height, width] = shape as [number, number, number];
  const side = 2 ** Math.floor(Math.log2(Math.min(LARGEST, height, width)));
  if (shape.length !== 3 || !(side >= 16)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `powerSpectrum(): expected [channels, height, width] with sides of at least 16, received [${shape.join(', ')}].`,
    );
  }
  const scale = data instanceof Uint8Array ? 1 / 255 : 1;
  const window = hann(side);
  const norm = window.reduce((sum, value) => sum + value * value, 0) ** 2;
  const fourier = new Fourier(side);
  const [top, left] = [Math.floor((height - side) / 2), Math.floor((width - side) / 2)];
  const [sums, counts] = [new Float64Array(RINGS), new Float64Array(RINGS)];
  for (let channel = 0; channel < channels; channel += 1) {
    const values = new Float64Array(side * side);
    for (let at = 0; at < values.length; at += 1) {
      const y = top + Math.floor(at / side);
      values[at] = Number(data[(channel * height + y) * width + left + (at % side)]) * scale;
    }
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const real = values.map((value, at) => (value - mean) * window[Math.floor(at / side)]! * window[at % side]!);
    const imaginary = new Float64Array(real.length);
    for (let y = 0; y < side; y += 1) {
      fourier.transform(real.subarray(y * side, (y + 1) * side), imaginary.subarray(y * side, (y + 1) * side));
    }
    const [columnReal, columnImaginary] = [new Float64Array(side), new Float64Array(side)];
    for (let x = 0; x < side; x += 1) {
      for (let y = 0; y < side; y += 1) {
        columnReal[y] = real[y * side + x]!;
        columnImaginary[y] = imaginary[y * side + x]!;
      }
      fourier.transform(columnReal, columnImaginary);
      for (let y = 0; y < side; y += 1) {
        const frequency = Math.hypot(Math.min(x, side - x), Math.min(y, side - y)) / side;
        const ring = Math.floor(frequency * 2 * RINGS);
        if (ring >= RINGS || frequency === 0) continue;
        sums[ring]! += (columnReal[y]! ** 2 + columnImaginary[y]! ** 2) / norm;
        counts[ring]! += 1;
      }
    }
  }
  return Array.from(sums, (sum, ring): [number, number] => [
    (ring + 0.5) / (2 * RINGS),
    10 * Math.log10(Math.max(FLOOR, sum / counts[ring]!)),
  ]).filter((_, ring) => counts[ring]! > 0);
}
