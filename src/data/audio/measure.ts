/** How far a sound is from what it should be. */
import { Fourier, shortTimeFourier } from './fourier.js';
import { magnitudesOf } from './mel.js';

export interface SoundDistance {
  /** Signal-to-noise ratio, 10 log10(Σ x² / Σ (x − y)²) in decibels; Infinity for equal sounds. */
  readonly snr: number;
  /**
   * Multi-resolution spectral distance (Yamamoto, Song and Kim 2020, equations 2 to 5): spectral convergence plus
   * the mean difference of log-magnitudes, averaged over three sizes of transform. 0 for equal sounds. It does not
   * mind phases, to which ears are nearly deaf.
   */
  readonly spectralDistance: number;
}

const SIZES = [512, 1024, 2048] as const;
const LARGEST = 2048;
/** Quieter magnitudes than this (80 dB below full scale) count as this: silence has no logarithm. */
const QUIETEST = 1e-4;

/** Takes both sounds piece by piece and keeps only sums. */
export class SoundMeasure {
  readonly #fouriers = SIZES.map((size) => new Fourier(size));
  readonly #sums = SIZES.map(() => ({ difference: 0, total: 0, logs: 0, count: 0 }));
  #signal = 0;
  #noise = 0;
  #x: Float32Array[] = [];
  #y: Float32Array[] = [];
  #waiting = 0;

  /** The same number of samples of one channel of each. */
  push(original: Float32Array, other: Float32Array): void {
    for (let index = 0; index < original.length; index += 1) {
      this.#signal += original[index]! ** 2;
      this.#noise += (original[index]! - other[index]!) ** 2;
    }
    this.#x.push(original.slice());
    this.#y.push(other.slice());
    this.#waiting += original.length;
    if (this.#waiting >= 16 * LARGEST) this.#spectra();
  }

  done(): SoundDistance {
    if (this.#waiting > 0) this.#spectra();
    const distances = this.#sums.map(
      ({ difference, total, logs, count }) =>
        Math.sqrt(difference / Math.max(total, 1e-20)) + logs / Math.max(count, 1),
    );
    return {
      snr: 10 * Math.log10(this.#signal / this.#noise),
      spectralDistance: distances.reduce((sum, value) => sum + value, 0) / SIZES.length,
    };
  }

  #spectra(): void {
    const x = join(this.#x, this.#waiting);
    const y = join(this.#y, this.#waiting);
    [this.#x, this.#y, this.#waiting] = [[], [], 0];
    for (const [index, fourier] of this.#fouriers.entries()) {
      const { size } = fourier;
      const hop = size / 4;
      const steps = Math.max(1, Math.floor(x.length / hop));
      const a = magnitudesOf(shortTimeFourier(x, fourier, hop, steps));
      const b = magnitudesOf(shortTimeFourier(y, fourier, hop, steps));
      const sums = this.#sums[index]!;
      const least = (QUIETEST * size) / 4;
      for (let at = 0; at < a.length; at += 1) {
        sums.difference += (a[at]! - b[at]!) ** 2;
        sums.total += a[at]! ** 2;
        sums.logs += Math.abs(Math.log(Math.max(a[at]!, least) / Math.max(b[at]!, least)));
      }
      sums.count += a.length;
    }
  }
}

function join(parts: readonly Float32Array[], length: number): Float32Array {
  const out = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
