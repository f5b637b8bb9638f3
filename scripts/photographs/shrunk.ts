/** Photographs as models are trained on them. */
import type { Picture } from '../../src/codecs/pictures/picture.js';
import type { FoundFile } from '../../src/data/find-files.js';
import { decodePicture } from '../../src/data/image/decode.js';
import { fromPlanes } from '../../src/data/image/encode.js';
import type { readPictureHeader } from '../../src/data/image/pixels.js';

/** Longest sides that each photograph is made into: fine and coarse detail. */
const LONGEST = [1280, 720];

export type PictureHeader = Awaited<ReturnType<typeof readPictureHeader>>;

/** A photograph in each of those sizes, halved at least, so that what JPEG did to it is gone; none of a small one. */
export async function shrunk(file: FoundFile, header: PictureHeader): Promise<Picture[]> {
  const longest = Math.max(header.width, header.height);
  const pictures: Picture[] = [];
  for (const side of LONGEST) if (2 * side <= longest + 2) pictures.push(await shrunkTo(file, header, side));
  return pictures;
}

/** A photograph of at most this longest side, grey or in colour as it is. */
export async function shrunkTo(file: FoundFile, { colour }: PictureHeader, longestSide: number): Promise<Picture> {
  const channels = colour === 'grey' ? 1 : 3;
  const pixels = await decodePicture(file, {
    colour: channels === 1 ? 'grey' : 'rgb',
    depth: 8,
    values: 'stored',
    longestSide,
  });
  return { ...pixels, channels, data: fromPlanes(pixels.data as Uint8Array, channels) };
}
