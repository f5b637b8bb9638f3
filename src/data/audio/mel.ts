/** Log-mel spectrograms and the way back. */
import { Fourier, inverseShortTimeFourier, type Spectra, shortTimeFourier } from './fourier.js';

export interface MelForm {
  readonly sampleRate: number;
  /** Samples of one transform, a power of two. */
  readonly fftSize: number;
  /** Samples from one transform to the next. */
  readonly fftHop: number;
  readonly bands: number;
}

/** Quieter than this is silence, in decibels below full scale. */
const FLOOR_DB = -100;

export class MelTransform {
  readonly #form: MelForm;
  readonly #fourier: Fourier;
  /** Of each band: its first bin and the weights from there. */
  readonly #filters: readonly { readonly first: number; readonly weights: Float64Array }[];

  constructor(form: MelForm) {
    this.#form = form;
    this.#fourier = new Fourier(form.fftSize);
    this.#filters = melFilters(form);
  }

  /** Decibels of each band and step, [bands, steps]; step k lies around sample k · fftHop. */
  forward(sound: ArrayLike<number>, steps: number): Float32Array {
    const { bands, fftHop, fftSize } = this.#form;
    const spectra = shortTimeFourier(sound, this.#fourier, fftHop, steps);
    const magnitudes = magnitudesOf(spectra);
    const out = new Float32Array(bands * steps);
    for (let step = 0; step < steps; step += 1) {
      for (let band = 0; band < bands; band += 1) {
        const { first, weights } = this.#filters[band]!;
        let sum = 0;
        for (let k = 0; k < weights.length; k += 1) sum += weights[k]! * magnitudes[step * spectra.bins + first + k]!;
        // Over half the window's sum a full-scale sine has magnitude 1.
        out[band * steps + step] = Math.max(FLOOR_DB, 20 * Math.log10(sum / (fftSize / 4) + 1e-12));
      }
    }
    return out;
  }

  /**
   * Sound with about such a spectrogram. Magnitudes come from the bands by multiplicative updates (Lee and Seung
   * 2001), phases by the fast Griffin-Lim algorithm (Perraudin, Balazs and Søndergaard 2013).
   */
  inverse(decibels: ArrayLike<number>, steps: number, rounds = 32): Float32Array {
    const { fftHop, fftSize } = this.#form;
    const length = (steps - 1) * fftHop + 1;
    const magnitudes = this.#unmel(decibels, steps);
    const bins = fftSize / 2 + 1;
    let spectra: Spectra = { steps, bins, real: magnitudes.slice(), imaginary: new Float64Array(steps * bins) };
    // Phases that run on from step to step at every bin's own rate: a better start than none at all.
    for (let step = 0; step < steps; step += 1) {
      for (let bin = 0; bin < bins; bin += 1) {
        const at = step * bins + bin;
        const phase = (2 * Math.PI * bin * ((step * fftHop) % fftSize)) / fftSize + Math.PI * bin;
        spectra.real[at] = magnitudes[at]! * Math.cos(phase);
        spectra.imaginary[at] = magnitudes[at]! * Math.sin(phase);
      }
    }
    let sound = inverseShortTimeFourier(spectra, this.#fourier, fftHop, length);
    let before: Spectra | undefined;
    for (let round = 0; round < rounds; round += 1) {
      const found = shortTimeFourier(sound, this.#fourier, fftHop, steps);
      const next: Spectra = {
        steps,
        bins,
        real: new Float64Array(steps * bins),
        imaginary: new Float64Array(steps * bins),
      };
      for (let at = 0; at < steps * bins; at += 1) {
        const re = found.real[at]! + (before ? 0.99 * (found.real[at]! - before.real[at]!) : 0);
        const im = found.imaginary[at]! + (before ? 0.99 * (found.imaginary[at]! - before.imaginary[at]!) : 0);
        const scale = magnitudes[at]! / Math.max(Math.hypot(re, im), 1e-12);
        next.real[at] = re * scale;
        next.imaginary[at] = im * scale;
      }
      before = found;
      spectra = next;
      sound = inverseShortTimeFourier(spectra, this.#fourier, fftHop, length);
    }
    return Float32Array.from(sound);
  }

  #unmel(decibels: ArrayLike<number>, steps: number): Float64Array {
    const { bands, fftSize } = this.#form;
    const bins = fftSize / 2 + 1;
    const out = new Float64Array(steps * bins);
    const column = new Float64Array(bins);
    const target = new Float64Array(bands);
    const totals = new Float64Array(bins);
    for (const { first, weights } of this.#filters) {
      for (let k = 0; k < weights.length; k += 1) totals[first + k]! += weights[k]!;
    }
    for (let step = 0; step < steps; step += 1) {
      for (let band = 0; band < bands; band += 1) {
        const level = decibels[band * steps + step]!;
        target[band] = level <= FLOOR_DB + 1 ? 0 : 10 ** (level / 20) * (fftSize / 4);
      }
      for (let bin = 0; bin < bins; bin += 1) column[bin] = totals[bin]! > 0 ? 1 : 0;
      for (let round = 0; round < 12; round += 1) {
        const ratio = new Float64Array(bins);
        for (const [band, { first, weights }] of this.#filters.entries()) {
          let sum = 1e-12;
          for (let k = 0; k < weights.length; k += 1) sum += weights[k]! * column[first + k]!;
          for (let k = 0; k < weights.length; k += 1) ratio[first + k]! += (weights[k]! * target[band]!) / sum;
        }
        for (let bin = 0; bin < bins; bin += 1) if (totals[bin]! > 0) column[bin]! *= ratio[bin]! / totals[bin]!;
      }
      out.set(column, step * bins);
    }
    return out;
  }
}

export function magnitudesOf({ real, imaginary }: Spectra): Float64Array {
  return real.map((value, at) => Math.hypot(value, imaginary[at]!));
}

/** Triangles evenly spaced in mel, 2595 log10(1 + f / 700) (O'Shaughnessy 1987), each with the mean of its bins. */
function melFilters({ sampleRate, fftSize, bands }: MelForm): { first: number; weights: Float64Array }[] {
  const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const top = mel(sampleRate / 2);
  const edges = Array.from({ length: bands + 2 }, (_, index) => {
    const hertz = 700 * (10 ** ((top * index) / (bands + 1) / 2595) - 1);
    return (hertz * fftSize) / sampleRate;
  });
  return Array.from({ length: bands }, (_, band) => {
    const [left, centre, right] = [edges[band]!, edges[band + 1]!, edges[band + 2]!];
    // A low band narrower than a bin still takes the bin it lies in.
    const first = Math.min(fftSize / 2, Math.max(0, Math.floor(Math.min(left + 1, centre))));
    const last = Math.min(fftSize / 2, Math.max(first, Math.ceil(Math.max(right - 1, centre))));
    const weights = Float64Array.from({ length: last - first + 1 }, (_, k) => {
      const bin = first + k;
      const rise = (bin - left) / Math.max(centre - left, 1e-9);
      const fall = (right - bin) / Math.max(right - centre, 1e-9);
      return Math.max(0, Math.min(rise, fall));
    });
    let sum = weights.reduce((total, weight) => total + weight, 0);
    if (sum < 1e-6) {
      weights.fill(0);
      weights[Math.min(weights.length - 1, Math.round(centre) - first)] = 1;
      sum = 1;
    }
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}
