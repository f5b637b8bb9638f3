/** Picture files to rows: channels first, of the sides, colours and values of a recipe. */
import { VaeError } from '../../core/errors.js';
import { readFoundFile } from '../find-files.js';
import type { RowArray } from '../values.js';
import { inColours } from './colours.js';
import { decodeEarlier } from './earlier.js';
import { decodePixels, type PictureForm, type PictureSource } from './pixels.js';
import type { StoredPixels } from './readers/stored.js';
import { CHANNELS, type ImageRecipe } from './recipe.js';

export interface Picture {
  readonly data: RowArray;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Decodes one page of a picture, upright, channels first: bytes with `depth` 8, float32 fractions with 16, the values
 * themselves with 32. Transparency is laid on white unless the colour is `rgba`.
 *
 * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_DATA, as decodePixels(); ERR_VAE_DATA also for values that do not fit.
 */
export async function decodePicture(source: PictureSource, form: PictureForm, signal?: AbortSignal): Promise<Picture> {
  const earlier = form.values === undefined && form.range === undefined && form.depth !== 32;
  const stored = earlier
    ? await decodeEarlier('bytes' in source ? source.bytes : await readFoundFile(source, signal), source.name, form)
    : await decodePixels(source, { ...form, signal });
  const channels = CHANNELS[form.colour];
  const { width, height } = stored;
  return { data: rowOf(stored, form, source.name), channels, height, width };
}

/** Values of stored pixels as a recipe wants them. */
function rowOf(pixels: StoredPixels, form: PictureForm, name: string): RowArray {
  const { data } = pixels;
  const { colour, depth, range, clip } = form;
  const bytes = data instanceof Uint8Array;
  if (depth === 8 && bytes && !clip) return inColours(pixels, colour, new Uint8Array(sizeOf(pixels, colour)), name);
  const values = inColours(pixels, colour, new Float32Array(sizeOf(pixels, colour)), name);
  if (depth === 32) return finite(values, pixels, name);
  const [low, high] = (bytes && !clip ? [0, 255] : range) ?? fullRange(pixels, name);
  const scale = 1 / (high - low);
  const top = depth === 8 ? 255 : 1;
  const out = depth === 8 ? new Uint8Array(values.length) : values;
  // The last channel of `rgba` has a range of its own, in which inColours() leaves it.
  const measured = colour === 'rgba' ? (values.length / 4) * 3 : values.length;
  finite(values, pixels, name);
  for (let at = 0; at < measured; at += 1) {
    const value = values[at]!;
    if (!clip && (value < low || value > high)) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${name}: a value is ${value}, and this data goes from ${low} to ${high}. Give the range that all have: range (--range LOW,HIGH).`,
      );
    }
    const fraction = Math.min(1, Math.max(0, (value - low) * scale));
    out[at] = depth === 8 ? Math.round(fraction * top) : fraction;
  }
  for (let at = measured; at < values.length; at += 1) {
    const fraction = values[at]! / (bytes ? 255 : 65535);
    out[at] = depth === 8 ? Math.round(fraction * top) : fraction;
  }
  return out;
}

function sizeOf({ width, height }: StoredPixels, colour: ImageRecipe['colour']): number {
  return width * height * CHANNELS[colour];
}

function fullRange({ data }: StoredPixels, name: string): readonly [number, number] {
  if (data instanceof Uint8Array) return [0, 255];
  if (data instanceof Uint16Array) return [0, 65535];
  throw new VaeError(
    'ERR_VAE_DATA',
    `${name}: its values are no whole numbers from 0; say which become 0 and 1 with range (--range LOW,HIGH), or keep them with depth 32.`,
  );
}

/** @throws VaeError ERR_VAE_DATA naming the place of the first value that is no number. */
function finite(values: Float32Array, { width, height }: StoredPixels, name: string): Float32Array {
  for (let at = 0; at < values.length; at += 1) {
    if (Number.isFinite(values[at])) continue;
    const pixel = at % (width * height);
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name}: the value at column ${pixel % width}, row ${Math.floor(pixel / width)} is ${values[at]}. Replace such values first, or have such files skipped (skipBad, --skip-bad).`,
    );
  }
  return values;
}
