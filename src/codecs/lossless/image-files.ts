import { VaeError } from '../../core/errors.js';
import { encodePng as encodePixels, fromPlanes } from '../../data/image/encode.js';
import { decodePixels, type PictureSource } from '../../data/image/pixels.js';
import { checkFits } from './item-source.js';

/** [channels, height, width] of an item that can be a picture. */
export function imageShape(itemShape: readonly number[]): [number, number, number] {
  const [channels, height, width] = itemShape.length === 2 ? [1, ...itemShape] : itemShape;
  if (itemShape.length > 3 || height === undefined || width === undefined || ![1, 3, 4].includes(channels!)) {
    throw new VaeError('ERR_VAE_SHAPE', `Items of shape [${itemShape.join(', ')}] are not images.`);
  }
  return [channels!, height, width];
}

/** Pixels of an image file, channels first. */
export async function readImage(file: PictureSource, itemShape: readonly number[]): Promise<Uint8Array> {
  const { name } = file;
  const { width, height, channels: stored, data, colour } = await decodePixels(file, { single: true });
  if (!(data instanceof Uint8Array) || (colour !== 'grey' && colour !== 'rgb')) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name} has ${colour} values of type ${data.constructor.name}; codecs are for grey and RGB of 8 bits.`,
    );
  }
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
