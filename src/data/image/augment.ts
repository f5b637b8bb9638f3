import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { Dataset } from '../dataset.js';
import { type Draw, Passes, rowDraws } from '../rows/draws.js';
import { allocateRows, type RowArray } from '../values.js';
import { luma } from './luma.js';

const augmentSchema = z.strictObject({
  /** Mirrors half of the rows: `true` or `horizontal` left to right, `vertical` top to bottom, `both` either way. */
  flip: z.union([z.boolean(), z.enum(['horizontal', 'vertical', 'both'])]).default(false),
  /** Cuts off up to this part of the sides at a random place, and brings the rest back to size. */
  crop: z.number().min(0).max(0.9).default(0),
  /** Adds up to this part of the range of values, or takes it away. */
  brightness: z.number().min(0).max(1).default(0),
  /** Stretches values around their mean by up to this part, or brings them closer. */
  contrast: z.number().min(0).max(1).default(0),
  /** The same for colours around their grey; of rows with three channels or more. */
  saturation: z.number().min(0).max(1).default(0),
  /** Default 0. The same seed gives the same sequence of pictures. */
  seed: z.int().min(0).default(0),
});

type Resolved = z.output<typeof augmentSchema>;

/** How rows of pictures may differ from pass to pass. Everything is off by default. */
export interface AugmentOptions extends InputOf<typeof augmentSchema> {}

/**
 * Pictures that differ a little every time they are read, for training: a row's k-th reading is decided by
 * seed, row and k alone. Rows are [channels, height, width]; values are kept within 0 to 255 (uint8) or
 * 0 to 1 (float32). The alpha channel keeps its values.
 *
 * @throws VaeError ERR_VAE_SHAPE for rows that are no pictures, ERR_VAE_OPTION.
 */
export function augmentImages(dataset: Dataset, options: AugmentOptions): Dataset {
  const resolved = parseOptions(augmentSchema, options, 'augmentImages()');
  const [channels, height, width] = dataset.rowShape;
  if (dataset.rowShape.length !== 3) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `augmentImages(): expected rows [channels, height, width], received [${dataset.rowShape.join(', ')}].`,
    );
  }
  const passes = new Passes(dataset.length);
  const shape = { channels: channels!, height: height!, width: width! };
  return dataset
    .map(
      (row, index, pass) => change(row, shape, resolved, rowDraws(resolved.seed, index, pass ?? passes.next(index))),
      {
        dtype: dataset.dtype,
      },
    )
    .withRecipe(dataset.recipe);
}

interface Shape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Every draw is made whether it is used or not, so that one setting does not move the others. */
function change(row: RowArray, shape: Shape, options: Resolved, draw: Draw): RowArray {
  const flipX = draw() < 0.5 && (options.flip === true || options.flip === 'horizontal' || options.flip === 'both');
  const flipY = draw() < 0.5 && (options.flip === 'vertical' || options.flip === 'both');
  const kept = 1 - options.crop * draw();
  const [left, top] = [draw() * (1 - kept), draw() * (1 - kept)];
  const brightness = options.brightness * (2 * draw() - 1);
  const contrast = 1 + options.contrast * (2 * draw() - 1);
  const saturation = 1 + options.saturation * (2 * draw() - 1);
  const values = resample(row, shape, { flipX, flipY, kept, left, top });
  adjust(values, shape, row instanceof Uint8Array ? 255 : 1, brightness, contrast, saturation);
  if (!(row instanceof Uint8Array)) return values;
  const out = allocateRows('uint8', row.length);
  for (let index = 0; index < row.length; index += 1) out[index] = Math.round(values[index]!);
  return out;
}

interface Place {
  readonly flipX: boolean;
  readonly flipY: boolean;
  /** Part of each side that stays. */
  readonly kept: number;
  readonly left: number;
  readonly top: number;
}

/** Bilinear, with pixel centres at half numbers; exact where nothing is cut off. */
function resample(row: RowArray, { channels, height, width }: Shape, place: Place): Float32Array {
  const columns = axisSamples(width, place.left, place.kept, place.flipX);
  const lines = axisSamples(height, place.top, place.kept, place.flipY);
  const out = new Float32Array(row.length);
  for (let channel = 0; channel < channels; channel += 1) {
    const plane = channel * height * width;
    for (let y = 0; y < height; y += 1) {
      const { low: y0, high: y1, part: v } = lines[y]!;
      for (let x = 0; x < width; x += 1) {
        const { low: x0, high: x1, part: u } = columns[x]!;
        const above = row[plane + y0 * width + x0]! * (1 - u) + row[plane + y0 * width + x1]! * u;
        const below = row[plane + y1 * width + x0]! * (1 - u) + row[plane + y1 * width + x1]! * u;
        out[plane + y * width + x] = above * (1 - v) + below * v;
      }
    }
  }
  return out;
}

function axisSamples(
  length: number,
  start: number,
  kept: number,
  flipped: boolean,
): { low: number; high: number; part: number }[] {
  return Array.from({ length }, (_, index) => {
    const at = flipped ? length - 1 - index : index;
    const position = Math.min(length - 1, Math.max(0, start * length + (at + 0.5) * kept - 0.5));
    const low = Math.floor(position);
    return { low, high: Math.min(length - 1, low + 1), part: position - low };
  });
}

function adjust(
  values: Float32Array,
  { channels, height, width }: Shape,
  range: number,
  brightness: number,
  contrast: number,
  saturation: number,
): void {
  const plane = height * width;
  const colours = channels === 4 ? 3 : channels;
  const used = colours * plane;
  if (colours === 3 && saturation !== 1) {
    for (let pixel = 0; pixel < plane; pixel += 1) {
      const grey = luma(values[pixel]!, values[plane + pixel]!, values[2 * plane + pixel]!);
      for (let at = pixel; at < used; at += plane) values[at] = grey + (values[at]! - grey) * saturation;
    }
  }
  let sum = 0;
  for (let index = 0; index < used; index += 1) sum += values[index]!;
  const mean = sum / used;
  for (let index = 0; index < used; index += 1) {
    const value = mean + (values[index]! - mean) * contrast + brightness * range;
    values[index] = Math.min(range, Math.max(0, value));
  }
}
