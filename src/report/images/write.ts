import { join } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { writeFilesAtomically } from '../../core/files.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import { toPictures } from './pixels.js';
import { type GridOptions, imageGrid, pictureToPng } from './png.js';

/**
 * Writes pictures: all in one grid where the path ends in `.png`, else one file each in a folder of
 * that name, numbered from 0 (`0000.png`, …).
 *
 * @param images [N, channels, height, width], uint8 0 to 255 or floating-point 0 to 1.
 * @returns the paths written.
 * @throws VaeError ERR_VAE_SHAPE for other shapes, ERR_VAE_OPTION for other endings, ERR_VAE_IO where
 *   the files cannot be written.
 */
export async function writeImages(path: string, images: ArrayWithShape, options: GridOptions = {}): Promise<string[]> {
  if (/\.png$/i.test(path)) {
    await writeFilesAtomically([{ path, chunks: [await imageGrid(images, options)] }]);
    return [path];
  }
  // Anything else that looks like an ending is another format, and no folder's name.
  if (/\.[a-z][a-z0-9]{1,7}$/i.test(path)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `Pictures are written as PNG: expected a path ending in .png or a folder, received "${path}".`,
    );
  }
  const pictures = toPictures(images, 'writeImages()');
  const digits = Math.max(4, String(pictures.count - 1).length);
  const paths: string[] = [];
  for (let index = 0; index < pictures.count; index += 1) {
    const file = join(path, `${String(index).padStart(digits, '0')}.png`);
    await writeFilesAtomically([{ path: file, chunks: [await pictureToPng(pictures, index)] }]);
    paths.push(file);
  }
  return paths;
}
