import { z } from 'zod';

/** Key of every random draw: a whole number from 0 to 2^64 − 1. */
export type Seed = number | bigint;

export const seedSchema = z.union([z.int().min(0), z.bigint().min(0n).max(0xffff_ffff_ffff_ffffn)], {
  error: 'expected a whole number from 0 (a bigint above 2^53)',
});
