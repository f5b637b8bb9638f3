/** Whole sound files through a model, with the memory of a few rows. */
import { VaeError } from '../../core/errors.js';
import type { FoundFile } from '../find-files.js';
import { rowsOfSound, SoundFramer, SoundJoiner } from './frames.js';
import { type SoundDistance, SoundMeasure } from './measure.js';
import { openSound } from './open.js';
import type { AudioRecipe } from './recipe.js';
import { resampled } from './resample.js';
import { WavWriter } from './wav.js';

/** Rows to rows of the same shape: [count, ...row] in and out. */
export type RebuildRows = (rows: Float32Array, count: number) => Promise<Float32Array>;

/** What became of a file. The distances are absent where they were not asked for. */
export interface RebuiltSound extends Partial<SoundDistance> {
  readonly seconds: number;
  readonly rows: number;
  /** Samples that were too loud for the file and were cut. */
  readonly clipped: number;
}

export interface RebuildSoundOptions {
  /** See AudioOptions. */
  readonly acceptTruncated?: boolean;
  /** Bits of a sample of the file written; 32 are floats. Default 16. */
  readonly bits?: 8 | 16 | 24 | 32;
  /** Whether to compare the sound with the original, which takes longer than all the rest. Default true. */
  readonly measure?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const BATCH = 64;

/**
 * Passes a sound file through `rebuild` row by row, and writes what comes out as WAV of the recipe's rate and
 * channels. The distance is that from the sound at this rate.
 */
export async function rebuildSound(
  input: FoundFile,
  output: string,
  recipe: AudioRecipe,
  rebuild: RebuildRows,
  options: RebuildSoundOptions = {},
): Promise<RebuiltSound> {
  const { signal, measure: measured = true } = options;
  const file = await openSound(input, options, signal);
  return file.use(async (source) => {
    const sound = resampled(source, recipe.sampleRate, recipe.channels);
    const total = rowsOfSound(sound.length, recipe);
    const framer = new SoundFramer(recipe);
    const joiner = new SoundJoiner(recipe);
    const measures = Array.from({ length: measured ? recipe.channels : 0 }, () => new SoundMeasure());
    const writer = await WavWriter.create(output, { ...recipe, bits: options.bits ?? 16 });
    let written = 0;
    const write = async (settled: Float32Array): Promise<void> => {
      const given = settled.length / recipe.channels;
      const count = Math.min(given, sound.length - written);
      if (count <= 0) return;
      const kept = new Float32Array(recipe.channels * count);
      for (let channel = 0; channel < recipe.channels; channel += 1)
        kept.set(settled.subarray(channel * given, channel * given + count), channel * count);
      const original = measured ? await sound.read(written, count) : kept;
      for (const [channel, measure] of measures.entries()) {
        measure.push(
          original.subarray(channel * count, (channel + 1) * count),
          kept.subarray(channel * count, (channel + 1) * count),
        );
      }
      await writer.write(kept);
      written += count;
    };
    try {
      for (let start = 0; start < total; start += BATCH) {
        signal?.throwIfAborted();
        const count = Math.min(BATCH, total - start);
        const rows = new Float32Array(count * framer.rowSize);
        for (let row = 0; row < count; row += 1) rows.set(await framer.row(sound, start + row), row * framer.rowSize);
        const rebuilt = await rebuild(rows, count);
        for (let row = 0; row < count; row += 1) {
          await write(joiner.push(rebuilt.subarray(row * framer.rowSize, (row + 1) * framer.rowSize)));
        }
      }
      await write(joiner.flush());
      await writer.close();
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    const all = measures.map((measure) => measure.done());
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      ...(measured && {
        snr: mean(all.map(({ snr }) => snr)),
        spectralDistance: mean(all.map(({ spectralDistance }) => spectralDistance)),
      }),
      seconds: sound.length / recipe.sampleRate,
      rows: total,
      clipped: writer.clipped,
    };
  });
}

/**
 * Rows as sound in one WAV file: those of one sound, blended where they overlap; or, with `apart`, one after another.
 *
 * @param rows [count, ...row], as decode() and sample() give them.
 * @throws VaeError ERR_VAE_SHAPE for rows of another shape.
 */
export async function writeSound(
  path: string,
  rows: Float32Array,
  recipe: AudioRecipe,
  { apart = false, bits = 16 }: { apart?: boolean; bits?: 8 | 16 | 24 | 32 } = {},
): Promise<{ clipped: number }> {
  const joined = apart ? { ...recipe, hop: recipe.frame } : recipe;
  const { rowSize } = new SoundFramer(joined);
  if (rows.length % rowSize !== 0 || rows.length === 0) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `writeSound(): expected rows of ${rowSize} values, received ${rows.length} values.`,
    );
  }
  const joiner = new SoundJoiner(joined);
  const writer = await WavWriter.create(path, { ...recipe, bits });
  try {
    for (let at = 0; at < rows.length; at += rowSize) await writer.write(joiner.push(rows.slice(at, at + rowSize)));
    await writer.write(joiner.flush());
    await writer.close();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { clipped: writer.clipped };
}
