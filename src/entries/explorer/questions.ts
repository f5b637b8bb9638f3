/** Questions of the page, checked where they come in. */
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import type { Question } from './subject.js';

const whole = z.int().min(0);

export const QUESTIONS = {
  item: z.object({ row: whole }),
  rows: z.object({ rows: z.array(whole).min(1).max(256) }),
  decode: z.object({ labels: z.array(whole).max(256).optional() }),
  nearest: z.object({ count: whole.min(1).max(100) }),
  draw: z.object({
    count: whole.min(1).max(64),
    seed: whole.max(2 ** 31),
    temperature: z.number().min(0).max(10),
    label: whole.optional(),
  }),
  holes: z.object({}),
  stop: z.object({}),
  checkpoint: z.object({}),
  picture: z.object({ item: whole }),
} as const;

/** @throws VaeError ERR_VAE_OPTION for what is not as it should be. */
export function asked<K extends keyof typeof QUESTIONS>(
  name: K,
  { header }: Question,
): z.output<(typeof QUESTIONS)[K]> {
  const result = QUESTIONS[name].safeParse(header);
  if (result.success) return result.data as z.output<(typeof QUESTIONS)[K]>;
  const [issue] = result.error.issues;
  throw new VaeError('ERR_VAE_OPTION', `The question "${name}": ${issue?.path.join('.')}: ${issue?.message}.`);
}

/** Float32 rows of a question, of `size` elements each. */
export function askedRows({ arrays, op }: Question, name: string, size: number, most: number): Float32Array {
  const values = arrays[name];
  if (
    !(values instanceof Float32Array) ||
    values.length === 0 ||
    values.length % size !== 0 ||
    values.length > most * size
  ) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `The question "${op}": expected ${name} as 1 to ${most} rows of ${size} numbers.`,
    );
  }
  return values;
}

export function unknownQuestion(op: string): VaeError {
  return new VaeError('ERR_VAE_OPTION', `There is no question "${op}" here.`);
}
