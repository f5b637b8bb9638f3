/** The picture formats that are read, one line each, and those that are known and not read. */
import type { FileKind } from '../find-files.js';
import { bmpReader } from './readers/bmp.js';
import { sharpReader } from './readers/by-sharp.js';
import { dicomReader } from './readers/dicom.js';
import { heicReader } from './readers/heic.js';
import { jpegReader } from './readers/jpeg.js';
import { jpegXlReader } from './readers/jpeg-xl.js';
import { jpeg2000Reader } from './readers/jpeg2000.js';
import { niftiReader } from './readers/nifti.js';
import { pngReader } from './readers/png.js';
import { pnmReader } from './readers/pnm.js';
import type { PictureReader } from './readers/stored.js';
import { tiffReader } from './readers/tiff.js';

export interface PictureFormat {
  readonly name: string;
  /** Endings of such files, in lower case, the usual one first. */
  readonly endings: readonly string[];
  /** First bytes, read as Latin-1. */
  readonly magic: RegExp;
  readonly reader: PictureReader;
}

/** What is told by the first bytes, never by the name: a name may lie. */
export const PICTURE_FORMATS: readonly PictureFormat[] = [
  { name: 'JPEG', endings: ['.jpg', '.jpeg', '.jpe', '.jfif'], magic: /^\xff\xd8\xff/, reader: jpegReader },
  { name: 'PNG', endings: ['.png'], magic: /^\x89PNG\r\n/, reader: pngReader },
  { name: 'WebP', endings: ['.webp'], magic: /^RIFF....WEBP/s, reader: sharpReader },
  { name: 'AVIF', endings: ['.avif'], magic: /^....ftypavif/s, reader: sharpReader },
  { name: 'TIFF', endings: ['.tif', '.tiff'], magic: /^(II[*+]\0|MM\0[*+])/, reader: tiffReader },
  { name: 'GIF', endings: ['.gif'], magic: /^GIF8[79]a/, reader: sharpReader },
  {
    name: 'BMP',
    endings: ['.bmp', '.dib'],
    magic: /^BM[\s\S]{12}[\f(48@l|]\0\0\0/,
    reader: bmpReader,
  },
  { name: 'PNM', endings: ['.ppm', '.pgm', '.pbm', '.pnm', '.pam'], magic: /^P([1-6][\s#]|7\n)/, reader: pnmReader },
  {
    name: 'HEIC',
    endings: ['.heic', '.heif', '.hif'],
    magic: /^....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)/s,
    reader: heicReader,
  },
  {
    name: 'JPEG 2000',
    endings: ['.jp2', '.j2k', '.jpx', '.j2c', '.jpf'],
    magic: /^(\0\0\0\fjP {2}|\xff\x4f\xff\x51)/,
    reader: jpeg2000Reader,
  },
  { name: 'JPEG XL', endings: ['.jxl'], magic: /^(\xff\n|\0\0\0\fJXL )/, reader: jpegXlReader },
  { name: 'DICOM', endings: ['.dcm', '.dicom'], magic: /^[\s\S]{128}DICM/, reader: dicomReader },
  {
    name: 'NIfTI',
    endings: ['.nii', '.nii.gz'],
    magic: /^(\\[\s\S]\0\0|\0\0[\s\S]\\)[\s\S]{340}n[+]1\0/,
    reader: niftiReader,
  },
];

interface RefusedFormat {
  readonly name: string;
  readonly endings: readonly string[];
  readonly magic?: RegExp;
  /** What makes a picture of it that is read. */
  readonly convert: string;
}

const MAGICK = 'magick IN OUT.png (ImageMagick)';

/** Refused by name, each with the command that converts it. SVG is a program, and may name other files. */
export const REFUSED_FORMATS: readonly RefusedFormat[] = [
  {
    name: 'SVG',
    endings: ['.svg', '.svgz'],
    magic: /^(\s*<\?xml[\s\S]*?)?\s*<svg/,
    convert: 'rsvg-convert IN -o OUT.png',
  },
  { name: 'Windows icon', endings: ['.ico', '.cur'], convert: MAGICK },
  {
    name: 'AVIF sequence',
    endings: ['.avifs'],
    magic: /^....ftypavis/s,
    convert: 'ffmpeg -i IN frame-%04d.png, or read it as a video: ffmpeg -i IN OUT.mkv',
  },
  { name: 'TGA', endings: ['.tga'], convert: MAGICK },
  { name: 'Photoshop', endings: ['.psd', '.psb'], magic: /^8BPS/, convert: "magick 'IN[0]' OUT.png (ImageMagick)" },
  {
    name: 'OpenEXR',
    endings: ['.exr'],
    magic: /^v\/1[\s\S]/,
    convert: 'magick IN -depth 32 -define quantum:format=floating-point OUT.tif',
  },
  {
    name: 'Radiance HDR',
    endings: ['.hdr'],
    magic: /^#\?RA/,
    convert: 'magick IN -depth 32 -define quantum:format=floating-point OUT.tif',
  },
  {
    name: 'camera raw',
    endings: ['.dng', '.cr2', '.cr3', '.nef', '.arw', '.orf', '.rw2', '.raf'],
    convert: 'dcraw -T -6 IN (makes a TIFF)',
  },
  { name: 'PDF', endings: ['.pdf'], magic: /^%PDF-/, convert: 'pdftoppm -png IN OUT' },
  { name: 'GIMP', endings: ['.xcf'], magic: /^gimp xcf/, convert: MAGICK },
  { name: 'FITS', endings: ['.fits', '.fit'], magic: /^SIMPLE {2}=/, convert: MAGICK },
];

/** Bytes from the beginning of a file that tell its format. */
export const MAGIC_BYTES = 352;

export const PICTURES: FileKind = {
  plural: 'pictures',
  endings: PICTURE_FORMATS.flatMap(({ endings }) => endings),
};

/** The format of a file that begins so; undefined for all others. Compressed volumes are known by their names only. */
export function pictureFormat(bytes: Uint8Array, name: string): PictureFormat | undefined {
  const start = startOf(bytes);
  const lower = name.toLowerCase();
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b && lower.endsWith('.nii.gz');
  const found = PICTURE_FORMATS.filter((format) => (packed ? format.name === 'NIfTI' : format.magic.test(start)));
  // What stands before a DICOM's own beginning is free, and scanners write that of a TIFF: the name says what is meant, else
  // it is what its bytes say later.
  return found.find(({ endings }) => endings.some((ending) => lower.endsWith(ending))) ?? found.at(-1);
}

/** The format that is known and not read, by its first bytes, or by the name where it has none. */
export function refusedFormat(bytes: Uint8Array, name: string): RefusedFormat | undefined {
  const start = startOf(bytes);
  const lower = name.toLowerCase();
  return REFUSED_FORMATS.find(({ magic, endings }) =>
    magic ? magic.test(start) : endings.some((ending) => lower.endsWith(ending)),
  );
}

function startOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAGIC_BYTES)).toString('latin1');
}
