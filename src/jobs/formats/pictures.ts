/** Rows as picture files. */
import { encodePng } from '../../data/image/encode.js';
import { toPictures } from '../../report/images/pixels.js';

/** [channels, height, width] or [height, width], 0 to 1, as PNG. */
export async function pictureBytes(data: Float32Array, dims: readonly number[]): Promise<Uint8Array> {
  const { data: pixels, width, height, channels } = toPictures({ data, shape: [1, ...dims] }, 'a row');
  return encodePng({ data: pixels, width, height, channels });
}
