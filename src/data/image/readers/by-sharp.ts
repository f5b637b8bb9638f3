/** Pictures that libvips decodes, through sharp; values as they are stored, by no colour profile. */
import type { Metadata, Sharp } from 'sharp';
import type {
  ColourModel,
  DecodeStored,
  PictureReader,
  Samples,
  SampleType,
  StoredHeader,
  StoredPixels,
} from './stored.js';

export const sharpReader: PictureReader = {
  async header(bytes, whole) {
    if (!whole) return undefined;
    const { default: sharp } = await import('sharp');
    return fromMetadata(await sharp(bytes, { limitInputPixels: false }).metadata());
  },
  decode: decodeBySharp,
};

const SAMPLES: Readonly<Record<string, SampleType | undefined>> = {
  uchar: 'uint8',
  char: 'uint8',
  ushort: 'uint16',
  short: 'int16',
  uint: 'uint32',
  int: 'int32',
  float: 'float32',
  double: 'float64',
};

function fromMetadata(found: Metadata): StoredHeader {
  const { width, height, channels, hasAlpha: alpha, pages = 1, orientation = 1 } = found;
  const grey = found.space === 'b-w' || found.space === 'grey16';
  return {
    ...{ width, height, channels, alpha, pages, orientation },
    colour: grey ? 'grey' : found.space === 'cmyk' ? 'cmyk' : 'rgb',
    sample: SAMPLES[found.depth] ?? 'uint8',
    ...(found.bitsPerSample !== undefined && found.bitsPerSample > 8 && { bits: found.bitsPerSample }),
    profile: found.icc !== undefined && !/s ?RGB/.test(found.icc.toString('latin1').replaceAll('\0', ' ')),
    sequential: false,
  };
}

/** Spaces in which libvips holds such values without changing them. */
function spaceOf(colour: ColourModel, wide: boolean): string {
  if (colour === 'cmyk') return 'cmyk';
  if (colour === 'grey' || colour === 'bands') return wide ? 'grey16' : 'b-w';
  return wide ? 'rgb16' : 'srgb';
}

export async function decodeBySharp(bytes: Uint8Array, options: DecodeStored): Promise<StoredPixels> {
  try {
    return await run(bytes, options, 'warning');
  } catch (strict) {
    // What the decoder can make sense of all the same is read, and told.
    const pixels = await run(bytes, options, 'error').catch(() => {
      throw strict;
    });
    options.warn(firstLine(strict));
    return pixels;
  }
}

async function run(
  bytes: Uint8Array,
  { header, page, size }: DecodeStored,
  failOn: 'warning' | 'error',
): Promise<StoredPixels> {
  const { default: sharp } = await import('sharp');
  const { sample, colour } = header;
  const wide = sample === 'uint16';
  const paged = header.pages > 1 ? { page, pages: 1 } : {};
  const opened = sharp(bytes, { failOn, limitInputPixels: false, ignoreIcc: true, ...paged });
  const space = spaceOf(colour, wide);
  // Each step of a pipeline costs, and 8-bit RGB without its profile is what libvips works in.
  const plain = space === 'srgb' && !size;
  const image = plain ? opened : sized(opened.pipelineColourspace(space), size).toColourspace(space);
  const depth = wide ? 'ushort' : sample === 'float32' ? 'float' : 'uchar';
  const { data, info } = await image.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const colours = colour === 'cmyk' ? 4 : colour === 'grey' ? 1 : 3;
  return { width, height, channels, colour, alpha: channels > colours, data: samplesOf(data, depth) };
}

function sized(image: Sharp, size: DecodeStored['size']): Sharp {
  if (!size) return image;
  const { width, height, fit } = size;
  return image.resize(width, height, { fit, background: '#000000' });
}

function samplesOf(data: Buffer, depth: 'uchar' | 'ushort' | 'float'): Samples {
  if (depth === 'uchar') return data;
  if (depth === 'ushort') return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

function firstLine(error: unknown): string {
  return String((error as Error).message)
    .split('\n')[0]!
    .replace(/[.\s]*$/, '');
}

/** Bytes and 16-bit pixels at other sides. */
export async function resizeStored(
  pixels: StoredPixels,
  size: NonNullable<DecodeStored['size']>,
): Promise<StoredPixels> {
  const { default: sharp } = await import('sharp');
  const { width, height, channels, colour, data } = pixels;
  const wide = data instanceof Uint16Array;
  const space = spaceOf(colour, wide);
  const opened = sharp(data as Uint8Array, {
    raw: { width, height, channels: channels as 1 | 2 | 3 | 4 },
    limitInputPixels: false,
  });
  const image = sized(opened.pipelineColourspace(space), size).toColourspace(space);
  const depth = wide ? 'ushort' : 'uchar';
  const resized = await image.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { info } = resized;
  return {
    ...pixels,
    ...{ width: info.width, height: info.height, channels: info.channels },
    data: samplesOf(resized.data, depth),
  };
}
