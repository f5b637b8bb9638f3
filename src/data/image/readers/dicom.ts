/**
 * DICOM pictures (the package dicom-parser): values as the modality means them (PS3.3 C.11.1: stored value × slope +
 * intercept, such as Hounsfield units), frames as pages. JPEG inside by libvips, JPEG 2000 by its own reader.
 */
import { optionalPackage } from '../../optional.js';
import { decodeBySharp } from './by-sharp.js';
import { jpegReader } from './jpeg.js';
import { decodeJpeg2000 } from './jpeg2000.js';
import type { PictureReader, Samples, SampleType, StoredHeader, StoredPixels } from './stored.js';

interface Element {
  readonly dataOffset: number;
  readonly length: number;
  readonly basicOffsetTable?: readonly number[];
  readonly fragments?: readonly unknown[];
}
interface DataSet {
  readonly byteArray: Uint8Array;
  readonly elements: Readonly<Record<string, Element | undefined>>;
  uint16(tag: string): number | undefined;
  string(tag: string): string | undefined;
  floatString(tag: string): number | undefined;
  intString(tag: string): number | undefined;
}
interface Parser {
  parseDicom(bytes: Uint8Array): DataSet;
  readEncapsulatedImageFrame(set: DataSet, element: Element, frame: number): Uint8Array;
  readEncapsulatedPixelDataFromFragments(set: DataSet, element: Element, first: number, count?: number): Uint8Array;
}

const PLAIN: readonly string[] = [
  '1.2.840.10008.1.2',
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2.2',
  '1.2.840.10008.1.2.1.99',
];
const BIG_ENDIAN = '1.2.840.10008.1.2.2';
const JPEG: readonly string[] = ['1.2.840.10008.1.2.4.50'];
const JPEG_2000: readonly string[] = ['1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91'];

interface Opened {
  readonly set: DataSet;
  readonly parser: Parser;
  readonly header: StoredHeader;
  readonly syntax: string;
  readonly pixels: Element;
  readonly allocated: number;
  readonly stored: number;
  readonly signed: boolean;
  readonly slope: number;
  readonly intercept: number;
  readonly inverted: boolean;
  readonly planar: boolean;
}

export const dicomReader: PictureReader = {
  async header(bytes, whole) {
    if (!whole) return undefined;
    return (await opened(bytes)).header;
  },
  async decode(bytes, options) {
    const found = await opened(bytes);
    const stored = await storedValues(found, options.page, options.warn);
    return meant(found, stored);
  },
};

async function opened(bytes: Uint8Array): Promise<Opened> {
  const name = 'dicom-parser';
  const found = await optionalPackage(
    name,
    () => import(name) as Promise<{ default: Parser }>,
    'a DICOM picture',
    'convert it: dcm2img IN OUT.png (DCMTK), or save it as .npy',
  );
  const parser = found.default;
  const set = parser.parseDicom(bytes);
  const number = (tag: string, otherwise: number): number => set.uint16(tag) ?? otherwise;
  const [width, height] = [number('x00280011', 0), number('x00280010', 0)];
  const channels = number('x00280002', 1);
  const pixels = set.elements['x7fe00010'];
  if (!pixels || width < 1 || height < 1) throw new Error('it holds no pixels');
  const allocated = number('x00280100', 16);
  const stored = number('x00280101', allocated);
  const signed = number('x00280103', 0) === 1;
  const slope = set.floatString('x00281053') ?? 1;
  const intercept = set.floatString('x00281052') ?? 0;
  const photometric = (set.string('x00280004') ?? 'MONOCHROME2').trim();
  if (photometric === 'PALETTE COLOR') throw new Error('its colours are of a palette');
  const plain = slope === 1 && intercept === 0;
  const whole: SampleType = signed ? 'int16' : stored <= 8 ? 'uint8' : 'uint16';
  const sample = plain ? whole : 'float32';
  const header: StoredHeader = {
    ...{ width, height, channels, sample },
    colour: channels === 1 ? 'grey' : 'rgb',
    alpha: false,
    ...(sample === 'uint16' && stored < 16 && { bits: stored }),
    pages: set.intString('x00280008') ?? 1,
    ...{ orientation: 1, profile: false, sequential: false },
  };
  return {
    ...{ set, parser, header, pixels, allocated, stored, signed, slope, intercept },
    syntax: (set.string('x00020010') ?? '1.2.840.10008.1.2').trim(),
    inverted: photometric === 'MONOCHROME1',
    planar: number('x00280006', 0) === 1,
  };
}

async function storedValues(found: Opened, page: number, warn: (why: string) => void): Promise<Samples> {
  const { syntax, header, set, pixels, parser, allocated, stored, signed, planar } = found;
  const { width, height, channels } = header;
  const count = width * height * channels;
  if (JPEG.includes(syntax) || JPEG_2000.includes(syntax)) {
    const frame =
      header.pages > 1 || (pixels.basicOffsetTable?.length ?? 0) > 0
        ? parser.readEncapsulatedImageFrame(set, pixels, page)
        : parser.readEncapsulatedPixelDataFromFragments(set, pixels, 0, pixels.fragments?.length);
    if (JPEG_2000.includes(syntax)) return (await decodeJpeg2000(frame)).data;
    const inside = (await jpegReader.header(frame, true))!;
    return (await decodeBySharp(frame, { page: 0, warn, header: inside })).data;
  }
  if (!PLAIN.includes(syntax)) throw new Error(`its pixels are packed by transfer syntax ${syntax}`);
  const size = allocated / 8;
  if (size !== 1 && size !== 2) throw new Error(`its values have ${allocated} bits`);
  const start = pixels.dataOffset + page * count * size;
  const { byteArray } = set;
  if (start + count * size > byteArray.length) throw new Error('its pixels end too early');
  const view = new DataView(byteArray.buffer, byteArray.byteOffset + start, count * size);
  const out = signed ? new Int16Array(count) : size === 1 ? new Uint8Array(count) : new Uint16Array(count);
  const unused = 32 - stored;
  for (let at = 0; at < count; at += 1) {
    const raw = size === 1 ? view.getUint8(at) : view.getUint16(2 * at, syntax !== BIG_ENDIAN);
    const to = planar && channels > 1 ? (at % (width * height)) * channels + Math.floor(at / (width * height)) : at;
    // Bits above those that are stored may hold overlays.
    out[to] = signed ? (raw << unused) >> unused : (raw << unused) >>> unused;
  }
  return out;
}

/** @returns values in the modality's units, black lowest. */
function meant({ header, slope, intercept, inverted, stored, signed }: Opened, values: Samples): StoredPixels {
  const { width, height, channels, colour, sample } = header;
  const data = sample === 'float32' ? Float32Array.from(values, (value) => value * slope + intercept) : values;
  if (inverted && sample !== 'float32') {
    const top = signed ? -1 : 2 ** stored - 1;
    for (let at = 0; at < data.length; at += 1) data[at] = top - data[at]!;
  }
  return { width, height, channels, colour, alpha: false, data };
}
