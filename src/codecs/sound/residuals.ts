/**
 * Sound as items of a codec and back. An item is `width` numbers of one channel: of each sample what the
 * predictor could not tell, its residual, in units of about a twelfth of what residuals were of late. What is
 * below that unit is as good as noise, and stands as it is in a stream of bits beside the items. So items look
 * alike however loud the sound is (Rice 1979 has the unit, the model takes the place of his code).
 */
import { setImmediate } from 'node:timers/promises';
import { BitReader, BitWriter } from './bits.js';
import { Predictor } from './predictor.js';

/** Samples between two looks at other work, of a few milliseconds. */
const SLICE = 2048;
/** Units beyond these are told by the last two values of an item, and the residual itself stands in the bits. */
const MOST_UNITS = 126;
const [BEYOND, BELOW] = [254, 255];
/** The running sum of residuals' sizes holds 2^5 of them, and their mean is 2^3 to 2^4 units. */
const SUM_BITS = 5;
const UNIT_BITS = 3;

export interface SampleFormat {
  readonly channels: number;
  /** 1, unsigned, or 2 or 3, signed and little-endian, as WAV files have them. */
  readonly bytesPerSample: 1 | 2 | 3;
}

export interface CodedSound {
  /** [items, width]: channels in turn; what is beyond the end is as if predicted rightly. */
  readonly items: Uint8Array;
  readonly bits: Uint8Array;
}

/** How many items so many samples of each channel make. */
export function itemCount(frames: number, { channels }: SampleFormat, width: number): number {
  return Math.ceil(frames / width) * channels;
}

/** @param samples frames one after another, each with a sample of every channel; borrowed. */
export async function toItems(
  samples: Uint8Array,
  format: SampleFormat,
  width: number,
  signal?: AbortSignal,
): Promise<CodedSound> {
  const { channels, bytesPerSample } = format;
  const frames = samples.length / (channels * bytesPerSample);
  const items = new Uint8Array(itemCount(frames, format, width) * width);
  const bits = new BitWriter();
  const tracks = tracksOf(format);
  for (let frame = 0; frame < frames; frame += 1) {
    let other = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      const track = tracks[channel]!;
      const sample = readSample(samples, (frame * channels + channel) * bytesPerSample, bytesPerSample);
      const residual = wrapped(sample - track.predicted(other), bytesPerSample);
      const { unit } = track;
      const units = residual >> unit;
      const place = placeOf(frame, channel, channels, width);
      if (units > MOST_UNITS || units < -MOST_UNITS - 1) {
        items[place] = units < 0 ? BELOW : BEYOND;
        bits.write(residual & (2 ** (8 * bytesPerSample) - 1), 8 * bytesPerSample);
      } else {
        // 0, -1, 1, -2, 2, …: sizes of both signs look alike.
        items[place] = units < 0 ? -2 * units - 1 : 2 * units;
        bits.write(residual & (2 ** unit - 1), unit);
      }
      track.learn(sample, residual);
      other = sample;
    }
    if (frame % SLICE === SLICE - 1) await pause(signal);
  }
  return { items, bits: bits.finish() };
}

/**
 * The samples that made these items: the reverse of toItems().
 *
 * @throws VaeError ERR_VAE_FORMAT when there are fewer or more bits than they need.
 */
export async function fromItems(
  { items, bits: stored }: CodedSound,
  frames: number,
  format: SampleFormat,
  width: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { channels, bytesPerSample } = format;
  const samples = new Uint8Array(frames * channels * bytesPerSample);
  const bits = new BitReader(stored);
  const tracks = tracksOf(format);
  for (let frame = 0; frame < frames; frame += 1) {
    let other = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      const track = tracks[channel]!;
      const coded = items[placeOf(frame, channel, channels, width)]!;
      const residual =
        coded >= BEYOND
          ? wrapped(bits.read(8 * bytesPerSample), bytesPerSample)
          : (coded & 1 ? -(coded + 1) / 2 : coded / 2) * 2 ** track.unit + bits.read(track.unit);
      const sample = wrapped(track.predicted(other) + residual, bytesPerSample);
      track.learn(sample, residual);
      other = sample;
      writeSample(samples, (frame * channels + channel) * bytesPerSample, bytesPerSample, sample);
    }
    if (frame % SLICE === SLICE - 1) await pause(signal);
  }
  bits.finish();
  return samples;
}

/** What both sides know of a channel. */
class Track {
  readonly #predictor: Predictor;
  readonly #least: number;
  readonly #most: number;
  readonly #mostUnit: number;
  #sizes = 0;
  /** Logarithm of the unit. */
  unit = 0;

  constructor(bytesPerSample: number, withOther: boolean) {
    this.#predictor = new Predictor(withOther);
    this.#most = 2 ** (8 * bytesPerSample - 1) - 1;
    this.#least = -this.#most - 1;
    this.#mostUnit = 8 * bytesPerSample - 8;
  }

  /** A whole number that a sample can be. */
  predicted(other: number): number {
    const guess = Math.floor(this.#predictor.predict(other) + 0.5);
    return guess < this.#least ? this.#least : Math.min(guess, this.#most);
  }

  learn(sample: number, residual: number): void {
    this.#predictor.learn(sample);
    this.#sizes += Math.abs(residual) - (this.#sizes >> SUM_BITS);
    const unit = 31 - Math.clz32(this.#sizes) - SUM_BITS - UNIT_BITS;
    this.unit = unit < 0 ? 0 : Math.min(unit, this.#mostUnit);
  }
}

/** Every channel but the first is predicted from the one before it too. */
function tracksOf({ channels, bytesPerSample }: SampleFormat): Track[] {
  return Array.from({ length: channels }, (_, channel) => new Track(bytesPerSample, channel > 0));
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}

function placeOf(frame: number, channel: number, channels: number, width: number): number {
  return (Math.floor(frame / width) * channels + channel) * width + (frame % width);
}

function readSample(bytes: Uint8Array, at: number, count: number): number {
  if (count === 1) return bytes[at]! - 128;
  if (count === 2) return ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16;
  return ((bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) << 8) >> 8;
}

function writeSample(bytes: Uint8Array, at: number, count: number, sample: number): void {
  if (count === 1) bytes[at] = sample + 128;
  else for (let i = 0; i < count; i += 1) bytes[at + i] = (sample >> (8 * i)) & 255;
}

/** As a signed number of so many bytes. */
function wrapped(value: number, bytes: number): number {
  const unused = 32 - 8 * bytes;
  return (value << unused) >> unused;
}
