/** Pictures of any size without loss as a kind of archive: what compress() makes of a folder where no model is named. */
import type { TreeFile } from '../../data/file-tree.js';
import { namedLike } from '../../data/find-files.js';
import { PICTURES } from '../../data/image/formats.js';
import { rowBytesOf } from '../../data/image/png/layout.js';
import type { Selection } from '../inputs/selection.js';
import type { CodingOptions, FilesPlan, WritingKind } from '../kind.js';
import type { AnyCodec } from '../models/find.js';
import { LAYOUT, PHOTOGRAPHS, readPhotographHeader } from './header.js';
import { DEFAULT_PHOTO_MODEL, PHOTO_CODECS } from './models.js';
import type { PhotoCodec } from './photo-codec.js';
import { PhotographArchive } from './photograph-archive.js';
import { damagedPicture, type Recognised, recognise } from './row-source.js';
import { MOST_ROW_BYTES, type Planned, pictureUnits, RECORD_MEMORY } from './units.js';

export const photographsKind: WritingKind<PhotoCodec> = {
  names: [PHOTOGRAPHS],
  holds: 'photographs',
  opener: 'openArchive()',
  read: readPhotographHeader,
  open: PhotographArchive.open,
  compact: [],
  itemsAreFiles: true,
  models: PHOTO_CODECS,
  write: { takes: ['a picture'], unnamed: DEFAULT_PHOTO_MODEL, files: planPhotographs },
};

/** Files at once whose beginnings are looked at. */
const AT_ONCE = 16;

function planPhotographs(selection: Selection, model: AnyCodec, options: CodingOptions): FilesPlan | undefined {
  const codec = PHOTO_CODECS.is(model) ? model : undefined;
  const { files } = selection;
  const candidates = files.filter(({ name }) => namedLike(name, PICTURES));
  if (candidates.length === 0) return undefined;
  for (const file of files) if (!namedLike(file.name, PICTURES)) selection.passOn(file, undefined);
  const names = outNames(files, candidates);
  const kept = new Map<string, number>();
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
    chunkMemory: RECORD_MEMORY,
    notes: () => Array.from(kept, ([format, count]) => keptNote(format, count, options.keepFiles)),
    async units(some, stored) {
      const planned = await plannedOf(some, names, selection, kept, options.keepFiles);
      return pictureUnits(planned, { selection, codec, effort: options.effort, stored });
    },
  };
}

async function plannedOf(
  files: readonly TreeFile[],
  names: ReadonlyMap<TreeFile, string>,
  selection: Selection,
  kept: Map<string, number>,
  keepFiles: boolean,
): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    selection.options.signal?.throwIfAborted();
    const some = files.slice(start, start + AT_ONCE);
    const found = await Promise.all(some.map((file) => recognise(file).catch((error: unknown) => error as Error)));
    for (const [index, file] of some.entries()) {
      const one = found[index];
      if (one instanceof Error) selection.bad(file, one);
      else if (one === undefined || one.layout === undefined || keepFiles) keep(file, one, selection, kept);
      else if (rowBytesOf(one.layout) > MOST_ROW_BYTES) {
        keep(file, { format: one.format, why: `its rows have ${rowBytesOf(one.layout)} bytes` }, selection, kept);
      } else {
        const { format, layout } = one;
        planned.push({ file, layout, name: names.get(file) ?? file.name, ...(format !== 'PNG' && { format }) });
      }
    }
  }
  return planned;
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
function keep(file: TreeFile, found: Recognised | undefined, selection: Selection, kept: Map<string, number>): void {
  if (found === undefined) selection.passOn(file, damagedPicture(file, new Error('it is no picture')));
  else if (found.why !== undefined) selection.passOn(file, damagedPicture(file, new Error(found.why)));
  else {
    kept.set(found.format, (kept.get(found.format) ?? 0) + 1);
    selection.passOn(file, undefined);
  }
}

function keptNote(format: string, count: number, keepFiles: boolean): string {
  const files = count === 1 ? `1 ${format} file is` : `${count} ${format} files are`;
  if (keepFiles) return `${files} stored byte for byte, as was asked for (keepFiles, --keep-files).`;
  return `${files} stored byte for byte: what such a file holds is compressed already.`;
}
