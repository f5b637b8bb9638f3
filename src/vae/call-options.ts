/** What the calls of a model take and give, as far as several do. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import { type InputOf, parseOptions } from '../core/options.js';
import { seedSchema } from '../core/seed.js';
import { tilingSchema } from '../inference/rows/tiling.js';

export const callShape = {
  ...signalShape,
  /** See VaeSessionOptions. */
  tiling: tilingSchema.optional(),
  /** Rows that go through a network at once at most; fewer need less memory. */
  maxRows: z.int().positive().optional(),
};

const labelsSchema = z.union(
  [
    z.int().min(0),
    z.array(z.int().min(0)),
    z.custom<Uint8Array | Int32Array | Uint32Array>(
      (value) => value instanceof Uint8Array || value instanceof Int32Array || value instanceof Uint32Array,
    ),
  ],
  { error: 'expected a class number or an array of them' },
);

export const labelsShape = {
  /**
   * For conditional models: the class number of all rows, or one for each. Default: the labels of the
   * batch, where it is a labelled dataset or `{ data, shape, labels }`.
   */
  labels: labelsSchema.optional(),
};

export const drawShape = {
  ...callShape,
  ...labelsShape,
  /** Default: a new draw with every call, the same sequence for the same model seed. */
  seed: seedSchema.optional(),
};

export const floats = z.custom<Float32Array>((value) => value instanceof Float32Array, 'expected a Float32Array');

const callSchema = z.strictObject(callShape);
const labelledSchema = z.strictObject({ ...callShape, ...labelsShape });
const drawSchema = z.strictObject(drawShape);

/** Options of one call. */
export interface CallOptions extends InputOf<typeof callSchema> {}

/** Options of one call to a model that may be conditional. */
export interface LabelledOptions extends InputOf<typeof labelledSchema> {}

/** Options of calls that draw at random. */
export interface DrawOptions extends InputOf<typeof drawSchema> {}

export interface Encoding {
  /** Mean of q(z|x), float32 [N, latentDim]. */
  readonly mean: Tensor;
  /** Natural logarithm of the variance of q(z|x), float32 [N, latentDim]. */
  readonly logVariance: Tensor;
}

/** Says that a call was given no options; checking them can be left out. */
export const NO_OPTIONS: Readonly<Record<never, never>> = Object.freeze({});

/** Checks the options of a call that has to be quick. */
export function parseCall<S extends z.ZodType>(schema: S, options: unknown, where: string): z.output<S> {
  return options === NO_OPTIONS ? (NO_OPTIONS as z.output<S>) : parseOptions(schema, options, where);
}
