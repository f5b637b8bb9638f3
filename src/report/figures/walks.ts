/** Pictures along paths through the latent space. */
import type { ArrayWithShape } from '../../core/tensor.js';
import type { Figure } from '../figure.js';
import { toPictures } from '../images/pixels.js';
import { drawStrips } from '../images/strips.js';

export interface TraversalsOptions {
  /** Numbers of the dimensions that move, one for each strip. */
  readonly dimensions: readonly number[];
  /** Least and largest value of the moving dimension. */
  readonly range: readonly [number, number];
}

/**
 * One dimension moves in each strip, the others stay.
 *
 * @param images [dimensions · steps, channels, height, width], strip after strip; uint8 0 to 255 or floats 0 to 1.
 */
export function traversals(images: ArrayWithShape, { dimensions, range }: TraversalsOptions): Figure {
  const pictures = toPictures(images, 'traversals()');
  const steps = pictures.count / dimensions.length;
  return {
    id: 'traversals',
    title: 'Latent traversals',
    caption:
      `Each strip moves one latent dimension from ${range[0]} to ${range[1]} standard deviations of the prior, while the others stay as ` +
      'they are for one example. Dimensions that carry most come first.',
    description: `${dimensions.length} strips of ${steps} pictures, each along one latent dimension.`,
    draw: (layout) =>
      drawStrips(pictures, layout, {
        perStrip: steps,
        labels: dimensions.map((dimension) => `z${dimension}`),
        columns: [`${range[0]}`, '0', `+${range[1]}`],
      }),
  };
}

/**
 * From one example to another through the latent space.
 *
 * @param images [strips · steps, channels, height, width], strip after strip; the first and last of a strip are
 *   reconstructions of examples.
 */
export function interpolations(images: ArrayWithShape, steps: number): Figure {
  const pictures = toPictures(images, 'interpolations()');
  return {
    id: 'interpolations',
    title: 'Interpolations',
    caption:
      'From the latent of one example (left) to that of another (right) in even steps, each decoded. Where the latent space is well ' +
      'filled, everything between looks like data.',
    description: `${pictures.count / steps} strips of ${steps} pictures.`,
    draw: (layout) => drawStrips(pictures, layout, { perStrip: steps, columns: ['one example', 'halfway', 'another'] }),
  };
}

/**
 * The plane of two latent dimensions, decoded at the quantiles of the prior.
 *
 * @param images [n · n, channels, height, width], rows from the top.
 * @param range least and largest value of both dimensions, for the axes.
 */
export function manifold(images: ArrayWithShape, range?: readonly [number, number]): Figure {
  const pictures = toPictures(images, 'manifold()');
  const side = Math.round(Math.sqrt(pictures.count));
  return {
    id: 'manifold',
    title: 'The latent plane',
    caption:
      'Decoded points of the plane of both latent dimensions, at evenly spaced quantiles of the prior: each place is as likely as any other ' +
      '(Kingma and Welling 2014, figure 4). z0 grows to the right, z1 upwards.',
    description: `${side} by ${side} pictures over the latent plane.`,
    draw: (layout) => {
      const values = range && [range[0], 0, range[1]].map((value) => value.toFixed(1).replace('-', '−'));
      return drawStrips(pictures, layout, {
        perStrip: side,
        gap: 0,
        largest: layout.width / side,
        ...(values && {
          columns: values.map((value) => `z0 = ${value}`),
          labels: pictureRows(side, values),
        }),
      });
    },
  };
}

/** Names of the first, the middle and the last row, from the top. */
function pictureRows(side: number, [low, middle, high]: readonly string[]): string[] {
  const labels = new Array<string>(side).fill('');
  labels[0] = `z1 = ${high}`;
  labels[Math.floor(side / 2)] = `z1 = ${middle}`;
  labels[side - 1] = `z1 = ${low}`;
  return labels;
}

/**
 * Clips as strips of frames, each original above what the model makes of it.
 *
 * @param originals [N, channels, frames, height, width]
 */
export function contactSheet(
  originals: ArrayWithShape,
  rebuilt: ArrayWithShape,
  labels: readonly [string, string],
): Figure {
  const [count, channels, frames, height, width] = originals.shape as [number, number, number, number, number];
  const size = channels * frames * height * width;
  const all = new Float32Array(2 * count * size);
  const plane = height * width;
  for (const [which, { data }] of [originals, rebuilt].entries()) {
    const scale = data instanceof Uint8Array ? 1 / 255 : 1;
    for (let row = 0; row < count; row += 1) {
      for (let frame = 0; frame < frames; frame += 1) {
        for (let channel = 0; channel < channels; channel += 1) {
          const from = row * size + (channel * frames + frame) * plane;
          const to = (((2 * row + which) * frames + frame) * channels + channel) * plane;
          for (let at = 0; at < plane; at += 1) all[to + at] = Number(data[from + at]) * scale;
        }
      }
    }
  }
  const pictures = toPictures({ data: all, shape: [2 * count * frames, channels, height, width] }, 'contactSheet()');
  return {
    id: 'clips',
    title: 'Clips and what the model makes of them',
    caption:
      'Each pair of strips is one clip, frame by frame from left to right: the original, and its reconstruction below.',
    description: `${count} clips of ${frames} frames, each above its reconstruction.`,
    draw: (layout) =>
      drawStrips(pictures, layout, {
        perStrip: frames,
        labels: Array.from({ length: 2 * count }, (_, index) => labels[index % 2]!),
        columns: ['first frame', 'last frame'],
      }),
  };
}
