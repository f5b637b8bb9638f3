/** Image files of one size, decoded to bytes, channels first. */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, sep } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { checkFits, type ItemSource } from './item-source.js';

const EXTENSIONS = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp']);

export function isImagePath(path: string): boolean {
  return EXTENSIONS.has(extname(path).toLowerCase());
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
        items.set(await readImage(files[from + index]!.path, itemShape), index * size);
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
export async function imageFiles(paths: readonly string[]): Promise<{ path: string; name: string }[]> {
  const files: { path: string; name: string }[] = [];
  for (const path of paths) files.push(...(await filesOf(path)));
  if (files.length === 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${paths.join(', ')}: no images there. Known are ${[...EXTENSIONS].join(', ')}.`,
    );
  }
  const names = files.map(({ name }) => `${name.slice(0, name.length - extname(name).length)}.png`);
  const twice = names.find((name, index) => names.indexOf(name) !== index && names.length < 10_000);
  if (twice !== undefined || new Set(names).size !== names.length) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `Two images would come out as "${twice ?? 'the same file'}"; rename one of them.`,
    );
  }
  return files.map(({ path }, index) => ({ path, name: names[index]! }));
}

/** [channels, height, width] of an item that can be a picture. */
export function imageShape(itemShape: readonly number[]): [number, number, number] {
  const [channels, height, width] = itemShape.length === 2 ? [1, ...itemShape] : itemShape;
  if (itemShape.length > 3 || height === undefined || width === undefined || ![1, 3, 4].includes(channels!)) {
    throw new VaeError('ERR_VAE_SHAPE', `Items of shape [${itemShape.join(', ')}] are not images.`);
  }
  return [channels!, height, width];
}

async function filesOf(path: string): Promise<{ path: string; name: string }[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ path, name: basename(path) }];
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && isImagePath(entry.name))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort()
      .map((file) => ({ path: file, name: relative(path, file).split(sep).join('/') }));
  } catch (error) {
    throw ioError(error, `reading ${path}`);
  }
}

/** Pixels of an image file, channels first. */
export async function readImage(path: string, itemShape: readonly number[]): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  let decoded: { data: Buffer; info: { width: number; height: number; channels: number } };
  try {
    const image = sharp(path);
    const { depth } = await image.metadata();
    if (depth !== 'uchar')
      throw new VaeError('ERR_VAE_DATA', `${path} has pixels of type ${depth}; codecs are for 8 bits.`);
    decoded = await image.raw().toBuffer({ resolveWithObject: true });
  } catch (cause) {
    if (cause instanceof VaeError) throw cause;
    throw new VaeError('ERR_VAE_FORMAT', `${path} could not be read as an image: ${(cause as Error).message}.`, {
      cause,
    });
  }
  const { width, height } = decoded.info;
  const [channels] = imageShape(itemShape);
  checkFits([channels, height, width], itemShape, path);
  return toPlanes(decoded.data, decoded.info.channels, channels, path);
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
export async function encodePng(item: Uint8Array, itemShape: readonly number[]): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const [channels, height, width] = imageShape(itemShape);
  const pixels = height * width;
  const data = new Uint8Array(item.length);
  for (let channel = 0; channel < channels; channel += 1) {
    for (let pixel = 0; pixel < pixels; pixel += 1) data[pixel * channels + channel] = item[channel * pixels + pixel]!;
  }
  const image = sharp(data, { raw: { width, height, channels: channels as 1 | 3 | 4 } });
  return (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
}
