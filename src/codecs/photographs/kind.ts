/** Pictures of any size without loss as a kind of archive: what compress() makes of a folder where no model is named. */
import { VaeError } from '../../core/errors.js';
import type { TreeFile } from '../../data/file-tree.js';
import { namedLike } from '../../data/find-files.js';
import { PICTURES } from '../../data/image/formats.js';
import { type PngLayout, rowBytesOf } from '../../data/image/png/layout.js';
import type { Selection } from '../inputs/selection.js';
import type { CodingOptions, FilesPlan, WritingKind } from '../kind.js';
import type { AnyCodec } from '../models/find.js';
import { compactPhotographs } from './compact.js';
import { LAYOUT, PHOTOGRAPHS, readPhotographHeader } from './header.js';
import { DEFAULT_PHOTO_MODEL, PHOTO_CODECS } from './models.js';
import { OneAtATime } from './one-at-a-time.js';
import type { PhotoCodec } from './photo-codec.js';
import { PhotographArchive } from './photograph-archive.js';
import { pieceBytes } from './piece.js';
import { damagedPicture, type Recognised, recognise } from './row-source.js';
import { MOST_ROW_BYTES, type Planned, pictureUnits, RECORD_MEMORY } from './units.js';

export const photographsKind: WritingKind<PhotoCodec> = {
  names: [PHOTOGRAPHS],
  holds: 'photographs',
  opener: 'openArchive()',
  read: readPhotographHeader,
  open: PhotographArchive.open,
  compact: [compactPhotographs],
  itemsAreFiles: true,
  models: PHOTO_CODECS,
  write: {
    takes: ['a picture'],
    options: ['keepFiles', 'effort', 'maxPictureBytes'],
    unnamed: DEFAULT_PHOTO_MODEL,
    files: planPhotographs,
  },
};

/** What the rows of a picture may take unless it is told otherwise: 4 GiB. */
const MOST_PICTURE_BYTES = 2 ** 32;

/** Files at once whose beginnings are looked at. */
const AT_ONCE = 16;

function planPhotographs(selection: Selection, model: AnyCodec, options: CodingOptions): FilesPlan | undefined {
  const codec = PHOTO_CODECS.is(model) ? model : undefined;
  const { files } = selection;
  const candidates = files.filter(({ name }) => namedLike(name, PICTURES));
  if (candidates.length === 0) return undefined;
  for (const file of files) if (!namedLike(file.name, PICTURES)) selection.passOn(file, undefined);
  const names = outNames(files, candidates);
  const kept = new Map<string, Kept>();
  const large = new OneAtATime();
  const most = options.maxPictureBytes ?? MOST_PICTURE_BYTES;
  return {
    header: {
      ...{ kind: PHOTOGRAPHS, layout: LAYOUT },
      ...(codec && { model: codec.identity, coding: codec.version }),
    },
    // Each part of a picture says itself what it means; other files mean their bytes.
    meaning: async (bytes) => bytes,
    candidates,
    names: [...new Set([...files.map(({ name }) => name), ...names.values()])],
    nameOf: (file) => (options.keepFiles ? file.name : (names.get(file) ?? file.name)),
    others: true,
    totalBytes: files.reduce((sum, { size }) => sum + size, 0),
    chunkMemory: RECORD_MEMORY,
    notes: () => Array.from(kept, ([format, files]) => keptNote(format, files, options.keepFiles)),
    async units(some, stored) {
      const planned = await plannedOf(some, { names, selection, kept, large, most, keepFiles: options.keepFiles });
      return pictureUnits(planned, { selection, codec, effort: options.effort, stored, large });
    },
  };
}

/** Files of one format that are stored as they are. */
interface Kept {
  readonly count: number;
  readonly bytes: number;
}

