/** Rows as they lie in files: one for each picture, page or volume. */
import { VaeError } from '../../core/errors.js';
import type { FoundFile } from '../find-files.js';
import { inParallel } from '../parallel.js';
import { orSkip, type Skip } from '../skip.js';
import type { RowArray } from '../values.js';
import { decodePicture } from './decode.js';
import { openPicture, type PictureForm, type PictureHeader, type PictureSource } from './pixels.js';
import { CHANNELS, type ImageRecipe } from './recipe.js';

export interface OpenedPicture {
  readonly file: FoundFile;
  readonly header: PictureHeader;
  /** The file itself, where it was small enough to be kept. */
  readonly bytes?: Uint8Array | undefined;
}

/** One row of a file: its page, or its first page of several. */
export interface ImageItem {
  readonly source: PictureSource;
  readonly file: FoundFile;
  readonly page: number;
  readonly name: string;
}

/** Small files that are kept from being looked at until they are decoded, in bytes of all. */
const KEPT_BYTES = 64 << 20;

/** Looks at the beginning of every file, so that what is no picture shows now and not after an hour of training. */
export async function openPictures(
  files: readonly FoundFile[],
  skip: Skip,
  signal: AbortSignal | undefined,
): Promise<OpenedPicture[]> {
  let kept = 0;
  const opened = await inParallel(files, async (file) =>
    orSkip(
      async () => {
        const { header, bytes } = await openPicture(file, signal);
        if (bytes === undefined || kept + bytes.length > KEPT_BYTES) return { file, header };
        kept += bytes.length;
        return { file, header, bytes };
      },
      file.name,
      skip,
    ),
  );
  return opened.filter((entry) => entry !== undefined);
}

/**
 * The rows of each file.
 *
 * @throws VaeError ERR_VAE_DATA for a file with fewer pages than a row has, or without the page wanted.
 */
export async function itemsOf(
  opened: readonly OpenedPicture[],
  recipe: ImageRecipe,
  page: number | undefined,
  skip: Skip,
): Promise<ImageItem[][]> {
  const all = await Promise.all(
    opened.map((entry) => orSkip(async () => pagesOf(entry, recipe, page), entry.file.name, skip)),
  );
  return all.map((items) => items ?? []);
}

function pagesOf({ file, header, bytes }: OpenedPicture, recipe: ImageRecipe, page: number | undefined): ImageItem[] {
  const { pages } = header;
  const source = bytes ? { bytes, name: file.name } : file;
  const { volume } = recipe;
  if (volume !== undefined) {
    if (pages < volume) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${file.name}: has ${pages} pages, and a row takes ${volume} (volume). Ask for fewer, or have such files skipped (skipBad, --skip-bad).`,
      );
    }
    return Array.from({ length: Math.ceil(pages / volume) }, (_, index) => {
      const first = Math.min(index * volume, pages - volume);
      return { source, file, page: first, name: pages === volume ? file.name : `${file.name} page ${first}` };
    });
  }
  if (page !== undefined || recipe.pages !== 'all' || pages === 1) {
    const wanted = page ?? 0;
    if (wanted >= pages) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${file.name}: has ${pages} pages, numbered from 0; there is no page ${wanted}.`,
      );
    }
    return [{ source, file, page: wanted, name: file.name }];
  }
  return Array.from({ length: pages }, (_, index) => ({
    source,
    file,
    page: index,
    name: `${file.name} page ${index}`,
  }));
}

/** The values of one row. */
export async function decodeItem(
  { source, page }: ImageItem,
  recipe: ImageRecipe,
  form: PictureForm,
  signal: AbortSignal | undefined,
): Promise<RowArray> {
  const { volume } = recipe;
  if (volume === undefined) return (await decodePicture(source, { ...form, page }, signal)).data;
  const plane = recipe.height * recipe.width;
  const channels = CHANNELS[recipe.colour];
  let out: RowArray | undefined;
  for (let slice = 0; slice < volume; slice += 1) {
    const { data } = await decodePicture(source, { ...form, page: page + slice }, signal);
    out ??= data instanceof Uint8Array ? new Uint8Array(data.length * volume) : new Float32Array(data.length * volume);
    for (let channel = 0; channel < channels; channel += 1) {
      out.set(data.subarray(channel * plane, (channel + 1) * plane), (channel * volume + slice) * plane);
    }
  }
  return out!;
}
