/** Options that many calls take. */
import { z } from 'zod';

const signalSchema = z.custom<AbortSignal>(isAbortSignal, 'expected an AbortSignal');

/** Part of the schema of every call that takes time. */
export const signalShape = {
  /** Ends the call early: it rejects with the signal's reason. */
  signal: signalSchema.optional(),
};

/** By what it can do, not by its class: a test's vm context (jsdom's, for one) has a class of its own beside Node's. */
function isAbortSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, throwIfAborted } = value as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && [addEventListener, throwIfAborted].every((one) => typeof one === 'function');
}
