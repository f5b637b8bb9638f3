/** The picture formats that are read, one line each. */
import type { FileKind } from '../find-files.js';

export interface PictureFormat {
  readonly name: string;
  /** Endings of such files, in lower case, the usual one first. */
  readonly endings: readonly string[];
  /** First bytes, read as Latin-1. */
  readonly magic: RegExp;
}

/** What is told by the first bytes, never by the name: a name may lie. */
export const PICTURE_FORMATS: readonly PictureFormat[] = [
  { name: 'jpeg', endings: ['.jpg', '.jpeg', '.jpe', '.jfif'], magic: /^\xff\xd8\xff/ },
  { name: 'png', endings: ['.png'], magic: /^\x89PNG\r\n/ },
  { name: 'webp', endings: ['.webp'], magic: /^RIFF....WEBP/s },
  { name: 'avif', endings: ['.avif'], magic: /^....ftypavi[fs]/s },
  { name: 'tiff', endings: ['.tif', '.tiff'], magic: /^(II[*+]\0|MM\0[*+])/ },
  { name: 'gif', endings: ['.gif'], magic: /^GIF8[79]a/ },
];

/** Bytes from the beginning of a file that tell its format. */
export const MAGIC_BYTES = 16;

export const PICTURES: FileKind = {
  plural: 'pictures',
  endings: PICTURE_FORMATS.flatMap(({ endings }) => endings),
};

/** The format of a file that begins so; undefined for all others. */
export function pictureFormat(bytes: Uint8Array): PictureFormat | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAGIC_BYTES)).toString('latin1');
  return PICTURE_FORMATS.find(({ magic }) => magic.test(start));
}
