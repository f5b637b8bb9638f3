import type { ArrayWithShape } from '../../core/tensor.js';
import { encodePng } from '../../data/image/encode.js';
import { type Pictures, pixelsOf, toPictures } from './pixels.js';

/** One picture as a PNG file. */
export async function pictureToPng(pictures: Pictures, index: number): Promise<Uint8Array> {
  const { width, height, channels } = pictures;
  return encode(pixelsOf(pictures, index), width, height, channels);
}

export interface GridOptions {
  /** Pictures in a row. Default: as many as make the grid about square. */
  readonly columns?: number;
  /** Empty pixels between pictures. Default 2. */
  readonly gap?: number;
}

/**
 * All pictures side by side in one PNG file, without scaling.
 *
 * @param images [N, channels, height, width], uint8 0 to 255 or floating-point 0 to 1.
 * @throws VaeError ERR_VAE_SHAPE for other shapes.
 */
export async function imageGrid(images: ArrayWithShape, options: GridOptions = {}): Promise<Uint8Array> {
  const pictures = toPictures(images, 'imageGrid()');
  const { count, width, height, channels } = pictures;
  const columns = Math.min(count, options.columns ?? Math.ceil(Math.sqrt(count)));
  const gap = options.gap ?? 2;
  const rows = Math.ceil(count / columns);
  const totalWidth = columns * width + (columns - 1) * gap;
  const totalHeight = rows * height + (rows - 1) * gap;
  const sheet = new Uint8Array(totalWidth * totalHeight * channels).fill(255);
  for (let index = 0; index < count; index += 1) {
    const left = (index % columns) * (width + gap);
    const top = Math.floor(index / columns) * (height + gap);
    const pixels = pixelsOf(pictures, index);
    for (let y = 0; y < height; y += 1) {
      const line = pixels.subarray(y * width * channels, (y + 1) * width * channels);
      sheet.set(line, ((top + y) * totalWidth + left) * channels);
    }
  }
  return encode(sheet, totalWidth, totalHeight, channels);
}

/** One picture of [channels, height, width] or [height, width] as a PNG file. */
export async function imageToPng({ data, shape }: ArrayWithShape): Promise<Uint8Array> {
  return pictureToPng(toPictures({ data, shape: [1, ...shape] }, 'imageToPng()'), 0);
}

function encode(data: Uint8Array, width: number, height: number, channels: 1 | 3 | 4): Promise<Uint8Array> {
  return encodePng({ data, width, height, channels }, { compressionLevel: 9 });
}
