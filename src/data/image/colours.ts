/** Stored channels to those of rows. */

import { VaeError } from '../../core/errors.js';
import { luma, lumaOfBytes } from './luma.js';
import type { StoredPixels } from './readers/stored.js';
import type { Colour } from './recipe.js';

/**
 * [height, width, stored] to [grey, rgb or rgba, height, width], values unchanged where no colours are: grey stands for
 * all three; of colours, grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded as Pillow does where values are
 * bytes; CMYK without a profile is (1 − C)(1 − K); transparency is laid on white.
 *
 * @throws VaeError ERR_VAE_DATA for pixels of other bands.
 */
export function inColours<T extends Uint8Array | Float32Array>(
  pixels: StoredPixels,
  colour: Colour,
  out: T,
  name: string,
): T {
  const { data, channels, colour: model, alpha, width, height } = pixels;
  const plane = width * height;
  const bytes = data instanceof Uint8Array;
  const full = bytes ? 255 : data instanceof Uint16Array ? 65535 : 1;
  const colours = channels - (alpha ? 1 : 0);
  if (model === 'bands' || (colours !== 1 && colours !== 3 && !(model === 'cmyk' && colours === 4))) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name}: has ${channels} bands a pixel; pictures have grey, RGB or CMYK. Save the bands as .npy, [rows, ${channels}, ${height}, ${width}].`,
    );
  }
  const round = out instanceof Uint8Array;
  if (!alpha && colours === 1) {
    for (let at = 0; at < plane; at += 1) out[at] = data[at]!;
    if (colour !== 'grey') for (const copy of [1, 2]) out.copyWithin(copy * plane, 0, plane);
  } else {
    for (let pixel = 0, at = 0; pixel < plane; pixel += 1, at += channels) {
      let red = data[at]!;
      let green = colours === 1 ? red : data[at + 1]!;
      let blue = colours === 1 ? red : data[at + 2]!;
      if (colours === 4) {
        const rest = (full - data[at + 3]!) / full;
        red = (full - red) * rest;
        green = (full - green) * rest;
        blue = (full - blue) * rest;
      }
      if (alpha && colour !== 'rgba') {
        const part = data[at + colours]! / full;
        const white = full * (1 - part);
        red = red * part + white;
        green = green * part + white;
        blue = blue * part + white;
      }
      if (round && (alpha || colours === 4)) {
        red = Math.round(red);
        green = Math.round(green);
        blue = Math.round(blue);
      }
      if (colour === 'grey') {
        out[pixel] = colours === 1 ? red : bytes ? lumaOfBytes(red, green, blue) : luma(red, green, blue);
      } else {
        out[pixel] = red;
        out[plane + pixel] = green;
        out[2 * plane + pixel] = blue;
      }
    }
  }
  if (colour === 'rgba') {
    const to = 3 * plane;
    if (!alpha) out.fill(full, to);
    else for (let pixel = 0; pixel < plane; pixel += 1) out[to + pixel] = data[pixel * channels + colours]!;
  }
  return out;
}
