/** Arrays brought to mean 0 and deviation 1: how, kept with the model that learns them. */
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import { memoryRows } from '../rows/memory.js';
import { type ArrayRecipe, scaleRows } from './recipe.js';

/**
 * The rows with each value of a vector, or each channel of rows with more axes, at mean 0 and deviation 1; bytes as the
 * numbers they are. Values that never change become 0.
 *
 * @param recipe that of other data, which these rows are to be brought into line with.
 * @throws VaeError ERR_VAE_SHAPE where the recipe is of rows of another shape; ERR_VAE_OPTION for rows that files became by
 *   a recipe of their own.
 */
export async function standardised(data: Dataset, recipe?: ArrayRecipe, signal?: AbortSignal): Promise<Dataset> {
  if (data.recipe?.kind === 'array') return data;
  if (data.recipe !== undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `standardise: these rows came from files of the kind "${data.recipe.kind}", whose recipe scales them; standardise is for arrays.`,
    );
  }
  const { memory } = await data.toMemory(signal);
  const { rowShape } = data;
  const found = recipe ?? measure(memory!, rowShape);
  if (elementCount(found.shape) !== elementCount(rowShape)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `The model's data has rows of shape [${found.shape.join(', ')}], received rows of [${rowShape.join(', ')}].`,
    );
  }
  const out = new Float32Array(memory!.length);
  out.set(memory!);
  scaleRows(out, 0, found, 'in');
  const { labels, names, notes } = data;
  const rows = memoryRows(out, { rowShape, recipe: found, notes });
  return new Dataset({ ...rows, ...(labels && { labels }), ...(names && { names }) });
}

function measure(values: Uint8Array | Float32Array, shape: readonly number[]): ArrayRecipe {
  const size = elementCount(shape);
  // Of a picture without an axis of channels, all of it.
  const channels = shape.length === 1 ? size : shape.length === 2 ? 1 : shape[0]!;
  const run = size / channels;
  const first = Float64Array.from({ length: channels }, (_, channel) => values[channel * run]!);
  const sums = new Float64Array(channels);
  const each = (work: (value: number, channel: number) => void): void => {
    for (let start = 0; start < values.length; start += run) {
      const channel = (start / run) % channels;
      for (let index = start; index < start + run; index += 1) work(values[index]!, channel);
    }
  };
  each((value, channel) => {
    sums[channel]! += value - first[channel]!;
  });
  const count = values.length / channels;
  const mean = Array.from(sums, (sum, channel) => first[channel]! + sum / count);
  const squares = new Float64Array(channels);
  each((value, channel) => {
    squares[channel]! += (value - mean[channel]!) ** 2;
  });
  const deviation = Array.from(squares, (sum, channel) => Math.sqrt(sum / count) || Math.abs(mean[channel]!) || 1);
  const bad = deviation.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `standardise: the deviation of values ${bad} is ${describeValue(deviation[bad])}.`,
    );
  }
  return { kind: 'array', shape: [...shape], mean, deviation };
}
