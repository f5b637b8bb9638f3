/**
 * For the tests of programs that use this package: a model in one line, arrays and archives held against files.
 *
 * @module node-vae/testing
 */
import { readFile } from 'node:fs/promises';
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { elementCount, type TypedArray } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { ioError, writeFilesAtomically } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { seedSchema } from '../../core/seed.js';
import { asDense, type TensorLike } from '../../core/tensor.js';
import { readNpy } from '../../data/npy/read.js';
import { writeNpy } from '../../data/npy/write.js';
import type { Vae } from '../../vae/index.js';
import '../../vae/index.js';
import { makeModel } from '../../vae/open.js';
import { makeVae } from '../../vae/vae.js';

const fixtureSchema = z.strictObject({
  /** Of the weights. Default 1. */
  seed: seedSchema.default(1),
  /** Sides of its pictures. Default 8. */
  side: z.int().min(1).max(64).default(8),
  /** Channels of its pictures. Default 1. */
  channels: z.int().min(1).max(4).default(1),
  /** Default 2. */
  latentDim: z.int().min(1).max(64).default(2),
  /** Number of classes, for a conditional model. Default: none. */
  classes: z.int().min(2).max(1000).optional(),
});

export interface FixtureOptions extends InputOf<typeof fixtureSchema> {}

/**
 * A tiny model of grey pictures with the weights that its seed gives, without a file and without training: it encodes,
 * decodes, samples, scores, trains and saves as any other does, and gives the same bits on every processor. Close it when
 * the test is done.
 */
export async function fixtureModel(options: FixtureOptions = {}): Promise<Vae> {
  const { seed, side, channels, latentDim, classes } =
    plainFixture(options) ?? parseOptions(fixtureSchema, options, 'fixtureModel()');
  // As Vae.create() would have it, without making the schemas that check what it is given.
  const opened = await makeModel({
    input: { kind: 'image', height: side, width: side, channels },
    architecture: { type: 'mlp', hidden: [8], activation: 'relu' },
    latentDim,
    likelihood: { type: 'bernoulli' },
    posterior: { type: 'gaussian' },
    prior: { type: 'standard' },
    objective: { type: 'elbo' },
    ...(classes !== undefined && { condition: { classes } }),
    seed,
    threads: 0,
    provider: 'cpu',
    deterministic: true,
  });
  return makeVae(opened);
}

/** What the schema makes of options with small whole numbers; undefined for all others, right or wrong. */
function plainFixture(options: FixtureOptions): z.output<typeof fixtureSchema> | undefined {
  const { seed = 1, side = 8, channels = 1, latentDim = 2, ...others } = options;
  const plain = Object.keys(others).length === 0 && [seed, side, channels, latentDim].every(Number.isSafeInteger);
  if (!plain || (seed as number) < 0 || side < 1 || side > 64 || channels < 1 || channels > 4) return undefined;
  return latentDim < 1 || latentDim > 64 ? undefined : { seed, side, channels, latentDim };
}

/**
 * So many rows for a model, float32 in 0 to 1: the same numbers for the same seed, by whole-number arithmetic.
 *
 * @throws VaeError ERR_VAE_OPTION for a shape with an open side.
 */
export function fixtureRows(
  shape: readonly number[],
  count: number,
  seed = 1,
): { readonly data: Float32Array<ArrayBuffer>; readonly shape: readonly number[] } {
  if (!shape.every((side) => Number.isSafeInteger(side) && side > 0) || !Number.isSafeInteger(count) || count < 1) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `fixtureRows(): expected whole sides from 1 and rows from 1, received [${shape}], ${count}.`,
    );
  }
  let state = (Math.imul(seed | 0, 0x9e37_79b1) ^ 0x5bd1_e995) >>> 0;
  const data = Float32Array.from({ length: count * elementCount(shape) }, () => {
    // xorshift32 (Marsaglia, Xorshift RNGs, 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0 || 1;
    return (state >>> 8) / 2 ** 24;
  });
  return { data, shape: [count, ...shape] };
}

const toleranceSchema = z.strictObject({
  /** Differences up to this are none. Default 1e-5. */
  absolute: z.number().min(0).default(1e-5),
  /** Nor up to this part of the expected value. Default 1e-5. */
  relative: z.number().min(0).default(1e-5),
});

export interface Tolerance extends InputOf<typeof toleranceSchema> {}

