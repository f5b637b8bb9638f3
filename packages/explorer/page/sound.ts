/** Rows of sound: samples, spectrograms, and playing them. */
import { Fourier, shortTimeFourier } from '../../../src/data/audio/fourier.js';
import { MelTransform } from '../../../src/data/audio/mel.js';
import type { Display } from './backend.js';
import { heatMap, type Pixels } from './pixels.js';

export type SoundDisplay = Extract<Display, { kind: 'sound' }>;

const FLOOR_DB = -90;
const MOST_STEPS = 256;

/** Samples of the first channel, −1 to 1. Of mel bands, by the way back that node-vae has. */
export function samplesOf(row: Float32Array, { frame, sampleRate, mean, deviation, mel }: SoundDisplay): Float32Array {
  if (!mel) return row.subarray(0, frame).map((value) => value * deviation + mean);
  const steps = frame / mel.fftHop;
  const { bands } = mel;
  const decibels = new Float32Array(bands * (steps + 1));
  for (let band = 0; band < bands; band += 1) {
    for (let step = 0; step <= steps; step += 1) {
      decibels[band * (steps + 1) + step] = row[band * steps + Math.min(step, steps - 1)]! * deviation + mean;
    }
  }
  return Float32Array.from(new MelTransform({ ...mel, sampleRate }).inverse(decibels, steps + 1)).subarray(0, frame);
}

/** Decibels over time, low frequencies at the bottom. */
export function spectrogram(row: Float32Array, display: SoundDisplay): Pixels {
  const { frame, mel, mean, deviation } = display;
  if (mel) {
    const steps = frame / mel.fftHop;
    const decibels = row.subarray(0, mel.bands * steps).map((value) => value * deviation + mean);
    return heatMap(decibels, mel.bands, steps, FLOOR_DB, 0);
  }
  const { bins, steps, decibels } = decibelsOf(samplesOf(row, display));
  return heatMap(decibels, bins, steps, FLOOR_DB, 0);
}

function decibelsOf(samples: Float32Array): { bins: number; steps: number; decibels: Float32Array } {
  const size = Math.min(512, Math.max(32, 2 ** Math.floor(Math.log2(samples.length / 16))));
  const steps = Math.max(2, Math.min(MOST_STEPS, Math.floor(samples.length / (size / 4))));
  const hop = Math.max(1, Math.floor(samples.length / steps));
  const { real, imaginary, bins } = shortTimeFourier(samples, new Fourier(size), hop, steps);
  const decibels = new Float32Array(bins * steps);
  for (let step = 0; step < steps; step += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      const magnitude = Math.hypot(real[step * bins + bin]!, imaginary[step * bins + bin]!) / (size / 4);
      decibels[bin * steps + step] = 20 * Math.log10(magnitude + 1e-6);
    }
  }
  return { bins, steps, decibels };
}

/** How far two sounds lie apart, in decibels by time and frequency: 0 to 30. */
export function spectralDifference(a: Float32Array, b: Float32Array, display: SoundDisplay): Pixels {
  const { frame, mel, deviation } = display;
  if (mel) {
    const steps = frame / mel.fftHop;
    const apart = a.subarray(0, mel.bands * steps).map((value, at) => Math.abs(value - b[at]!) * deviation);
    return heatMap(apart, mel.bands, steps, 0, 30);
  }
  const [left, right] = [decibelsOf(samplesOf(a, display)), decibelsOf(samplesOf(b, display))];
  const floor = (value: number): number => Math.max(FLOOR_DB, value);
  const apart = left.decibels.map((value, at) => Math.abs(floor(value) - floor(right.decibels[at]!)));
  return heatMap(apart, left.bins, left.steps, 0, 30);
}

let context: AudioContext | undefined;
let playing: AudioBufferSourceNode | undefined;

export async function play(row: Float32Array, display: SoundDisplay, ended: () => void): Promise<void> {
  context ??= new AudioContext();
  await context.resume();
  playing?.stop();
  const samples = samplesOf(row, display);
  const buffer = context.createBuffer(1, samples.length, display.sampleRate);
  buffer.getChannelData(0).set(samples);
  playing = new AudioBufferSourceNode(context, { buffer });
  playing.connect(context.destination);
  playing.addEventListener('ended', ended);
  playing.start();
}

/** Lowest and highest sample of each of `count` pieces. */
export function envelope(samples: Float32Array, count: number): { low: Float32Array; high: Float32Array } {
  const low = new Float32Array(count);
  const high = new Float32Array(count);
  for (let piece = 0; piece < count; piece += 1) {
    const from = Math.floor((piece * samples.length) / count);
    const to = Math.max(from + 1, Math.floor(((piece + 1) * samples.length) / count));
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    // With the end of the piece before, so that the line is whole.
    for (let at = Math.max(0, from - 1); at < to; at += 1) {
      least = Math.min(least, samples[at]!);
      most = Math.max(most, samples[at]!);
    }
    low[piece] = least;
    high[piece] = most;
  }
  return { low, high };
}
