import { lstat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { RECORD_BYTES } from '../../archive/format.js';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { NO_MODEL } from '../models/for-archive.js';
import { openAny } from '../open.js';
import { chosenNames } from './choose.js';
import { editShape } from './options.js';
import { type Listed, listOf, namesOf, type PlannedRecord, planOf } from './plan.js';
import { openSources } from './sources.js';
import { type EditedArchive, writeEdited } from './write.js';

const schema = z.strictObject({
  /** Folder that the archives go into, as `NAME-0001.vaez` and so on; made where missing. */
  output: z.string().min(1),
  /** Files of each archive; of an array, items. Chunks that lie across a border are cut, and coded again. */
  count: z.int().min(1).optional(),
  /** Bytes of each archive, roughly and at the most, where one chunk is no more: they are taken apart between chunks only. */
  bytes: z.int().min(1).optional(),
  /**
   * One archive for each of these names, folders or patterns (* ? [ ] { }); what several mean is in the first. What none
   * means is in a last archive.
   */
  names: z.array(z.string().min(1)).min(1).optional(),
  ...editShape,
});

export interface SplitOptions extends InputOf<typeof schema> {}

export interface SplitResult {
  readonly archives: readonly EditedArchive[];
  /** Archives that an interrupted run had written before. */
  readonly there: number;
  readonly seconds: number;
}

/**
 * Takes an archive apart into several, each of them whole. The archive itself stays.
 *
 * An interrupted run is gone on from by the same call: what is there already, and is what it should be, stays.
 *
 * @throws VaeError ERR_VAE_OPTION for what was asked, ERR_VAE_FORMAT for an archive that is damaged, ERR_VAE_IO where
 *   something cannot be read or written, or another file is there (see `force`), the signal's reason when aborted.
 */
export async function splitArchive(input: string, options: SplitOptions): Promise<SplitResult> {
  const where = 'splitArchive()';
  const parsed = parseOptions(schema, options, where);
  const { output, count, bytes, names, model, verify, force } = parsed;
  const started = performance.now();
  if ([count, bytes, names].filter((each) => each !== undefined).length !== 1) {
    throw new VaeError('ERR_VAE_OPTION', `${where}: expected one of "count", "bytes" and "names".`);
  }
  await using sources = await openSources([input], { model, needed: verify || 'where found', where });
  const list = await listOf(sources.all[0]!);
  const plans =
    count !== undefined
      ? byCount(list, count)
      : bytes !== undefined
        ? await byBytes(list, bytes)
        : byNames(list, names!, input);
  const stem = basename(input).replace(/\.vaez$/i, '') || 'archive';
  const width = Math.max(4, String(plans.length).length);
  await makeFolder(output).catch((error: unknown) => {
    throw ioError(error, `making ${output}`);
  });
  const parts = plans.map((plan, index) => ({
    plan,
    path: join(output, `${stem}-${String(index + 1).padStart(width, '0')}.vaez`),
  }));
  const there = new Set<string>();
  for (const { plan, path } of parts) {
    if (force || (await lstat(path).catch(() => undefined)) === undefined) continue;
    if (!(await isAlready(plan, path, parsed.signal))) {
      throw new VaeError(
        'ERR_VAE_IO',
        `${path} is there already and is another file. Nothing was written; choose another folder, or say that it may be replaced (force, --force).`,
      );
    }
    there.add(path);
  }
  const archives: EditedArchive[] = [];
  for (const { plan, path } of parts) {
    if (there.has(path)) continue;
    archives.push(await writeEdited(plan, sources, path, parsed));
  }
  return { archives, there: there.size, seconds: (performance.now() - started) / 1000 };
}

function byCount(list: Listed, count: number): PlannedRecord[][] {
  const { archive, layout } = list.source;
  const rows = archive.itemsAreNamed ? 0 : layout.chunks.reduce((sum, { items }) => sum + items, 0);
  const unnamed = new Set(archive.itemsAreNamed ? [] : list.records.slice(0, archive.chunkCount).flat());
  const names = [
    ...new Set(
      list.records
        .flat()
        .filter((part) => !unnamed.has(part))
        .map(({ name }) => name),
    ),
  ];
  const place = new Map(names.map((name, index) => [name, Math.floor((rows + index) / count)]));
  const parts = Math.ceil((rows + names.length) / count);
  return Array.from({ length: parts }, (_, part) =>
    planOf([
      {
        list,
        keep: (each, item) => (unnamed.has(each) ? Math.floor(item! / count) === part : place.get(each.name) === part),
      },
    ]),
  );
}

function byNames(list: Listed, wanted: readonly string[], path: string): PlannedRecord[][] {
  const all = namesOf(list);
  const place = new Map<string, number>();
  for (const [index, each] of wanted.entries()) {
    for (const name of chosenNames([each], all, path)) if (!place.has(name)) place.set(name, index);
  }
  const plans = Array.from({ length: wanted.length + 1 }, (_, index) =>
    planOf([{ list, keep: ({ name }) => (place.get(name) ?? wanted.length) === index }]),
  );
  return plans.filter((plan) => plan.length > 0);
}

/** Records that hold parts of one file, or files that are the same as those of another, stay together. */
async function byBytes(list: Listed, most: number): Promise<PlannedRecord[][]> {
  const { archive } = list.source;
  const sizes: number[] = [];
  for (let record = 0; record < archive.recordCount; record += 1) sizes.push((await archive.codingOf(record)).bytes);
  const groups = groupsOf(list);
  const fixed = archive.byteLength - sizes.reduce((sum, size) => sum + size, 0);
  const overhead = Math.min(fixed, 4 * RECORD_BYTES + 1024 + embedded(list));
  const parts: number[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    const own = group.reduce((sum, record) => sum + sizes[record]! + 16, 0);
    if (size + own > most) {
      parts.push([]);
      size = overhead;
    }
    parts.at(-1)!.push(...group);
    size += own;
  }
  return parts.map((records) => {
    const within = new Set(records);
    const kept = new Map<unknown, boolean>();
    for (const [record, own] of list.records.entries()) for (const part of own) kept.set(part, within.has(record));
    return planOf([{ list, keep: (part) => kept.get(part) === true }]);
  });
}

function embedded({ source: { layout } }: Listed): number {
  const first = [...layout.chunks, ...layout.files].sort((a, b) => a.offset - b.offset)[0];
  return layout.modelOffset === undefined || first === undefined ? 0 : first.offset - layout.modelOffset;
}

/** Records in order, those that belong together in one group. */
function groupsOf({ records, source: { archive } }: Listed): number[][] {
  const above = records.map((_, record) => record);
  const root = (record: number): number => {
    let at = record;
    while (above[at] !== at) at = above[at] = above[above[at]!]!;
    return at;
  };
  const first = new Map<string, number>();
  const join = (name: string, record: number): void => {
    const before = first.get(name);
    if (before === undefined) first.set(name, record);
    else above[Math.max(root(before), root(record))] = Math.min(root(before), root(record));
  };
  for (const [record, parts] of records.entries()) {
    if (record < archive.chunkCount && !archive.itemsAreNamed) continue;
    for (const { name, sameAs } of parts) {
      join(name, record);
      if (sameAs !== undefined) join(sameAs, record);
    }
  }
  const groups = new Map<number, number[]>();
  for (const record of records.keys()) groups.set(root(record), [...(groups.get(root(record)) ?? []), record]);
  return [...groups.values()];
}

/** Whether an archive has these very records. */
async function isAlready(plan: readonly PlannedRecord[], path: string, signal?: AbortSignal): Promise<boolean> {
  const opened = await openAny(path, { model: NO_MODEL }).catch(() => undefined);
  if (opened === undefined) return false;
  await using archive = opened.archive;
  if (!archive.complete || archive.recordCount !== plan.length) return false;
  for (const [index, { source, record, kept, items }] of plan.entries()) {
    if (archive.itemsOf(index) !== items) return false;
    const wanted =
      kept === undefined
        ? await source.archive.checksumOf(record)
        : (await source.archive.editedOf(record, kept, signal)).header.checksum;
    if (Buffer.compare(wanted, await archive.checksumOf(index)) !== 0) return false;
  }
  return true;
}
