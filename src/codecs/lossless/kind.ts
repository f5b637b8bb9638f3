/** Items of one shape, without loss, as a kind of archive: arrays, and pictures of one size. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Header } from '../../archive/format.js';
import { ioError } from '../../core/files.js';
import { isGlob, namedLike } from '../../data/find-files.js';
import { PICTURES } from '../../data/image/formats.js';
import { readIdx } from '../../data/index.js';
import { toDataset } from '../../data/to-dataset.js';
import type { Selection } from '../inputs/selection.js';
import type { ArrayInput, ArrayPlan, CodingOptions, FilesPlan, WritingKind } from '../kind.js';
import { openArrayFile } from './array-file.js';
import { arrayStart, arrayUnits } from './array-units.js';
import { chunkSize, MEMORY_PER_CHUNK_BYTE } from './chunk-size.js';
import type { Codec } from './codec.js';
import { datasetSource } from './dataset-source.js';
import { compactItems, IMAGES, readItemsHeader, SOURCE_KINDS } from './header.js';
import { imageShape } from './image-files.js';
import { imageUnits, pictureCandidates, pictureMeaning } from './image-units.js';
import { Archive } from './item-archive.js';
import { checkFits, type ItemSource } from './item-source.js';
import { CODECS } from './models.js';

export const itemsKind: WritingKind<Codec> = {
  names: SOURCE_KINDS,
  holds: 'items of one shape',
  opener: 'openArchive()',
  read: readItemsHeader,
  open: Archive.open,
  compact: compactItems,
  itemsAreFiles: false,
  models: CODECS,
  write: {
    takes: ['an IDX file', 'a .npy file', 'an image'],
    options: ['chunkItems', 'pixelsOnly'],
    files: planPictures,
    array: planArray,
  },
};

function planPictures(selection: Selection, codec: Codec, options: CodingOptions): FilesPlan | undefined {
  const { files } = selection;
  if (!files.some(({ name }) => namedLike(name, PICTURES))) return undefined;
  const { itemShape, itemSize } = codec;
  imageShape(itemShape);
  const pictures = pictureCandidates(files, selection, { renamed: options.pixelsOnly });
  const byFile = new Map(pictures.map((candidate) => [candidate.file, candidate]));
  const chunkItems = chunkSize(codec, options);
  return {
    header: { model: codec.identity, itemShape: [...itemShape], dtype: 'uint8', kind: IMAGES },
    meaning: pictureMeaning(itemShape),
    candidates: pictures.map(({ file }) => file),
    names: [...new Set([...files, ...pictures].map(({ name }) => name))],
    ...{ itemBytes: itemSize, chunkMemory: MEMORY_PER_CHUNK_BYTE * chunkItems * itemSize },
    units: async (some, stored) =>
      imageUnits(
        some.map((file) => byFile.get(file)!),
        selection,
        { codec, chunkItems, pixelsOnly: options.pixelsOnly },
        stored,
      ),
  };
}

async function planArray(input: ArrayInput, codec: Codec, options: CodingOptions): Promise<ArrayPlan | undefined> {
  const { signal } = options;
  const where = { where: 'compress()', rowShape: codec.itemShape, ...(signal && { signal }) };
  const source =
    'path' in input ? await arrayAt(input.path, signal) : datasetSource(await toDataset(input.data, where));
  if (source === undefined) return undefined;
  try {
    checkFits(source.rowShape, codec.itemShape, 'compress()');
  } catch (error) {
    await source.close();
    throw error;
  }
  const { count } = source;
  return {
    ...{ header: headerOf(source, codec), count, itemBytes: codec.itemSize },
    chunkMemory: MEMORY_PER_CHUNK_BYTE * Math.min(count, chunkSize(codec, options)) * codec.itemSize,
    units: (before, name) =>
      arrayUnits(source, codec, chunkSize(codec, options), { start: arrayStart(source, before + count), before, name }),
    checkUnchanged: () => source.checkUnchanged(),
    close: () => source.close(),
  };
}

/** A file that is an array, by what it begins with; undefined for anything else. */
async function arrayAt(path: string, signal: AbortSignal | undefined): Promise<ItemSource | undefined> {
  const info = await stat(path).catch((error: unknown) => {
    if (isGlob(path)) return undefined;
    throw ioError(error, `reading ${path}`);
  });
  if (!info?.isFile() || namedLike(path, PICTURES)) return undefined;
  const array = await openArrayFile(path);
  if (array !== undefined || !/\.gz$/.test(path)) return array;
  const data = await readIdx(path, { labels: false, ...(signal && { signal }) });
  return datasetSource(data, `${basename(path, '.gz')}.npy`);
}

function headerOf({ kind, name, rowShape }: ItemSource, codec: Codec): Header {
  return {
    model: codec.identity,
    itemShape: [...codec.itemShape],
    ...{ dtype: 'uint8', kind },
    ...(name !== undefined && { name: lastBytes(name) }),
    rowShape: [...rowShape],
  };
}

/** The end of a name that is too long for a header. */
function lastBytes(name: string): string {
  return name.length <= 255 ? name : name.slice(-255);
}
