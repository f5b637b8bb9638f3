/** What a model for lossy compression is made of. */
import { z } from 'zod';

const width = z.int().min(1).max(1024);

export const lossyConfigSchema = z.strictObject({
  /** Channels of the three inner layers of the transforms. */
  widths: z.tuple([width, width, width]).default([32, 48, 64]),
  /** Channels of the latents, which have a sixteenth of the picture's height and width. */
  latents: width.default(192),
  /**
   * How the latents are coded: 'hyperprior', under a mean and a scale that further latents describe
   * (Minnen, Ballé, Toderici 2018), or 'factorised', one distribution for each channel (Ballé,
   * Laparra, Simoncelli 2017).
   */
  prior: z.enum(['hyperprior', 'factorised']).default('hyperprior'),
  /** Channels within the hyperprior's networks, and of its latents. */
  hyperWidth: width.default(32),
  hyperLatents: width.default(24),
  /** Logistics in the mixture of each factorised prior. */
  components: z.int().min(1).max(16).default(3),
  /**
   * λ of each level, rising: training minimises bits for each pixel + λ · mean squared error, in steps
   * of 8-bit values.
   */
  lambdas: z
    .array(z.number().positive())
    .min(1)
    .max(64)
    .default([0.0016, 0.004, 0.01, 0.025, 0.06])
    .refine((values) => values.every((value, index) => index === 0 || value > values[index - 1]!), {
      error: 'should rise from level to level',
    }),
});

export interface LossyConfig extends z.output<typeof lossyConfigSchema> {}

/** Latents have this fraction of the picture's height and width. */
export const DOWNSAMPLING = 16;
/** Hyper-latents have this fraction of the latents' height and width. */
export const HYPER_DOWNSAMPLING = 4;

/** Size of latents or hyper-latents: as many as cover the picture. */
export function reduced(length: number, factor: number): number {
  return Math.ceil(length / factor);
}
