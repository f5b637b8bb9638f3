/** Picture files, and pictures as PNG. */
import { VaeError } from '../../core/errors.js';
import type { Picture } from './picture.js';

/**
 * An 8-bit grey or colour picture, turned as its EXIF says.
 *
 * @throws VaeError ERR_VAE_FORMAT for what is no picture, ERR_VAE_DATA for more than 8 bits or
 *   transparent parts.
 */
export async function readPicture(path: string): Promise<Picture> {
  const { default: sharp } = await import('sharp');
  try {
    const image = sharp(path);
    const { depth, hasAlpha, space } = await image.metadata();
    if (depth !== 'uchar') {
      throw new VaeError('ERR_VAE_DATA', `${path} has pixels of type ${depth}; lossy compression is for 8 bits.`);
    }
    if (hasAlpha && !(await image.stats()).isOpaque) {
      throw new VaeError('ERR_VAE_DATA', `${path} has transparent parts, which lossy compression does not keep.`);
    }
    const grey = space === 'b-w';
    const plain = image
      .rotate()
      .removeAlpha()
      .toColourspace(grey ? 'b-w' : 'srgb');
    const { data, info } = await plain.raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels === 1 ? 1 : 3, data };
  } catch (cause) {
    if (cause instanceof VaeError) throw cause;
    throw new VaeError('ERR_VAE_FORMAT', `${path} could not be read as an image: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

export async function pictureToPng({ data, width, height, channels }: Picture): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const image = sharp(data, { raw: { width, height, channels } });
  return (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
}
