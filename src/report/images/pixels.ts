/** Arrays as pictures. */
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { ArrayWithShape } from '../../core/tensor.js';

/** Pictures one after another, 8 bits a channel, channels last: what picture files hold. */
export interface Pictures {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

/**
 * Takes [N, channels, height, width] or [N, height, width], uint8 from 0 to 255 or floating-point from 0
 * to 1; what lies outside is clipped.
 *
 * @throws VaeError ERR_VAE_SHAPE for other shapes; pictures have 1, 3 or 4 channels.
 */
export function toPictures({ data, shape }: ArrayWithShape, where: string): Pictures {
  const [count, channels, height, width] = shape.length === 3 ? [shape[0], 1, shape[1], shape[2]] : shape;
  if (shape.length < 3 || shape.length > 4 || (channels !== 1 && channels !== 3 && channels !== 4)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: pictures have the shape [N, channels, height, width] with 1, 3 or 4 channels, received [${shape.join(', ')}].`,
    );
  }
  const scale = data instanceof Uint8Array || data instanceof Uint8ClampedArray ? 1 : 255;
  const out = new Uint8ClampedArray(elementCount(shape));
  const plane = height! * width!;
  for (let picture = 0; picture < count!; picture += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const from = (picture * channels + channel) * plane;
      const to = picture * plane * channels + channel;
      // A clamped array rounds and clips by itself.
      for (let pixel = 0; pixel < plane; pixel += 1) out[to + pixel * channels] = Number(data[from + pixel]) * scale;
    }
  }
  return { count: count!, width: width!, height: height!, channels, data: new Uint8Array(out.buffer) };
}

/** The pixels of one picture, a view. */
export function pixelsOf({ data, width, height, channels }: Pictures, index: number): Uint8Array {
  const size = width * height * channels;
  return data.subarray(index * size, (index + 1) * size);
}
