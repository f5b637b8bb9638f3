/**
 * TIFF. Photographs and scans are libvips'; values that it would change (signed and 64-bit numbers, floats, 10 and 12
 * bits in a row) are read here: strips and tiles, side by side or in planes, plain, LZW, deflate or PackBits.
 */
import { decodeBySharp } from './by-sharp.js';
import type { PictureReader, SampleType, StoredHeader, StoredPixels } from './stored.js';
import { TAG, type TiffPage, tagOf, tiffPages } from './tiff-directory.js';
import { tiffSamples } from './tiff-samples.js';

const FORMATS: Readonly<Record<number, string>> = { 1: 'uint', 2: 'int', 3: 'float', 4: 'uint' };
const WHITE_IS_ZERO = 0;
const RGB = 2;
const PALETTE = 3;
const SEPARATED = 5;
const YCBCR = 6;
const REDUCED = 1;
const ALPHAS: readonly number[] = [1, 2];

export const tiffReader: PictureReader = {
  header(bytes, whole) {
    if (!whole) return undefined;
    return headerOf(fullPages(bytes));
  },
  async decode(bytes, options) {
    const page = fullPages(bytes)[options.page]!;
    const header = headerOf([page]);
    const own = isOwn(page, header);
    if (!own) {
      const pixels = await decodeBySharp(bytes, {
        ...options,
        page: page.index,
        header: { ...header, pages: page.index + 2 },
      });
      return pixels;
    }
    return ownPixels(bytes, page, header);
  },
};

/** Pages at full size, of the sides of the first; smaller copies of the same (pyramids, thumbnails) are left out. */
function fullPages(bytes: Uint8Array): TiffPage[] {
  const all = tiffPages(bytes);
  const full = all.filter((page) => (tagOf(page, TAG.subfile, 0) & REDUCED) === 0);
  const pages = full.length > 0 ? full : all;
  const first = pages[0]!;
  const sides = (page: TiffPage): string => `${tagOf(page, TAG.width, 0)}×${tagOf(page, TAG.height, 0)}`;
  return pages.filter((page) => sides(page) === sides(first));
}

function headerOf(pages: readonly TiffPage[]): StoredHeader {
  const page = pages[0]!;
  const [width, height] = [tagOf(page, TAG.width, 0), tagOf(page, TAG.height, 0)];
  if (width < 1 || height < 1) throw new Error(`its tags tell of ${width}×${height} pixels`);
  const samples = tagOf(page, TAG.samples, 1);
  const photometric = tagOf(page, TAG.photometric, 1);
  const extra = page.tags.get(TAG.extraSamples) ?? [];
  const alpha = extra.some((kind) => ALPHAS.includes(kind));
  const colours = photometric === PALETTE ? 3 : samples;
  const grey = photometric <= 1 && samples - extra.length <= 1;
  const bits = tagOf(page, TAG.bits, 1);
  const sample = sampleOf(bits, FORMATS[tagOf(page, TAG.sampleFormat, 1)] ?? 'uint');
  const bands = photometric <= 1 && samples > (alpha ? 2 : 1);
  const most = page.tags.get(TAG.mostValue)?.[0];
  const said = most !== undefined && most > 255 ? Math.ceil(Math.log2(most + 1)) : bits;
  return {
    ...{ width, height, alpha },
    channels: colours,
    colour: bands ? 'bands' : grey ? 'grey' : photometric === SEPARATED ? 'cmyk' : 'rgb',
    sample,
    ...(sample === 'uint16' && said < 16 && { bits: said }),
    pages: pages.length,
    orientation: Math.min(8, Math.max(1, tagOf(page, TAG.orientation, 1))),
    profile: page.tags.has(TAG.profile),
    sequential: false,
  };
}

function sampleOf(bits: number, format: string): SampleType {
  if (format === 'float') {
    if (bits === 16 || bits === 24 || bits === 32) return 'float32';
    if (bits === 64) return 'float64';
  } else if (format === 'int') {
    if (bits <= 16) return 'int16';
    if (bits <= 32) return 'int32';
  } else {
    if (bits <= 8) return 'uint8';
    if (bits <= 16) return 'uint16';
    if (bits <= 32) return 'uint32';
  }
  throw new Error(`its values are ${format}s of ${bits} bits`);
}

/** Whether libvips would change the values. */
function isOwn(page: TiffPage, { sample, channels, colour }: StoredHeader): boolean {
  const bits = tagOf(page, TAG.bits, 1);
  if (colour === 'bands' || channels > 4) return true;
  // Tiles in separate planes it does not know at all.
  if (page.tags.has(TAG.tileOffsets) && tagOf(page, TAG.planar, 1) === 2) return true;
  if (sample === 'uint8') return bits !== 8 && bits !== 1 && bits !== 2 && bits !== 4;
  return sample !== 'uint16' || bits !== 16;
}

function ownPixels(bytes: Uint8Array, page: TiffPage, header: StoredHeader): StoredPixels {
  const photometric = tagOf(page, TAG.photometric, 1);
  if (photometric > RGB) {
    const kind = photometric === YCBCR ? 'YCbCr' : photometric === PALETTE ? 'a palette' : `kind ${photometric}`;
    throw new Error(`its colours are of ${kind} with values of type ${header.sample}`);
  }
  const data = tiffSamples(bytes, page, header.sample);
  if (photometric === WHITE_IS_ZERO && header.sample.startsWith('uint')) {
    const top = 2 ** tagOf(page, TAG.bits, 1) - 1;
    for (let at = 0; at < data.length; at += 1) data[at] = top - data[at]!;
  }
  const { width, height, channels, colour, alpha } = header;
  return { width, height, channels, colour, alpha, data };
}
