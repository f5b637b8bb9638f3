/** What a kind of archive is to everything around it: an entry of the table in kinds.ts. */
import type { ByteSource } from '../archive/bytes.js';
import type { CompactKind } from '../archive/compact.js';
import type { Header } from '../archive/format.js';
import type { Unit } from '../archive/pack.js';
import type { ArchiveLayout, HeaderReader } from '../archive/reader.js';
import type { AnyArchive } from '../archive/unpack.js';
import type { Meaning } from '../archive/verify.js';
import type { VaeError } from '../core/errors.js';
import type { TreeFile } from '../data/file-tree.js';
import type { DatasetInput } from '../data/to-dataset.js';
import type { Stored } from './inputs/plain-files.js';
import type { Selection } from './inputs/selection.js';
import type { AnyCodec, ModelClass } from './models/find.js';

/** Options of compress() that a codec looks at. */
export interface CodingOptions {
  readonly chunkItems?: number | undefined;
  readonly pixelsOnly: boolean;
  /** Of photographs: whether files come out byte for byte. */
  readonly keepFiles: boolean;
  /** Of photographs: how much time is taken for fewer bytes. */
  readonly effort?: 'fast' | 'best' | undefined;
  /** Of photographs: what the rows of one may take. */
  readonly maxPictureBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options that some codecs look at. */
export type CodecOption = Exclude<keyof CodingOptions, 'signal'>;

/** What a codec does with files. */
export interface FilesPlan {
  readonly header: Header;
  /** What the bytes of a file that is unpacked are compared by. */
  readonly meaning: Meaning;
  /** Files that the model may be for; the others are passed on. */
  readonly candidates: readonly TreeFile[];
  /** Names that may come out. */
  readonly names: readonly string[];
  /** The name that an item comes out under; its own where absent. */
  readonly nameOf?: (file: TreeFile) => string;
  /** Whether an archive is made although none of the candidates turn out to be what the model is for. */
  readonly others?: boolean;
  /** Bytes of all files, where every unit says how many are its own. */
  readonly totalBytes?: number;
  /** What there is to say of files once all were read. */
  notes?(): readonly string[];
  /** Bytes of an item, where all are of one size. */
  readonly itemBytes?: number;
  /** Memory that a chunk takes while it is worked on, where that is more than a record of files does. */
  readonly chunkMemory?: number;
  units(files: readonly TreeFile[], stored: Map<TreeFile, Stored>): Promise<Unit[]>;
}

/** What a codec does with one array. */
export interface ArrayPlan {
  readonly header: Header;
  readonly count: number;
  readonly itemBytes: number;
  /** Memory that a chunk takes while it is worked on. */
  readonly chunkMemory: number;
  /** @param before items that are in the archive already. */
  units(before: number, name: string): readonly Unit[];
  /** @throws VaeError ERR_VAE_IO where what was read has changed meanwhile. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
}

/** An array by its path, or in memory. */
export type ArrayInput = { readonly path: string } | { readonly data: DatasetInput };

/** `Model` is what its archives are decoded by. */
export interface Kind<Model extends AnyCodec = AnyCodec> {
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
  readonly models: ModelClass<Model>;
  /** How compress() writes it; absent where something else does. */
  readonly write?: Writing<Model>;
}

/** A kind that compress() writes. */
export interface WritingKind<Model extends AnyCodec = AnyCodec> extends Kind<Model> {
  readonly write: Writing<Model>;
}

export interface Writing<Model extends AnyCodec = AnyCodec> {
  /** What it is for, with articles, for messages. */
  readonly takes: readonly string[];
  /** Options of compress() that it looks at, besides those that all do. */
  readonly options: readonly CodecOption[];
  /**
   * For what writes where no model is named: the model of this package that it has then. Where that is not installed, it
   * writes without.
   */
  readonly unnamed?: string;
  /** Undefined where none of the files are for it; an error where they are, but not with this model. */
  files(selection: Selection, model: Model, options: CodingOptions): FilesPlan | VaeError | undefined;
  /** Undefined where it is no array. */
  array?(input: ArrayInput, model: Model, options: CodingOptions): Promise<ArrayPlan | undefined>;
}
