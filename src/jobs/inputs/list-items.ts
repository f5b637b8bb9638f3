/** The items of a job's inputs, in an order of their own, as a stream: what a plan is made of. */

import { matcherOf } from '../../codecs/inputs/glob.js';
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { inflight } from '../../core/in-order.js';
import { isGlob } from '../../data/find-files.js';
import type { Job } from '../job.js';
import { INDEX_FILE } from '../layout.js';
import { absolute, storageOf } from '../places/index.js';
import type { FoundInput, OpenInput } from '../places/place.js';
import type { ItemNotes, Label, PlanItem } from './items.js';
import { kindOfInput, takenBy } from './kinds.js';
import { isList, type ListedPath, listedPaths } from './lists.js';
import { openRowFile } from './rows/index.js';
import { textLines } from './rows/json-lines.js';
import { tarSamples } from './tar-index.js';

export interface ListOptions {
  /** Folder of this machine for what is too long for memory. */
  readonly scratch: string;
  /** Rows of tables are cells for a model of tables. */
  readonly table: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What there is to say of the inputs as a whole, known when all were listed. */
export class InputNotes {
  /** Files in folders that the operation does not take. */
  passedOver = 0;
  /** Of which the first are named. */
  readonly examples: string[] = [];
  labels: 'number' | 'text' | undefined;
  captions = false;

  pass(name: string): void {
    this.passedOver += 1;
    if (this.examples.length < 5) this.examples.push(shownName(name));
  }

  see({ label, caption }: ItemNotes): void {
    if (label !== undefined) this.seeLabels(typeof label === 'number' ? 'number' : 'text');
    if (caption !== undefined) this.captions = true;
  }

