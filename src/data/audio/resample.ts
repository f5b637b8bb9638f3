/** Sound at another rate and with other channels, piece by piece. */
import { stereoWeights } from './mix.js';

/** What sound is read from: samples from any place, silence beyond the ends. */
export interface SoundSource {
  readonly sampleRate: number;
  readonly channels: number;
  readonly length: number;
  /** Where the channels belong, as a WAV file's channel mask; 0 or absent: unknown. */
  readonly mask?: number;
  /** [channels, count] */
  read(start: number, count: number): Promise<Float32Array>;
}

/** Zero crossings of the filter on either side. */
const CROSSINGS = 24;
/** Of Kaiser's window: side lobes 90 dB down (Kaiser 1974). */
const BETA = 9;
/** Points of the filter's table between two zero crossings. */
const STEPS = 512;

/**
 * Brings sound to a rate by convolution with a windowed sinc (Smith, Digital Audio Resampling Home Page, CCRMA
 * 2002), cut off below half the lower rate, and to one or two channels: one of two is their mean, two of one are copies,
 * and more than two are mixed by where they belong (mix.ts), to one as the mean of the two that gives.
 */
export function resampled(source: SoundSource, sampleRate: number, channels: number): SoundSource {
  const mixed = source.channels === channels ? source : remixed(source, channels);
  if (source.sampleRate === sampleRate) return mixed;
  const ratio = sampleRate / source.sampleRate;
  const cutoff = Math.min(1, ratio);
  const reach = Math.ceil(CROSSINGS / cutoff);
  return {
    sampleRate,
    channels,
    length: Math.max(1, Math.round(source.length * ratio)),
    async read(start, count) {
      const first = Math.floor(start / ratio) - reach;
      const needed = Math.ceil(count / ratio) + 2 * reach + 2;
      const given = await mixed.read(first, needed);
      const out = new Float32Array(channels * count);
      for (let index = 0; index < count; index += 1) {
        const position = (start + index) / ratio - first;
        const from = Math.max(0, Math.ceil(position - reach));
        const to = Math.min(needed - 1, Math.floor(position + reach));
        for (let channel = 0; channel < channels; channel += 1) {
          const at = channel * needed;
          let sum = 0;
          for (let k = from; k <= to; k += 1) sum += given[at + k]! * filterAt(Math.abs(k - position) * cutoff);
          out[channel * count + index] = sum * cutoff;
        }
      }
      return out;
    },
  };
}

function remixed(source: SoundSource, channels: number): SoundSource {
  const { channels: given, mask = 0 } = source;
  const weights = weightsOf(given, channels, mask);
  return {
    ...source,
    channels,
    async read(start, count) {
      const samples = await source.read(start, count);
      const out = new Float32Array(channels * count);
      for (const [to, row] of weights.entries()) {
        for (const [from, weight] of row.entries()) {
          if (weight === 0) continue;
          for (let index = 0; index < count; index += 1)
            out[to * count + index]! += samples[from * count + index]! * weight;
        }
      }
      return out;
    },
  };
}

/** Of each channel wanted, the weight of each that is there. */
function weightsOf(given: number, channels: number, mask: number): number[][] {
  const each = <T>(value: (from: number) => T): T[] => Array.from({ length: given }, (_, from) => value(from));
  if (given === 1) return Array.from({ length: channels }, () => [1]);
  const pairs =
    given > 2 ? stereoWeights(given, mask) : each((from) => [from === 0 ? 1 : 0, from === 0 ? 0 : 1] as const);
  if (!pairs) {
    // Microphones of an array, say: all alike to one, alternately to two.
    if (channels === 1) return [each(() => 1 / given)];
    const half = (side: number): number => Math.ceil((given - side) / 2);
    return [0, 1].map((side) => each((from) => (from % 2 === side ? 1 / half(side) : 0)));
  }
  if (channels === 1) return [pairs.map(([left, right]) => (left + right) / 2)];
  return [pairs.map(([left]) => left), pairs.map(([, right]) => right)];
}

let table: Float32Array | undefined;

/** The filter at a distance in zero crossings; linear between the points of a table. */
function filterAt(distance: number): number {
  table ??= makeTable();
  const place = distance * STEPS;
  const low = Math.floor(place);
  if (low + 1 >= table.length) return 0;
  return table[low]! + (table[low + 1]! - table[low]!) * (place - low);
}

function makeTable(): Float32Array {
  const out = new Float32Array(CROSSINGS * STEPS + 1);
  for (let index = 0; index < out.length; index += 1) {
    const x = index / STEPS;
    const sinc = index === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    out[index] = (sinc * bessel(BETA * Math.sqrt(1 - (x / CROSSINGS) ** 2))) / bessel(BETA);
  }
  return out;
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
