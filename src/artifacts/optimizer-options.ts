/** Optimizers by name, with the defaults of PyTorch. */
import { z } from 'zod';
import type { InputOf } from '../core/options.js';

const rate = z.number().positive().max(10);
const decay = z.number().min(0).max(1);
const fraction = z.number().min(0).lt(1);

const adamOptions = {
  learningRate: rate.default(1e-3),
  beta1: fraction.default(0.9),
  beta2: fraction.default(0.999),
  epsilon: z.number().positive().default(1e-8),
};

const configSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('adam'), ...adamOptions, weightDecay: decay.default(0) }),
    z.strictObject({
      type: z.literal('adamw'),
      ...adamOptions,
      weightDecay: decay.default(0.01),
      /**
       * Whose AdamW. `pytorch`: p ← (1 − lr·λ)·p, then p ← p − lr/(1−β₁ᵗ) · m/(√(v/(1−β₂ᵗ)) + ε). `onnxruntime`, as its
       * training operator and Hugging Face's transformers have it: p ← p − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε), then
       * p ← (1 − lr·λ)·p. Default `pytorch`.
       */
      form: z.enum(['pytorch', 'onnxruntime']).optional(),
      /** Whether the moments are divided by 1 − βᵗ (Kingma and Ba 2015, section 3). Default true. */
      biasCorrection: z.boolean().optional(),
    }),
    z.strictObject({
      type: z.literal('sgd'),
      learningRate: rate.default(0.01),
      momentum: fraction.default(0),
      dampening: decay.default(0),
      nesterov: z.boolean().default(false),
      weightDecay: decay.default(0),
    }),
  ],
  { error: 'expected one of the optimizers adam, adamw, sgd' },
);

/** An optimizer by name, or by `type` with its options. */
export const optimizerSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { type: value } : value),
  configSchema.refine(
    (value) => value.type !== 'sgd' || !value.nesterov || (value.momentum > 0 && value.dampening === 0),
    {
      message: 'expected a momentum above 0 and no dampening with nesterov',
    },
  ),
) as unknown as z.ZodType<OptimizerConfig, OptimizerInput>;

export type OptimizerConfig = z.output<typeof configSchema>;
export type OptimizerOptions = InputOf<typeof configSchema>;
/** An optimizer by name, or by `type` with its options. */
export type OptimizerInput = OptimizerConfig['type'] | OptimizerOptions;