interface Planning {
  readonly names: ReadonlyMap<TreeFile, string>;
  readonly selection: Selection;
  readonly kept: Map<string, Kept>;
  readonly large: OneAtATime;
  /** Bytes of the rows of a picture. */
  readonly most: number;
  readonly keepFiles: boolean;
}

async function plannedOf(
  files: readonly TreeFile[],
  { names, selection, kept, large, most, keepFiles }: Planning,
): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    selection.options.signal?.throwIfAborted();
    const some = files.slice(start, start + AT_ONCE);
    const found = await Promise.all(
      some.map((file) => recognise(file, large).catch((error: unknown) => error as Error)),
    );
    for (const [index, file] of some.entries()) {
      const one = found[index];
      if (one instanceof Error) selection.bad(file, one);
      else if (one === undefined || one.layout === undefined || keepFiles) keep(file, one, selection, kept);
      else if (rowBytesOf(one.layout) > MOST_ROW_BYTES) {
        keep(file, { format: one.format, why: `its rows have ${rowBytesOf(one.layout)} bytes` }, selection, kept);
      } else if (pieceBytes(one.layout) > most) selection.passOn(file, tooLarge(file, one.layout, most));
      else {
        const { format, layout, held } = one;
        planned.push({ file, layout, name: names.get(file) ?? file.name, held, ...(format !== 'PNG' && { format }) });
      }
    }
  }
  return planned;
}

function tooLarge({ shown }: TreeFile, layout: PngLayout, most: number): VaeError {
  return new VaeError(
    'ERR_VAE_DATA',
    `${shown} would decode to ${pieceBytes(layout)} bytes (${layout.width}×${layout.height} pixels), and a picture may have ${most}: let it have more (maxPictureBytes, --max-picture). It is stored as it is.`,
  );
}

/** Endings of formats that become PNG files. */
const CONVERTED = /\.(tiff?|bmp|dib|p[gpbn]m|gif|webp)$/i;

/** What pictures are called as PNG files: `a.png` for `a.tif`, and `a.tif.png` where there is an `a.png`. */
function outNames(files: readonly TreeFile[], candidates: readonly TreeFile[]): Map<TreeFile, string> {
  const taken = new Set(files.map(({ name }) => name));
  const names = new Map<TreeFile, string>();
  for (const file of candidates) {
    if (!CONVERTED.test(file.name)) continue;
    const short = file.name.replace(CONVERTED, '.png');
    let name = taken.has(short) ? `${file.name}.png` : short;
    for (let number = 2; taken.has(name); number += 1) name = `${file.name}.${number}.png`;
    taken.add(name);
    names.set(file, name);
  }
  return names;
}

/** Stores a file as it is: its format is told once for all of its kind, anything else by its name. */
function keep(file: TreeFile, found: Recognised | undefined, selection: Selection, kept: Map<string, Kept>): void {
  if (found === undefined) selection.passOn(file, damagedPicture(file, new Error('it is no picture')));
  else if (found.why !== undefined) selection.passOn(file, damagedPicture(file, new Error(found.why)));
  else {
    const { count, bytes } = kept.get(found.format) ?? { count: 0, bytes: 0 };
    kept.set(found.format, { count: count + 1, bytes: bytes + file.size });
    selection.passOn(file, undefined);
  }
}

/** Why files of a format are stored as they are, where there is more to say than that they are compressed already. */
const WHY: Readonly<Record<string, string>> = {
  JPEG: 'the pixels of a JPEG take several times as much as the file, and nothing here packs the file anew',
};

function keptNote(format: string, { count, bytes }: Kept, keepFiles: boolean): string {
  const size = `${bytes.toLocaleString('en-US')} bytes`;
  const files = count === 1 ? `1 ${format} file of ${size} is` : `${count} ${format} files of ${size} are`;
  if (keepFiles) return `${files} stored byte for byte, as was asked for (keepFiles, --keep-files).`;
  return `${files} stored byte for byte: ${WHY[format] ?? 'what such a file holds is compressed already'}.`;
}
