/** HEIC: libvips where one with an HEVC decoder is installed beside sharp, else the package heic-decode. */
import { optionalPackage } from '../../optional.js';
import { decodeBySharp, sharpReader } from './by-sharp.js';
import type { DecodeStored, PictureReader, StoredPixels } from './stored.js';

interface HeicImage {
  readonly width: number;
  readonly height: number;
  decode(): Promise<{ readonly data: Uint8ClampedArray }>;
}
interface HeicDecode {
  readonly default: { all(input: { buffer: Uint8Array }): Promise<HeicImage[] & { dispose(): void }> };
}

export const heicReader: PictureReader = {
  async header(bytes, whole) {
    const header = await sharpReader.header(bytes, whole);
    // libheif turns pictures as the file says before anybody sees them.
    return header && { ...header, orientation: 1 };
  },
  async decode(bytes, options) {
    try {
      return await decodeBySharp(bytes, options);
    } catch (cause) {
      if (!/compression format|decoder plugin|HEVC/i.test((cause as Error).message)) throw cause;
    }
    return byPackage(bytes, options);
  },
};

async function byPackage(bytes: Uint8Array, { page, header }: DecodeStored): Promise<StoredPixels> {
  const name = 'heic-decode';
  const { default: decoder } = await optionalPackage(
    name,
    () => import(name) as Promise<HeicDecode>,
    'a HEIC picture',
    'convert it: heif-convert IN OUT.png',
  );
  const images = await decoder.all({ buffer: bytes });
  try {
    const image = images[page];
    if (!image) throw new Error(`it has ${images.length} pictures`);
    const { data } = await image.decode();
    const { width, height } = image;
    const pixels = width * height;
    const channels = header.alpha ? 4 : 3;
    if (channels === 4) return { width, height, channels, colour: 'rgb', alpha: true, data: new Uint8Array(data) };
    const out = new Uint8Array(pixels * 3);
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      for (let channel = 0; channel < 3; channel += 1) out[3 * pixel + channel] = data[4 * pixel + channel]!;
    }
    return { width, height, channels, colour: 'rgb', alpha: false, data: out };
  } finally {
    images.dispose();
  }
}
