/** Random crops of pictures for training: turned, mirrored, some of them in grey. */
import { VaeError } from '../../core/errors.js';
import { Dataset } from '../../data/dataset.js';
import { luma } from '../../data/image/luma.js';
import { customRows } from '../../data/rows/custom.js';
import { type Draw, rowDraws } from '../../data/rows/draws.js';
import { PIXEL_CHANNELS } from './networks.js';
import { checkPicture, type Picture } from './picture.js';

const GREY_SHARE = 0.15;

export interface CropSetting {
  readonly cropSize: number;
  readonly seed: bigint;
  /** Rows of the dataset, and how many levels they are given in turn. */
  readonly rows: number;
  readonly levels: number;
}

/**
 * Rows [3, size, size] of bytes, drawn anew in every pass by seed, row and pass alone; labels are levels. Larger
 * pictures are taken more often.
 *
 * @param pictures at least one, none smaller than a crop; borrowed.
 */
export function cropRows(pictures: readonly Picture[], { cropSize, seed, rows, levels }: CropSetting): Dataset {
  checkPictures(pictures, cropSize);
  const size = PIXEL_CHANNELS * cropSize * cropSize;
  const key = Number(seed & 0x1f_ffff_ffff_ffffn);
  return new Dataset(
    customRows(
      {
        length: rows,
        rowShape: [PIXEL_CHANNELS, cropSize, cropSize],
        dtype: 'uint8',
        // In turn, so that every batch has its share of each.
        labels: Int32Array.from({ length: rows }, (_, row) => row % levels),
        read: (wanted, _, pass = 0) => {
          const out = new Uint8Array(wanted.length * size);
          for (let index = 0; index < wanted.length; index += 1) {
            const draw = rowDraws(key, wanted[index]!, pass);
            crop(pictures, draw, cropSize, out.subarray(index * size, (index + 1) * size));
          }
          return out;
        },
      },
      'trainLossy()',
    ),
  );
}

function checkPictures(pictures: readonly Picture[], cropSize: number): void {
  if (pictures.length === 0) {
    throw new VaeError('ERR_VAE_OPTION', 'trainLossy(): expected at least one picture, received none.');
  }
  for (const [index, picture] of pictures.entries()) {
    checkPicture(picture, `trainLossy(), picture ${index}`);
    if (Math.min(picture.width, picture.height) >= cropSize) continue;
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `trainLossy(): picture ${index} has ${picture.width} × ${picture.height} pixels, less than a crop of ${cropSize}. ` +
        'Leave it out, or train on smaller crops (cropSize).',
    );
  }
}

/** A random part of a random picture into [3, size, size]. */
function crop(pictures: readonly Picture[], draw: Draw, size: number, into: Uint8Array): void {
  const weights = pictures.map(({ width, height }) => Math.sqrt(width * height));
  let rest = draw() * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => {
    rest -= weight;
    return rest < 0;
  });
  const { width, height, channels, data } = pictures[found < 0 ? pictures.length - 1 : found]!;
  const top = Math.floor(draw() * (height - size + 1));
  const left = Math.floor(draw() * (width - size + 1));
  const [mirrored, turned, grey] = [draw() < 0.5, draw() < 0.5, draw() < GREY_SHARE];
  const plane = size * size;
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const y = top + (turned ? column : row);
      const x = left + (turned ? row : column);
      const from = (y * width + x) * channels;
      const at = row * size + (mirrored ? size - 1 - column : column);
      for (let channel = 0; channel < PIXEL_CHANNELS; channel += 1) {
        into[channel * plane + at] = data[from + (channels === 1 ? 0 : channel)]!;
      }
      if (!grey) continue;
      const value = Math.round(luma(into[at]!, into[plane + at]!, into[2 * plane + at]!));
      for (let channel = 0; channel < PIXEL_CHANNELS; channel += 1) into[channel * plane + at] = value;
    }
  }
}