  seeLabels(type: 'number' | 'text' | undefined): void {
    if (type === undefined) return;
    this.labels = this.labels === undefined || this.labels === type ? type : 'text';
  }
}

/** @throws VaeError ERR_VAE_IO for an input that is not there, ERR_VAE_DATA for one that holds nothing, or what is not taken. */
export async function* listItems(job: Job, notes: InputNotes, options: ListOptions): AsyncGenerator<PlanItem> {
  for (const input of job.inputs) {
    let any = false;
    for await (const item of itemsOf(input, job, notes, options)) {
      any = true;
      options.signal?.throwIfAborted();
      yield item;
    }
    if (any) continue;
    const others = notes.passedOver > 0 ? ` It holds others: ${notes.examples.join(', ')}.` : '';
    throw new VaeError(
      'ERR_VAE_DATA',
      `${shownName(input.path)}: holds nothing to ${job.operation}; this takes ${takenBy(job.operation)}.${others}`,
    );
  }
}

async function* itemsOf(
  { path, as }: Job['inputs'][number],
  job: Job,
  notes: InputNotes,
  options: ListOptions,
): AsyncGenerator<PlanItem> {
  const storage = storageOf(path);
  const found = await storage.stat(path);
  if (found?.kind === 'folder') return yield* folderItems(path, job, notes, options);
  if (found?.file !== undefined) {
    if (job.operation !== 'decompress' && as !== 'items') {
      const open = await storage.open(path);
      try {
        const list = as === 'list' || (job.operation !== 'compress' && (await isList(open)));
        if (list) return yield* listItemsOf(open, job, notes, options);
      } finally {
        await open.close();
      }
    }
    return yield* expand(found.file, {}, job, notes, options, true);
  }
  if (isGlob(path)) return yield* globItems(path, job, notes, options);
  throw new VaeError('ERR_VAE_IO', `There is no file or folder "${shownName(path)}". Check the path (--input).`);
}

async function* folderItems(path: string, job: Job, notes: InputNotes, options: ListOptions): AsyncGenerator<PlanItem> {
  if (job.operation !== 'compress' && (await isOutput(path))) return yield* shardItems(path, job, notes, options);
  yield* walked(path, job, notes, options, () => true);
}

/** Whether a folder is what a job wrote: then its shards are the input, in their order. */
async function isOutput(folder: string): Promise<boolean> {
  const found = await storageOf(folder).stat(`${folder}/${INDEX_FILE}`);
  if (found?.kind !== 'file') return false;
  const input = await storageOf(folder).open(`${folder}/${INDEX_FILE}`);
  try {
    const head = await input.read(0, Math.min(64, input.size));
    return Buffer.from(head).toString('latin1').startsWith('{"format":"node-vae-index"');
  } finally {
    await input.close();
  }
}

async function* shardItems(path: string, job: Job, notes: InputNotes, options: ListOptions): AsyncGenerator<PlanItem> {
  const storage = storageOf(path);
  const index = await storage.open(`${path}/${INDEX_FILE}`);
  try {
    for await (const line of textLines(index, options.signal)) {
      const name = mainFileIn(line);
      if (name === undefined) continue;
      const found = await storage.stat(`${path}/${name}`);
      if (found?.file === undefined) {
        throw new VaeError('ERR_VAE_DATA', `${path}/${name} is missing, which ${INDEX_FILE} names. Run its job again.`);
      }
      yield* expand(found.file, {}, job, notes, options, true);
    }
  } finally {
    await index.close();
  }
}

/** Of a line of the index: the last file of a shard, which shows that it is whole; others stand beside it. */
function mainFileIn(line: string): string | undefined {
  try {
    const { files } = JSON.parse(line.replace(/,\s*$/, '')) as { files?: readonly { name?: unknown }[] };
    const name = files?.at(-1)?.name;
    return typeof name === 'string' && /^shard-\d+[\w.-]*$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Whatever lies below the part of a glob that has no pattern, and matches. */
async function* globItems(glob: string, job: Job, notes: InputNotes, options: ListOptions): AsyncGenerator<PlanItem> {
  const parts = glob.split('/');
  const fixed = parts.findIndex((part) => isGlob(part));
  const base = parts.slice(0, fixed).join('/') || '/';
  const pattern = parts.slice(fixed).join('/');
  const found = await storageOf(base).stat(base);
  if (found?.kind !== 'folder') {
    throw new VaeError('ERR_VAE_IO', `No file matches "${glob}": there is no folder "${shownName(base)}".`);
  }
  // A pattern without folders is meant for names in the one folder, as shells have it.
  const matches = matcherOf(pattern.includes('/') ? pattern : `/${pattern}`);
  let any = false;
  for await (const item of walked(base, job, notes, options, matches)) {
    any = true;
    yield item;
  }
  if (!any) throw new VaeError('ERR_VAE_IO', `No file matches "${glob}".`);
}

async function* walked(
  folder: string,
  job: Job,
  notes: InputNotes,
  options: ListOptions,
  matches: (name: string) => boolean,
): AsyncGenerator<PlanItem> {
  const { include = [], exclude = [] } = job.options;
  const included = include.map(matcherOf);
  const excluded = exclude.map(matcherOf);
  const { scratch, signal } = options;
  const hidden = job.operation === 'compress';
  for await (const file of storageOf(folder).walk(folder, { hidden, scratch, signal })) {
    // What the job itself wrote, where it writes into the folder that it reads.
    if (file.path.startsWith(`${job.output}/`)) continue;
    if (!matches(file.name)) continue;
    if (included.length > 0 && !included.some((one) => one(file.name))) continue;
    if (excluded.some((one) => one(file.name))) continue;
    const slash = file.name.indexOf('/');
    const label = slash > 0 && job.operation !== 'decompress' ? file.name.slice(0, slash) : undefined;
    yield* expand(file, label === undefined ? {} : { label }, job, notes, options, false);
  }
}

async function* listItemsOf(
  list: OpenInput,
  job: Job,
  notes: InputNotes,
  options: ListOptions,
): AsyncGenerator<PlanItem> {
  for await (const listed of inflight(listedPaths(list, options.signal), (one) => statOf(one, list.path), 32)) {
    const { file, entry } = listed;
    const own: { label?: Label | undefined; caption?: string | undefined } = {
      ...(entry.label !== undefined && { label: entry.label }),
      ...(entry.caption !== undefined && { caption: entry.caption }),
    };
    yield* expand({ ...file, name: entry.name }, own, job, notes, options, true);
  }
}

async function statOf(entry: ListedPath, list: string): Promise<{ file: FoundInput; entry: ListedPath }> {
  const path = absolute(entry.path);
  const found = await storageOf(path)
    .stat(path)
    .catch((error: unknown) => {
      if (error instanceof VaeError && error.code === 'ERR_VAE_IO') return undefined;
      throw error;
    });
  if (found?.kind === 'folder') {
    throw new VaeError('ERR_VAE_DATA', `${list}: "${entry.name}" is a folder; a list names files.`);
  }
  // What is missing is an item that cannot be read: named in errors.jsonl, as those that go later.
  return { file: found?.file ?? { path, name: entry.name, size: 0, state: 'missing' }, entry };
}

/** A file as what it is to the job: an item, rows, samples. */
async function* expand(
  file: FoundInput,
  own: ItemNotes,
  job: Job,
  notes: InputNotes,
  options: ListOptions,
  named: boolean,
): AsyncGenerator<PlanItem> {
  const { path, name, size, state } = file;
  const base = { path, name, size, state, ...own };
  const kind = kindOfInput(path, job.operation);
  if (kind === 'other') {
    if (!named) return notes.pass(name);
    // Pictures, sounds and videos may have any name where they are named one by one.
    if (job.operation === 'decode' || job.operation === 'decompress') {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${shownName(path)}: is nothing to ${job.operation} by its name; this takes ${takenBy(job.operation)}.`,
      );
    }
  }
  if (kind === 'file' || kind === 'other') {
    notes.see(own);
    yield { kind: 'file', ...base };
    return;
  }
  const { signal } = options;
  const input = await storageOf(path).open(path);
  try {
    if (kind === 'samples') {
      for await (const { key, members } of tarSamples(input, signal)) {
        if ('cls' in members) notes.seeLabels('number');
        if ('txt' in members) notes.captions = true;
        notes.see(own);
        yield { kind: 'sample', ...base, name: key, members };
      }
      return;
    }
    const { operation, options: settings } = job;
    const rows = await openRowFile(input, {
      array: settings.array,
      latents: operation === 'decode',
      table: options.table,
      signal,
    });
    try {
      notes.seeLabels(rows.labels);
      if (rows.captions) notes.captions = true;
      notes.see(own);
      for (let from = 0; from < rows.rows; ) {
        const to = Math.min(rows.rows, from + job.shardSize);
        const mark = rows.markOf?.(from);
        yield { kind: 'rows', ...base, from, to, ...(mark && mark.row > 0 && { mark }) };
        from = to;
      }
    } finally {
      await rows.close();
    }
  } finally {
    await input.close();
  }
}
