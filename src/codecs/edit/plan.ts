/** Which records of some archives make another one: whole ones as they are, and parts of others. */
import type { KeptItem, OutPart } from '../../archive/archive.js';
import { partsOf } from '../../archive/names.js';
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import type { Source } from './sources.js';

/** What an archive gives, told from its names. */
export interface Listed {
  readonly source: Source;
  /** The parts of each record. */
  readonly records: readonly (readonly OutPart[])[];
}

/** A record of the archive that is made. */
export interface PlannedRecord {
  readonly source: Source;
  readonly record: number;
  readonly kind: 'chunk' | 'files';
  readonly items: number;
  /** Undefined where the record is taken as it stands. */
  readonly kept: readonly KeptItem[] | undefined;
  /** Whether some of its items are left out: then the others are coded again, or cut out. */
  readonly isCut: boolean;
  /** What its items are called; undefined where they are rows of one file. */
  readonly names: readonly string[] | undefined;
}

/** @throws VaeError ERR_VAE_FORMAT for an archive whose names cannot all be read, or lead out of a folder. */
export async function listOf(source: Source): Promise<Listed> {
  const { records, unreadable } = await source.archive.outline();
  const [damage] = unreadable;
  if (damage !== undefined) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${source.path} is damaged (${damage.reason}); nothing was written. decompress with salvage (--salvage) gives what is whole.`,
    );
  }
  for (const { name } of records.flat()) partsOf(name);
  return { source, records };
}

/** Names of what comes out, in order: files and empty folders. */
export function namesOf({ records }: Listed): string[] {
  return [...new Set(records.flat().map(({ name }) => name))];
}

/** What is kept of an archive. */
export interface Selected {
  readonly list: Listed;
  /** Whether an item goes into the new archive; `item` counts chunks' items through the archive. */
  readonly keep: (part: OutPart, item: number | undefined) => boolean;
  /** What a file is called there. */
  readonly rename?: ((name: string) => string) | undefined;
}

/** Chunks of all archives, and then their files records. @throws VaeError ERR_VAE_DATA where two files have one name. */
export function planOf(selected: readonly Selected[]): PlannedRecord[] {
  const chunks: PlannedRecord[] = [];
  const files: PlannedRecord[] = [];
  for (const each of selected) {
    for (const record of recordsOf(each)) (record.kind === 'chunk' ? chunks : files).push(record);
  }
  return [...chunks, ...files];
}

function recordsOf({ list, keep, rename = (name) => name }: Selected): PlannedRecord[] {
  const { source, records } = list;
  const { archive } = source;
  const kept = records.map((parts, record) =>
    keptOf(list, record, keep).map((index) => ({ index, part: parts[index] })),
  );
  const { called, gone } = copiesOf(
    records.flat(),
    kept.flat().flatMap(({ part }) => part ?? []),
  );
  const nameOf = (name: string): string => rename(called.get(name) ?? name);
  const planned: PlannedRecord[] = [];
  for (const [record, parts] of records.entries()) {
    const isChunk = record < archive.chunkCount;
    const kind = isChunk ? 'chunk' : 'files';
    const items = archive.itemsOf(record);
    if (isChunk && !archive.itemsAreNamed) {
      const indices = kept[record]!.map(({ index }) => index);
      if (indices.length === 0) continue;
      const isCut = indices.length < items;
      const some = isCut ? indices.map((index) => ({ index, name: '' })) : undefined;
      planned.push({ source, record, kind, items: indices.length, kept: some, isCut, names: undefined });
      continue;
    }
    // What is the same as a file that is left out takes over what is stored of it.
    const there = new Set(kept[record]!.map(({ index }) => index));
    const some: KeptItem[] = [];
    for (const [index, { name, sameAs }] of parts.entries()) {
      const stays = called.has(name) && sameAs === undefined;
      if (!(stays || (there.has(index) && !gone.has(name)))) continue;
      const same = sameAs === undefined ? undefined : nameOf(sameAs);
      some.push({ index, name: nameOf(name), ...(same !== undefined && { sameAs: same }) });
    }
    if (some.length === 0) continue;
    const isCut = some.length < items;
    const isSame =
      !isCut &&
      some.every(({ index, name, sameAs }) => {
        const part = parts[index]!;
        return part.name === name && part.sameAs === sameAs;
      });
    const names = some.map(({ name }) => name);
    planned.push({ source, record, kind, items: some.length, kept: isSame ? undefined : some, isCut, names });
  }
  return planned;
}

/** Numbers of the items of a record that stay. */
function keptOf({ source: { archive }, records }: Listed, record: number, keep: Selected['keep']): number[] {
  const isChunk = record < archive.chunkCount;
  const first = isChunk ? archive.chunk(record).firstItem : undefined;
  const parts = records[record]!;
  const items = isChunk ? archive.itemsOf(record) : parts.length;
  const named = !isChunk || archive.itemsAreNamed;
  return Array.from({ length: items }, (_, index) => index).filter((index) =>
    keep(named ? parts[index]! : parts[0]!, first === undefined ? undefined : first + index),
  );
}

/** Of files that are left out while others are the same as they: which of those takes their place. */
function copiesOf(
  all: readonly OutPart[],
  kept: readonly OutPart[],
): { readonly called: ReadonlyMap<string, string>; readonly gone: ReadonlySet<string> } {
  const there = new Set(kept.map(({ name }) => name));
  const stored = new Set(all.filter(({ sameAs }) => sameAs === undefined).map(({ name }) => name));
  const called = new Map<string, string>();
  const gone = new Set<string>();
  for (const { name, sameAs } of kept) {
    if (sameAs === undefined) continue;
    if (!stored.has(sameAs)) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `The archive is damaged: "${shownName(name)}" is said to be the same as "${shownName(sameAs)}", which it does not hold.`,
      );
    }
    if (there.has(sameAs) || called.has(sameAs)) continue;
    called.set(sameAs, name);
    gone.add(name);
  }
  return { called, gone };
}

/** Empty folders that several archives have stand once; two files of one name are refused. */
export function clashes(lists: readonly Listed[], rename: readonly ((name: string) => string)[]): string[] {
  const seen = new Map<string, boolean>();
  const twice = new Set<string>();
  for (const [index, list] of lists.entries()) {
    const own = new Map<string, boolean>();
    const named = list.records.flatMap((parts, record) =>
      record < list.source.archive.chunkCount && !list.source.archive.itemsAreNamed ? [] : parts,
    );
    for (const { name, folder } of named) own.set(rename[index]!(name), folder === true);
    for (const [name, folder] of own) {
      const before = seen.get(name);
      if (before !== undefined && !(before && folder)) twice.add(name);
      seen.set(name, folder);
    }
  }
  return [...twice];
}
