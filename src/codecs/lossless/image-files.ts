/** Image files of one size, decoded to bytes, channels first. */
import { extname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { type FoundFile, findFiles, namedLike } from '../../data/find-files.js';
import { encodePng as encodePixels, fromPlanes } from '../../data/image/encode.js';
import { PICTURES } from '../../data/image/formats.js';
import { decodePixels } from '../../data/image/pixels.js';
import { checkFits, type ItemSource } from './item-source.js';

export function isImagePath(path: string): boolean {
  return namedLike(path, PICTURES);
}

/**
 * Images from files and folders (searched through all levels), in order of their names. What comes
 * out again are PNG files with the same pixels.
 */
export async function openImages(paths: readonly string[], itemShape: readonly number[]): Promise<ItemSource> {
  const files = await imageFiles(paths);
  const [channels, height, width] = imageShape(itemShape);
  const size = channels * height * width;
  return {
    ...{ kind: 'images', rowShape: itemShape, count: files.length, byteLength: files.length * size },
    async read(from, count, signal) {
      const items = new Uint8Array(count * size);
      for (let index = 0; index < count; index += 1) {
        signal?.throwIfAborted();
        items.set(await readImage(files[from + index]!.file, itemShape), index * size);
      }
      return { items, count, names: files.slice(from, from + count).map(({ name }) => name) };
    },
    async close() {},
  };
}

/**
 * Image files and the names that they come out under, which end with .png.
 *
 * @throws VaeError ERR_VAE_DATA where there are none, or two would come out as one.
 */
export async function imageFiles(paths: readonly string[]): Promise<{ file: FoundFile; name: string }[]> {
  const files = await findFiles(paths, PICTURES);
  const names = files.map(({ within }) => `${within.slice(0, within.length - extname(within).length)}.png`);
  const twice = names.find((name, index) => names.indexOf(name) !== index && names.length < 10_000);
  if (twice !== undefined || new Set(names).size !== names.length) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `Two images would come out as "${twice ?? 'the same file'}"; rename one of them.`,
    );
  }
  return files.map((file, index) => ({ file, name: names[index]! }));
}

/** [channels, height, width] of an item that can be a picture. */
export function imageShape(itemShape: readonly number[]): [number, number, number] {
  const [channels, height, width] = itemShape.length === 2 ? [1, ...itemShape] : itemShape;
  if (itemShape.length > 3 || height === undefined || width === undefined || ![1, 3, 4].includes(channels!)) {
    throw new VaeError('ERR_VAE_SHAPE', `Items of shape [${itemShape.join(', ')}] are not images.`);
  }
  return [channels!, height, width];
}

/** Pixels of an image file, channels first. */
export async function readImage(file: FoundFile, itemShape: readonly number[]): Promise<Uint8Array> {
  const { name } = file;
  const { width, height, channels: stored, data, pages, colour } = await decodePixels(file);
  if (!(data instanceof Uint8Array) || (colour !== 'grey' && colour !== 'rgb')) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name} has ${colour} values of type ${data.constructor.name}; codecs are for grey and RGB of 8 bits.`,
    );
  }
  if (pages > 1)
    throw new VaeError('ERR_VAE_DATA', `${name} has ${pages} pages or frames; codecs are for single pictures.`);
  const [channels] = imageShape(itemShape);
  checkFits([channels, height, width], itemShape, name);
  return toPlanes(data, stored, channels, name);
}

/**
 * [height, width, stored] to [channels, height, width]. Files may hold more channels than the model:
 * grey as three equal colours, or an opaque alpha. Nothing is left out that carries anything.
 */
function toPlanes(data: Uint8Array, stored: number, channels: number, path: string): Uint8Array {
  const pixels = data.length / stored;
  const planes = new Uint8Array(pixels * channels);
  const colours = stored === 2 || stored === 4 ? stored - 1 : stored;
  const wanted = channels === 4 ? 3 : channels;
  const refuse = (what: string) =>
    new VaeError(
      'ERR_VAE_SHAPE',
      `${path} ${what}; the model's items have ${channels} ${channels === 1 ? 'channel' : 'channels'}.`,
    );
  if (colours < wanted && colours !== 1) throw refuse(`has ${stored} channels`);
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const from = pixel * stored;
    for (let channel = 0; channel < wanted; channel += 1) {
      planes[channel * pixels + pixel] = data[from + Math.min(channel, colours - 1)]!;
    }
    for (let channel = wanted; channel < colours; channel += 1) {
      if (data[from + channel] !== data[from]) throw refuse('has colours');
    }
    const alpha = colours < stored ? data[from + colours]! : 255;
    if (channels === 4) planes[3 * pixels + pixel] = alpha;
    else if (alpha !== 255) throw refuse('has transparent parts');
  }
  return planes;
}

/** A PNG of one item. */
export function encodePng(item: Uint8Array, itemShape: readonly number[]): Promise<Buffer> {
  const [channels, height, width] = imageShape(itemShape);
  return encodePixels({ data: fromPlanes(item, channels), width, height, channels: channels as 1 | 3 | 4 });
}
