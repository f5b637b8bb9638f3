import { z } from 'zod';

const whole = z.int().positive();

/** How sound becomes rows; in config.json under `data`. */
export const audioRecipeSchema = z
  .strictObject({
    kind: z.literal('audio'),
    /** Samples a second. */
    sampleRate: whole.max(1_000_000),
    channels: whole.max(2),
    /** Rows are samples [channels, frame], or decibels of mel bands [channels, bands, steps]. */
    form: z.enum(['waveform', 'mel']),
    /** Samples that a row covers. */
    frame: whole.max(1 << 22),
    /** Samples from one row to the next; the rest of a frame is blended with the next. */
    hop: whole,
    /** Of the training data; rows are brought to mean 0 and deviation 1. */
    mean: z.number(),
    deviation: z.number().positive(),
    mel: z
      .strictObject({
        /** Samples of one transform, a power of two. */
        fftSize: whole.max(1 << 16).refine((size) => Number.isInteger(Math.log2(size)), 'expected a power of two'),
        /** Samples from one transform to the next. */
        fftHop: whole,
        bands: whole.max(1024),
      })
      .optional(),
  })
  .refine(({ frame, hop }) => hop <= frame && 2 * hop >= frame, 'expected a hop from half of the frame to all of it')
  .refine(({ form, mel }) => (form === 'mel') === (mel !== undefined), 'expected `mel` with the form "mel" alone');

export interface AudioRecipe extends z.output<typeof audioRecipeSchema> {}

/** [channels, frame], or [channels, bands, steps]. */
export function audioRowShape({ channels, frame, mel }: AudioRecipe): number[] {
  return mel ? [channels, mel.bands, frame / mel.fftHop] : [channels, frame];
}
