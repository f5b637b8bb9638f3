import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { chosenNames } from './choose.js';
import { refuseStream } from './merge.js';
import { editShape } from './options.js';
import { listOf, namesOf, planOf } from './plan.js';
import { openSources } from './sources.js';
import { type EditedArchive, writeEdited } from './write.js';

const { force: _, ...shared } = editShape;

const schema = z.strictObject({
  /** Files that are left out: names, folders with all below them, or patterns (* ? [ ] { }). */
  names: z.array(z.string().min(1)).default([]),
  /** Items that are left out, by their numbers from 0, as inclusive ranges [first, last]: rows of an array, pictures. */
  items: z.array(z.tuple([z.int().min(0), z.int().min(0)])).default([]),
  /** Where the archive goes. Default: it takes the place of the one that was read, once it is complete. */
  output: z.string().min(1).optional(),
  /** Replace a file that is at `output`. Default false: it is refused. */
  force: z.boolean().default(false),
  ...shared,
});

export interface RemoveOptions extends InputOf<typeof schema> {}

export interface RemoveResult extends EditedArchive {
  /** Names of the files that are left out. */
  readonly removed: readonly string[];
  /** Items of chunks that are left out. */
  readonly removedItems: number;
  readonly bytesIn: number;
  readonly seconds: number;
}

/**
 * Makes an archive without some of its files. Chunks that nothing is taken from stay byte for byte what they are; of the
 * others, what is left is coded again, with the model. Nothing that was left out is in the new file.
 *
 * @throws VaeError ERR_VAE_OPTION for names that are not there, ERR_VAE_DATA where nothing would be left, ERR_VAE_FORMAT for
 *   an archive that is damaged, ERR_VAE_IO where something cannot be read or written, the signal's reason when aborted.
 */
export async function removeFromArchive(input: string, options: RemoveOptions): Promise<RemoveResult> {
  const where = 'removeFromArchive()';
  const parsed = parseOptions(schema, options, where);
  const started = performance.now();
  const { names, items, model, verify, output = input, force } = parsed;
  if (names.length === 0 && items.length === 0) {
    throw new VaeError('ERR_VAE_OPTION', `${where}: expected "names" or "items" to leave out, received neither.`);
  }
  refuseStream(output, where);
  const { size } = await stat(input).catch(() => ({ size: 0 }));
  await using sources = await openSources([input], { model, needed: verify || 'where found', where });
  const [source] = sources.all;
  const list = await listOf(source!);
  const all = namesOf(list);
  const chosen = names.length > 0 ? chosenNames(names, all, input) : new Set<string>();
  const total = source!.layout.chunks.reduce((sum, each) => sum + each.items, 0);
  for (const [first, last] of items) {
    if (first <= last && last < total) continue;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: ${input} has ${total} items, from 0; received ${first} to ${last}.`,
    );
  }
  const within = (item: number | undefined): boolean =>
    item !== undefined && items.some(([first, last]) => first <= item && item <= last);
  // A file of several chunks goes as a whole.
  const byNumber = new Set<string>();
  for (const [record, parts] of list.records.entries()) {
    if (record >= source!.archive.chunkCount || !source!.archive.itemsAreNamed) continue;
    const { firstItem } = source!.archive.chunk(record);
    for (const [index, { name }] of parts.entries()) if (within(firstItem + index)) byNumber.add(name);
  }
  const goes = new Set([...chosen, ...byNumber]);
  const isNamed = source!.archive.itemsAreNamed;
  const plan = planOf([
    { list, keep: ({ name }, item) => !goes.has(name) && (isNamed || item === undefined || !within(item)) },
  ]);
  if (plan.length === 0) {
    throw new VaeError('ERR_VAE_DATA', `Nothing would be left of ${input}. Delete the file itself, if that is meant.`);
  }
  const written = await writeEdited(plan, sources, output, { ...parsed, force: force || output === input });
  return {
    ...{ ...written, removed: [...goes], removedItems: total - written.items, bytesIn: size },
    seconds: (performance.now() - started) / 1000,
  };
}
