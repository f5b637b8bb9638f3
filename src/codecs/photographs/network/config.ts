/** What a model of photographs is made of. */
import { z } from 'zod';

/** Planes by their numbers: one that stands alone (grey, alpha), green, red, blue. */
export const ROLES = 4;

/** How much work a sample is: the quickest first. */
export const EFFORTS = ['fast', 'best'] as const;

export const photoConfigSchema = z.strictObject({
  /** Logistics of a sample's mixture. */
  components: z.int().min(2).max(8).default(5),
  /** Widths of the hidden layers of each effort's networks. */
  hidden: z
    .array(z.array(z.int().min(4).max(512)).min(1).max(4))
    .min(1)
    .max(EFFORTS.length)
    .default([
      [32, 32],
      [96, 96],
    ]),
});

export type PhotoConfig = z.output<typeof photoConfigSchema>;