/** A tensor, an array with a shape, or a bare array of numbers. */
export type Numbers = Tensor | TensorLike | TypedArray | readonly number[];

/**
 * Holds numbers against others: shapes must be the same, values within the tolerance. Numbers of a model in float32
 * differ in their last digits from processor to processor.
 *
 * @throws VaeError ERR_VAE_DATA that names the first value that differs and how many do; ERR_VAE_SHAPE.
 */
export function expectClose(actual: Numbers, expected: Numbers, tolerance: Tolerance = {}): void {
  const { absolute, relative } = parseOptions(toleranceSchema, tolerance, 'expectClose()');
  const ours = dense(actual, 'actual');
  const theirs = dense(expected, 'expected');
  if (ours.dims.join() !== theirs.dims.join()) {
    throw new VaeError('ERR_VAE_SHAPE', `expectClose(): expected shape [${theirs.dims}], received [${ours.dims}].`);
  }
  let first = -1;
  let count = 0;
  let worst = 0;
  for (let at = 0; at < theirs.data.length; at += 1) {
    const is = Number(ours.data[at]);
    const should = Number(theirs.data[at]);
    if (Object.is(is, should) || Math.abs(is - should) <= absolute + relative * Math.abs(should)) continue;
    if (first < 0) first = at;
    count += 1;
    worst = Math.max(worst, Math.abs(is - should));
  }
  if (first < 0) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `expectClose(): ${count} of ${theirs.data.length} values differ by more than ${absolute} + ${relative} of the value; ` +
      `the first at index ${first}: expected ${theirs.data[first]}, received ${ours.data[first]}; the largest difference is ${worst}.`,
  );
}

/**
 * Holds an array against a .npy file, within a tolerance; writes the file where there is none. With
 * NODE_VAE_UPDATE_SNAPSHOTS=1 it is written anew; with CI in the environment a file that is missing is an error.
 */
export async function matchArray(path: string, actual: Numbers, tolerance: Tolerance = {}): Promise<void> {
  const { data, dims } = dense(actual, 'actual');
  if (await toBeWritten(path)) {
    await writeNpy(path, { data, shape: dims });
    return;
  }
  try {
    expectClose({ data, shape: dims }, await readNpy(path), tolerance);
  } catch (error) {
    if (!(error instanceof VaeError)) throw error;
    throw new VaeError(error.code, `${path}: ${error.message} ${UPDATE}`, { cause: error });
  }
}

/**
 * Holds bytes against a file: an archive, which is the same on every processor. Written as matchArray() writes.
 *
 * @throws VaeError ERR_VAE_DATA naming the first byte that differs.
 */
export async function matchBytes(path: string, actual: Uint8Array): Promise<void> {
  if (await toBeWritten(path)) {
    await writeFilesAtomically([{ path, chunks: [actual] }]);
    return;
  }
  const expected = await readFile(path).catch((error: unknown) => {
    throw ioError(error, `reading ${path}`);
  });
  if (Buffer.compare(expected, actual) === 0) return;
  const first = expected.findIndex((byte, at) => byte !== actual[at]);
  throw new VaeError(
    'ERR_VAE_DATA',
    `${path}: expected ${expected.length} bytes, received ${actual.length}, other ones from byte ${first < 0 ? expected.length : first} on. ${UPDATE}`,
  );
}

const UPDATE = 'If the change is meant, run the test once with NODE_VAE_UPDATE_SNAPSHOTS=1.';

async function toBeWritten(path: string): Promise<boolean> {
  const { NODE_VAE_UPDATE_SNAPSHOTS: update, CI: ci } = process.env;
  if (update === '1') return true;
  const missing = await readFile(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
  if (missing && ci !== undefined && ci !== '' && ci !== 'false') {
    throw new VaeError('ERR_VAE_IO', `${path}: there is no such file to hold the result against. ${UPDATE}`);
  }
  return missing;
}

function dense(numbers: Numbers, what: string): { readonly data: TypedArray; readonly dims: readonly number[] } {
  if (Array.isArray(numbers)) return { data: Float64Array.from(numbers as readonly number[]), dims: [numbers.length] };
  if (ArrayBuffer.isView(numbers)) return { data: numbers as TypedArray, dims: [(numbers as TypedArray).length] };
  return asDense(numbers, `expectClose(), ${what}`);
}
