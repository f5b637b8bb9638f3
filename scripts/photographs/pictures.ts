/** The photographs of some folders, as models are trained and measured on them. */
import type { Picture } from '../../src/codecs/pictures/picture.js';
import { type FoundFile, findFiles } from '../../src/data/find-files.js';
import { PICTURES } from '../../src/data/image/formats.js';
import { readPictureHeader } from '../../src/data/image/pixels.js';
import { type PictureHeader, shrunk, shrunkTo } from './shrunk.js';

/** Longest side of what is measured on. */
const MEASURED = 768;

/** Wallpapers lie there in many sizes, as 1280x800.jpg and the like in one folder: the largest of them. */
async function largest(folders: readonly string[]): Promise<Map<string, { file: FoundFile; header: PictureHeader }>> {
  const files = new Map<string, { file: FoundFile; header: PictureHeader }>();
  for (const file of await findFiles(folders, PICTURES)) {
    const header = await readPictureHeader(file);
    const key = file.name.replace(/(^|\/)\d+x\d+\.[^/.]+$/, '$1');
    const other = files.get(key)?.header;
    if (other && other.width * other.height >= header.width * header.height) continue;
    files.set(key, { file, header });
  }
  return files;
}

/** Each photograph halved at least, so that what JPEG did to it is gone; without those whose names contain one of `heldOut`. */
export async function trainingPictures(
  folders: readonly string[],
  heldOut: readonly string[],
): Promise<{ readonly photographs: number; readonly pictures: Picture[] }> {
  const pictures: Picture[] = [];
  let photographs = 0;
  for (const { file, header } of (await largest(folders)).values()) {
    if (heldOut.some((word) => file.name.includes(word))) continue;
    const sizes = await shrunk(file, header);
    if (sizes.length > 0) photographs += 1;
    pictures.push(...sizes);
  }
  return { photographs, pictures };
}

/** Of each word the largest photograph whose name contains it, at 768 pixels. */
export async function heldOutPictures(
  folders: readonly string[],
  words: readonly string[],
): Promise<Map<string, Picture>> {
  const found = [...(await largest(folders)).values()];
  const pictures = new Map<string, Picture>();
  for (const word of words) {
    const size = ({ header }: (typeof found)[number]): number => header.width * header.height;
    const [one] = found.filter(({ file }) => file.name.includes(word)).sort((a, b) => size(b) - size(a));
    if (one === undefined) throw new Error(`There is no photograph named ${word}.`);
    pictures.set(word, await shrunkTo(one.file, one.header, MEASURED));
  }
  return pictures;
}
