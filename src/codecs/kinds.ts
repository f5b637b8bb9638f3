/** The kinds of archives: what tells one from another, in one table. A further codec is a line of it. */
import type { ByteSource } from '../archive/bytes.js';
import type { CompactKind } from '../archive/compact.js';
import { damaged, type Header } from '../archive/format.js';
import type { ArchiveLayout, HeaderReader } from '../archive/reader.js';
import type { AnyArchive } from '../archive/unpack.js';
import { compactItems, readItemsHeader, SOURCE_KINDS } from './lossless/header.js';
import { Archive } from './lossless/item-archive.js';
import { readPictureArchiveHeader } from './pictures/header.js';
import { PictureArchive } from './pictures/picture-archive.js';
import { compactSounds, readSoundHeader } from './sound/header.js';
import { SoundArchive } from './sound/sound-archive.js';

export interface Kind {
  /** Kinds that headers name. */
  readonly names: readonly string[];
  /** What such an archive holds, and what opens it, for messages. */
  readonly holds: string;
  readonly opener: string;
  readonly read: HeaderReader;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a layout and options of its own
  readonly open: (source: ByteSource, layout: ArchiveLayout<any>, options: any) => Promise<AnyArchive>;
  readonly compact: readonly CompactKind[];
  /** Whether its items are counted as files: chunks hold parts of them. */
  readonly itemsAreFiles: boolean;
}

export const KINDS = {
  items: {
    names: SOURCE_KINDS,
    holds: 'items of one shape',
    opener: 'openArchive()',
    read: readItemsHeader,
    open: Archive.open,
    compact: compactItems,
    itemsAreFiles: false,
  },
  sounds: {
    names: ['sounds'],
    holds: 'sounds',
    opener: 'openSounds()',
    read: readSoundHeader,
    open: SoundArchive.open,
    compact: [compactSounds],
    itemsAreFiles: true,
  },
  pictures: {
    names: ['pictures'],
    holds: 'pictures compressed with loss',
    opener: 'openPictures()',
    read: readPictureArchiveHeader,
    open: PictureArchive.open,
    compact: [],
    itemsAreFiles: false,
  },
} as const satisfies Readonly<Record<string, Kind>>;

export const COMPACT_KINDS: readonly CompactKind[] = Object.values(KINDS).flatMap(({ compact }) => compact);

/** @throws VaeError ERR_VAE_FORMAT for a header of no known kind. */
export function kindOf(header: Header): Kind {
  const kinds: readonly Kind[] = Object.values(KINDS);
  const kind = kinds.find(({ names }) => names.includes(header.kind));
  if (kind === undefined) throw damaged(`its header's "kind" is wrong: ${header.kind}`);
  return kind;
}

/** Reads the header of any kind. */
export const readAnyHeader: HeaderReader = (header) => kindOf(header).read(header);
