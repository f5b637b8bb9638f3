/** Options that many calls take. */
import { z } from 'zod';

const signalSchema = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal');

/** Part of the schema of every call that takes time. */
export const signalShape = {
  /** Ends the call early: it rejects with the signal's reason. */
  signal: signalSchema.optional(),
};
