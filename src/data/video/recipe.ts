import { z } from 'zod';

const whole = z.int().positive();

/** How video becomes rows; in config.json under `data`. */
export const videoRecipeSchema = z
  .strictObject({
    kind: z.literal('video'),
    height: whole.max(8192),
    width: whole.max(8192),
    colour: z.enum(['grey', 'rgb']),
    /** Frames of a row; with 1, rows are pictures. */
    frames: whole.max(4096),
    /** Frames from one row to the next; the rest of a row is blended with the next. */
    hop: whole,
    /** Frames a second, as a fraction: of what is written. */
    rate: z.tuple([whole, whole]),
    /** Frames a second that videos are resampled to; absent: every frame is taken once. */
    fps: z.number().positive().max(1000).optional(),
  })
  .refine(({ frames, hop }) => hop <= frames && 2 * hop >= frames, 'expected a hop from half of the frames to all');

export interface VideoRecipe extends z.output<typeof videoRecipeSchema> {}

/** [channels, frames, height, width], or [channels, height, width] for single frames. */
export function videoRowShape({ colour, frames, height, width }: VideoRecipe): number[] {
  const channels = colour === 'grey' ? 1 : 3;
  return frames === 1 ? [channels, height, width] : [channels, frames, height, width];
}
