import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { isSameFile } from '../../archive/publish.js';
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { editShape } from './options.js';
import { clashes, type Listed, listOf, planOf } from './plan.js';
import { openSources } from './sources.js';
import { type EditedArchive, writeEdited } from './write.js';

const schema = z.strictObject({
  /** Where the archive goes. It appears under this name only when it is complete. */
  output: z.string().min(1),
  /**
   * What becomes of names that several archives have: `refuse`, the default, or `folder`: every file goes into a folder
   * that is called like its archive.
   */
  clash: z.enum(['refuse', 'folder']).default('refuse'),
  ...editShape,
});

export interface MergeOptions extends InputOf<typeof schema> {}

export interface MergeResult extends EditedArchive {
  readonly archives: number;
  readonly seconds: number;
}

/**
 * Joins archives of one kind and one model without coding what they hold again. Rows of arrays follow one another, under the
 * name of the first.
 *
 * An interrupted run leaves `.NAME.partial` beside the output; the same call again goes on from there.
 *
 * @throws VaeError ERR_VAE_REPRODUCIBILITY for archives of different models, ERR_VAE_SHAPE for different kinds of items,
 *   ERR_VAE_DATA for names that several have, ERR_VAE_FORMAT naming one that is damaged, ERR_VAE_IO where something cannot
 *   be read or written or is there already, the signal's reason when aborted.
 */
export async function mergeArchives(inputs: readonly string[], options: MergeOptions): Promise<MergeResult> {
  const where = 'mergeArchives()';
  const parsed = parseOptions(schema, options, where);
  const started = performance.now();
  if (!Array.isArray(inputs) || inputs.length === 0 || !inputs.every((each) => typeof each === 'string')) {
    throw new VaeError('ERR_VAE_OPTION', `${where}: expected the paths of archives.`);
  }
  refuseStream(parsed.output, where);
  await refuseTwice(inputs);
  const needed = parsed.verify || parsed.clash === 'folder';
  await using sources = await openSources(inputs, { model: parsed.model, needed, where });
  const lists: Listed[] = [];
  for (const source of sources.all) lists.push(await listOf(source));
  const renames = parsed.clash === 'folder' ? foldersOf(inputs) : inputs.map(() => (name: string) => name);
  const twice = clashes(lists, renames);
  if (twice.length > 0) {
    const shown = twice.slice(0, 5).map((name) => `"${shownName(name)}"`);
    throw new VaeError(
      'ERR_VAE_DATA',
      `Several of the archives hold ${shown.join(', ')}${twice.length > 5 ? ` and ${twice.length - 5} more names` : ''}. Nothing was written; let every file go into a folder called like its archive (clash: 'folder', --clash folder), or leave them out of one (archive rm).`,
    );
  }
  const folders = new Set<string>();
  const plan = planOf(
    lists.map((list, index) => {
      const rename = renames[index]!;
      // An empty folder that several have is there once.
      const own = new Set(list.records.flat().flatMap(({ name, folder }) => (folder ? [name] : [])));
      const again = new Set([...own].filter((name) => folders.has(rename(name))));
      for (const name of own) folders.add(rename(name));
      return { list, keep: ({ name, folder }) => !(folder && again.has(name)), rename };
    }),
  );
  const written = await writeEdited(plan, sources, parsed.output, parsed);
  return { ...written, archives: inputs.length, seconds: (performance.now() - started) / 1000 };
}

/** @throws VaeError ERR_VAE_OPTION: what is written is read again before it gets its name. */
export function refuseStream(output: string, where: string): void {
  if (output === '-') throw new VaeError('ERR_VAE_OPTION', `${where}: name a file for the archive, not a stream.`);
}

async function refuseTwice(inputs: readonly string[]): Promise<void> {
  for (const [index, path] of inputs.entries()) {
    for (const other of inputs.slice(0, index)) {
      if (path === other || (await isSameFile(path, other)))
        throw new VaeError('ERR_VAE_OPTION', `${path} is given twice: every archive is merged once.`);
    }
  }
}

/** A folder for each archive, called like it; those of one name are numbered. */
function foldersOf(inputs: readonly string[]): ((name: string) => string)[] {
  const taken = new Set<string>();
  return inputs.map((path) => {
    const stem = basename(path).replace(/\.vaez$/i, '') || 'archive';
    let folder = stem;
    for (let number = 2; taken.has(folder); number += 1) folder = `${stem}-${number}`;
    taken.add(folder);
    return (name) => `${folder}/${name}`;
  });
}
