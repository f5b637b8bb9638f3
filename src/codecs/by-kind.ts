/** From a header, or a model, to the kinds of archives that it may be of. */
import type { CompactKind } from '../archive/compact.js';
import { damaged, type Header } from '../archive/format.js';
import type { HeaderReader } from '../archive/reader.js';
import type { Kind, Writing, WritingKind } from './kind.js';
import { KINDS } from './kinds.js';
import { type AnyCodec, type Found, findDefaultModel, findModel, shippedNames } from './models/find.js';

/** A model, the path of its file or folder, or the name of a model of this package: whatever decodes an archive. */
export type ModelInput = ModelOf<(typeof KINDS)[keyof typeof KINDS]> | string;
/** A model of what compress() writes, the path of its file or folder, or the name of a model of this package. */
export type WritingModelInput = WritingModelOf<(typeof KINDS)[keyof typeof KINDS]> | string;

type ModelOf<K> = K extends Kind<infer Model> ? Model : never;
type WritingModelOf<K> = K extends WritingKind<infer Model> ? Model : never;

const ALL = Object.values(KINDS) as unknown as readonly Kind[];

export const COMPACT_KINDS: readonly CompactKind[] = ALL.flatMap(({ compact }) => compact);

/** @throws VaeError ERR_VAE_FORMAT for a header of no known kind. */
export function kindOf(header: Header): Kind {
  const kind = ALL.find(({ names }) => names.includes(header.kind));
  if (kind === undefined) throw damaged(`its header's "kind" is wrong: ${header.kind}`);
  return kind;
}

/** Reads the header of any kind. */
export const readAnyHeader: HeaderReader = (header) => kindOf(header).read(header);

/** In place of a model where none is named. */
export const UNNAMED: AnyCodec = { identity: '', file: new Uint8Array(0), async close() {} };

/** The model that compress() was given, of whatever kind it writes; where none was, what stands for that. */
export async function findWritingModel(input: unknown, where: string): Promise<Found<AnyCodec>> {
  if (input === undefined) {
    for (const { write, models } of ALL) {
      if (write?.unnamed === undefined || !(await shippedNames(models)).includes(write.unnamed)) continue;
      return findDefaultModel(models, write.unnamed, where);
    }
    return { codec: UNNAMED, owned: false };
  }
  const classes = new Set(ALL.filter(({ write }) => write).map(({ models }) => models));
  return findModel([...classes], input, where);
}

/** What writes archives with a model, in the order of the table. */
export function writersFor(model: AnyCodec): Writing[] {
  return ALL.flatMap(({ models, write }) =>
    write && (model === UNNAMED ? write.unnamed !== undefined : models.is(model)) ? [write] : [],
  );
}
