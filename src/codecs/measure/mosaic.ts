/** Items as one picture, the form most favourable to image formats: side by side, in rows of a square. */
import { imageShape } from '../lossless/image-files.js';

/** Items of a codec, as other compressors get them. */
export interface PeerItems {
  /** [count, ...itemShape], row-major. */
  readonly items: Uint8Array;
  readonly count: number;
  readonly itemShape: readonly number[];
}

/** Values 0..255, row-major with channels last. */
export interface PeerPicture {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

interface Mosaic {
  readonly columns: number;
  readonly rows: number;
  readonly channels: number;
  readonly width: number;
  readonly height: number;
}

function mosaicOf({ count, itemShape }: PeerItems): Mosaic {
  const [channels, height, width] = imageShape(itemShape);
  const columns = Math.max(1, Math.round(Math.sqrt((count * height) / width)));
  return { columns, rows: Math.ceil(count / columns), channels, width, height };
}

/** Where value `index` of an item lies in the picture, channels last. */
function* places({ columns, channels, width, height }: Mosaic, count: number): Generator<[number, number]> {
  const stride = columns * width * channels;
  let from = 0;
  for (let item = 0; item < count; item += 1) {
    const corner = Math.floor(item / columns) * height * stride + (item % columns) * width * channels;
    for (let channel = 0; channel < channels; channel += 1) {
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) yield [from++, corner + y * stride + x * channels + channel];
      }
    }
  }
}

export function toPicture(input: PeerItems): PeerPicture {
  const mosaic = mosaicOf(input);
  const [width, height] = [mosaic.columns * mosaic.width, mosaic.rows * mosaic.height];
  const data = Buffer.alloc(width * height * mosaic.channels);
  for (const [from, to] of places(mosaic, input.count)) data[to] = input.items[from]!;
  return { data, width, height, channels: mosaic.channels };
}

/** The items of what `toPicture()` made. */
export function fromPicture(data: Uint8Array, input: PeerItems): Buffer {
  const items = Buffer.alloc(input.items.length);
  for (const [to, from] of places(mosaicOf(input), input.count)) items[to] = data[from]!;
  return items;
}

/** Why items make no picture, or undefined. */
export function noPicture(input: PeerItems): string | undefined {
  try {
    const { channels, columns, rows, width, height } = mosaicOf(input);
    if (channels === 4) return 'items have transparency';
    if (columns * width > 16383 || rows * height > 16383) return 'the items do not fit in one picture';
    return undefined;
  } catch {
    return 'items are not pictures';
  }
}
