/** Sound to rows and rows to sound. */
import { OverlapAdd, piecesOf } from '../overlap.js';
import { MelTransform } from './mel.js';
import { type AudioRecipe, audioRowShape } from './recipe.js';
import type { SoundSource } from './resample.js';

/** Number of rows that a sound of so many samples (at the recipe's rate) is cut into. */
export function rowsOfSound(length: number, recipe: AudioRecipe): number {
  return piecesOf(length, recipe);
}

/** Cuts rows out of a sound at the recipe's rate. */
export class SoundFramer {
  readonly #recipe: AudioRecipe;
  readonly #mel: MelTransform | undefined;
  readonly rowSize: number;

  constructor(recipe: AudioRecipe) {
    this.#recipe = recipe;
    this.#mel = recipe.mel && new MelTransform({ ...recipe.mel, sampleRate: recipe.sampleRate });
    this.rowSize = audioRowShape(recipe).reduce((size, dim) => size * dim, 1);
  }

  /** Row `row` of a sound: standardised, silence beyond the end. */
  async row(source: SoundSource, row: number): Promise<Float32Array> {
    const { channels, frame, hop, mel } = this.#recipe;
    if (!mel) return this.#standardised(await source.read(row * hop, frame));
    const context = contextOf(mel);
    const steps = frame / mel.fftHop;
    const sound = await source.read(row * hop - context * mel.fftHop, frame + 2 * context * mel.fftHop);
    const length = sound.length / channels;
    const out = new Float32Array(this.rowSize);
    for (let channel = 0; channel < channels; channel += 1) {
      const all = this.#mel!.forward(sound.subarray(channel * length, (channel + 1) * length), steps + 2 * context);
      for (let band = 0; band < mel.bands; band += 1) {
        const from = band * (steps + 2 * context) + context;
        out.set(all.subarray(from, from + steps), (channel * mel.bands + band) * steps);
      }
    }
    return this.#standardised(out);
  }

  #standardised(values: Float32Array): Float32Array {
    const { mean, deviation } = this.#recipe;
    for (let index = 0; index < values.length; index += 1) values[index] = (values[index]! - mean) / deviation;
    return values;
  }
}

/** Transforms that reach into a row from beside it. */
function contextOf({ fftSize, fftHop }: NonNullable<AudioRecipe['mel']>): number {
  return Math.ceil(fftSize / 2 / fftHop);
}

/** Steps of a spectrogram that become sound at once, and those that are blended with the next. */
const BLOCK_STEPS = 1024;
const BLEND_STEPS = 32;

/** Turns rows, one after another, into sound, with the memory of a few rows. */
export class SoundJoiner {
  readonly #recipe: AudioRecipe;
  readonly #overlap: OverlapAdd;
  readonly #mel: MelTransform | undefined;
  /** Steps that are not yet sound, [channels · bands, ...], oldest first. */
  #waiting: Float32Array[] = [];
  #blend: OverlapAdd | undefined;

  constructor(recipe: AudioRecipe) {
    this.#recipe = recipe;
    const { channels, frame, hop, mel } = recipe;
    this.#overlap = new OverlapAdd(
      mel
        ? { lanes: channels * mel.bands, frame: frame / mel.fftHop, hop: hop / mel.fftHop }
        : { lanes: channels, frame, hop },
    );
    this.#mel = mel && new MelTransform({ ...mel, sampleRate: recipe.sampleRate });
    this.#blend = mel && this.#newBlend();
  }

  /** @returns sound that is settled now, [channels, count]; it may be empty. */
  push(row: Float32Array): Float32Array {
    const settled = this.#overlap.push(this.#natural(row));
    return this.#mel ? this.#afterSteps(settled, false) : settled;
  }

  flush(): Float32Array {
    const rest = this.#overlap.flush();
    return this.#mel ? this.#afterSteps(rest, true) : rest;
  }

  #natural(row: Float32Array): Float32Array {
    const { mean, deviation } = this.#recipe;
    return row.map((value) => value * deviation + mean);
  }

  #newBlend(): OverlapAdd {
    const { channels, mel } = this.#recipe;
    const frame = BLOCK_STEPS * mel!.fftHop;
    return new OverlapAdd({ lanes: channels, frame, hop: frame - BLEND_STEPS * mel!.fftHop });
  }

  /** Whole blocks of steps become sound; at the end, what is left. */
  #afterSteps(settled: Float32Array, last: boolean): Float32Array {
    const { channels, mel } = this.#recipe;
    const lanes = channels * mel!.bands;
    if (settled.length > 0) this.#waiting.push(settled);
    let steps = this.#waiting.reduce((sum, part) => sum + part.length / lanes, 0);
    if (!last && steps < BLOCK_STEPS + 1) return new Float32Array(0);
    let all = joinLanes(this.#waiting, lanes);
    const pieces: Float32Array[] = [];
    while (steps >= BLOCK_STEPS + 1) {
      pieces.push(this.#blend!.push(this.#sound(all, steps, BLOCK_STEPS)));
      const used = BLOCK_STEPS - BLEND_STEPS;
      all = fromStep(all, lanes, steps, used);
      steps -= used;
    }
    this.#waiting = [all];
    if (!last) return joinLanes(pieces, channels);
    // The rest is shorter than a block: it fades in over the end of the last one by itself.
    const tail = this.#blend!.flush();
    const sound = this.#sound(all, steps, steps);
    const overlap = tail.length / channels;
    const length = sound.length / channels;
    for (let channel = 0; channel < channels; channel += 1) {
      for (let index = 0; index < Math.min(overlap, length); index += 1) {
        const weight = (index + 1) / (overlap + 1);
        const at = channel * length + index;
        sound[at] = tail[channel * overlap + index]! * (1 - weight) + sound[at]! * weight;
      }
    }
    pieces.push(sound);
    this.#waiting = [];
    return joinLanes(pieces, channels);
  }

  /** The first `count` of `steps` steps as sound: [channels, count · fftHop]. */
  #sound(all: Float32Array, steps: number, count: number): Float32Array {
    const { channels, mel } = this.#recipe;
    const { bands, fftHop } = mel!;
    const length = count * fftHop;
    const out = new Float32Array(channels * length);
    // One step more, so that the last has something to lead to.
    const used = Math.min(steps, count + 1);
    for (let channel = 0; channel < channels; channel += 1) {
      const decibels = new Float32Array(bands * (count + 1));
      for (let band = 0; band < bands; band += 1) {
        const from = (channel * bands + band) * steps;
        const to = band * (count + 1);
        decibels.set(all.subarray(from, from + used), to);
        if (used <= count) decibels.fill(all[from + used - 1]!, to + used, to + count + 1);
      }
      out.set(this.#mel!.inverse(decibels, count + 1).subarray(0, length), channel * length);
    }
    return out;
  }
}

/** Parts [lanes, count] one after another. */
function joinLanes(parts: readonly Float32Array[], lanes: number): Float32Array {
  const total = parts.reduce((sum, part) => sum + part.length / lanes, 0);
  const out = new Float32Array(lanes * total);
  let start = 0;
  for (const part of parts) {
    const count = part.length / lanes;
    for (let lane = 0; lane < lanes; lane += 1)
      out.set(part.subarray(lane * count, (lane + 1) * count), lane * total + start);
    start += count;
  }
  return out;
}

function fromStep(all: Float32Array, lanes: number, steps: number, first: number): Float32Array {
  const out = new Float32Array(lanes * (steps - first));
  for (let lane = 0; lane < lanes; lane += 1)
    out.set(all.subarray(lane * steps + first, (lane + 1) * steps), lane * (steps - first));
  return out;
}
