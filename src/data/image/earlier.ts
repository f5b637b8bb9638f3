/**
 * Pictures as releases before `values: 'stored'` read them: to sRGB by their profiles, grey of linear light, 8 or 16 bits.
 * For models that were trained on such rows.
 */
import { VaeError } from '../../core/errors.js';
import { checkLimits } from './limits.js';
import type { PictureForm } from './pixels.js';
import type { StoredPixels } from './readers/stored.js';

export async function decodeEarlier(bytes: Uint8Array, name: string, form: PictureForm): Promise<StoredPixels> {
  const { default: sharp } = await import('sharp');
  const { colour, depth, size, longestSide } = form;
  const wide = depth === 16;
  try {
    const { width: across, height: down } = await sharp(bytes, { limitInputPixels: false }).metadata();
    checkLimits({ width: across, height: down, bytes: across * down * 4 }, form, name);
    let image = sharp(bytes, { failOn: 'warning', limitInputPixels: false }).autoOrient();
    image = colour === 'rgba' ? image.ensureAlpha() : image.flatten({ background: '#ffffff' });
    if (wide) image = image.toColourspace(colour === 'grey' ? 'grey16' : 'rgb16');
    else if (colour === 'grey') image = image.greyscale();
    else image = image.toColourspace('srgb');
    if (size) image = image.resize(size.width, size.height, { fit: size.fit, background: '#000000' });
    else if (longestSide) image = image.resize(longestSide, longestSide, { fit: 'inside', withoutEnlargement: true });
    const { data, info } = await image.raw({ depth: wide ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return {
      ...{ width, height, channels },
      colour: channels <= 2 ? 'grey' : 'rgb',
      alpha: channels === 2 || channels === 4,
      data: wide ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data,
    };
  } catch (cause) {
    if (cause instanceof VaeError) throw cause;
    const why = String((cause as Error).message)
      .split('\n')[0]!
      .replace(/[.\s]*$/, '');
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${name}: damaged, truncated or no picture (${why}). Remove or repair it, or have such files skipped (skipBad, --skip-bad).`,
      { cause },
    );
  }
}
