/** Short-time Fourier transforms. */

/** Radix-2 transforms of one length (Cooley and Tukey 1965), in place. */
export class Fourier {
  readonly size: number;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #order: Uint32Array;

  /** @param size a power of two. */
  constructor(size: number) {
    this.size = size;
    this.#cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    const bits = Math.log2(size);
    this.#order = Uint32Array.from({ length: size }, (_, index) => {
      let out = 0;
      for (let bit = 0; bit < bits; bit += 1) out |= ((index >> bit) & 1) << (bits - 1 - bit);
      return out;
    });
  }

  /** Forward: Σ x e^(−2πi kn / N). Backward: the inverse, divided by N. */
  transform(real: Float64Array, imaginary: Float64Array, backward = false): void {
    const { size } = this;
    for (let index = 0; index < size; index += 1) {
      const other = this.#order[index]!;
      if (other <= index) continue;
      [real[index], real[other]] = [real[other]!, real[index]!];
      [imaginary[index], imaginary[other]] = [imaginary[other]!, imaginary[index]!];
    }
    const sign = backward ? 1 : -1;
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k += 1) {
          const c = this.#cos[k * stride]!;
          const s = sign * this.#sin[k * stride]!;
          const low = start + k;
          const high = low + half;
          const re = real[high]! * c - imaginary[high]! * s;
          const im = real[high]! * s + imaginary[high]! * c;
          real[high] = real[low]! - re;
          imaginary[high] = imaginary[low]! - im;
          real[low]! += re;
          imaginary[low]! += im;
        }
      }
    }
    if (!backward) return;
    for (let index = 0; index < size; index += 1) {
      real[index]! /= size;
      imaginary[index]! /= size;
    }
  }
}

/** Hann's window, periodic: pieces at a quarter of its length add up evenly. */
export function hann(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size));
}

/** Complex spectra of windowed pieces: [steps, size / 2 + 1] each. */
export interface Spectra {
  readonly steps: number;
  readonly bins: number;
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/** Piece k lies around sample k · hop: silence stands beyond the ends. */
export function shortTimeFourier(sound: ArrayLike<number>, fourier: Fourier, hop: number, steps: number): Spectra {
  const { size } = fourier;
  const bins = size / 2 + 1;
  const window = hann(size);
  const out = { steps, bins, real: new Float64Array(steps * bins), imaginary: new Float64Array(steps * bins) };
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  for (let step = 0; step < steps; step += 1) {
    const start = step * hop - size / 2;
    for (let index = 0; index < size; index += 1) real[index] = (sound[start + index] ?? 0) * window[index]!;
    imaginary.fill(0);
    fourier.transform(real, imaginary);
    out.real.set(real.subarray(0, bins), step * bins);
    out.imaginary.set(imaginary.subarray(0, bins), step * bins);
  }
  return out;
}

/** The sound whose pieces come closest to these spectra (Griffin and Lim 1984, equation 6). */
export function inverseShortTimeFourier(spectra: Spectra, fourier: Fourier, hop: number, length: number): Float64Array {
  const { size } = fourier;
  const { bins, steps } = spectra;
  const window = hann(size);
  const sound = new Float64Array(length);
  const weight = new Float64Array(length);
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  for (let step = 0; step < steps; step += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      real[bin] = spectra.real[step * bins + bin]!;
      imaginary[bin] = spectra.imaginary[step * bins + bin]!;
      if (bin > 0 && bin < size / 2) {
        real[size - bin] = real[bin]!;
        imaginary[size - bin] = -imaginary[bin]!;
      }
    }
    fourier.transform(real, imaginary, true);
    const start = step * hop - size / 2;
    for (let index = Math.max(0, -start); index < size && start + index < length; index += 1) {
      sound[start + index]! += real[index]! * window[index]!;
      weight[start + index]! += window[index]! ** 2;
    }
  }
  for (let index = 0; index < length; index += 1) sound[index]! /= Math.max(weight[index]!, 1e-8);
  return sound;
}
