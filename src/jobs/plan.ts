/** The plan of a job: its items in shards, written as they are listed, in the memory of one shard. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import { writeFully } from '../core/ranges.js';
import { countOf, fromLine, type PlanItem, toLine } from './inputs/items.js';
import { InputNotes, listItems } from './inputs/list-items.js';
import { type Job, type PlannedShard, parseJob, type ShardResult } from './job.js';
import { doneFile, INDEX_FILE, itemsFile, JOB_FILE, PLAN_FILE, SHARDS_FILE } from './layout.js';
import { openPlace } from './places/index.js';
import type { Place } from './places/place.js';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** A list of a shard's items is at most so long. */
const MOST_LIST_BYTES = 2 ** 30;

const summarySchema = z.strictObject({
  format: z.literal('node-vae-plan'),
  version: z.literal(1),
  shards: z.int().min(0),
  items: z.int().min(0),
  /** Type of the items' labels, where any has one. */
  labels: z.enum(['number', 'text']).optional(),
  captions: z.boolean(),
  /** Files in the inputs that the operation does not take. */
  passedOver: z.int().min(0),
  examples: z.array(z.string()),
});

export type PlanSummary = z.output<typeof summarySchema>;

export interface PlanProgress {
  readonly items: number;
  readonly shards: number;
}

export interface PlanOptions {
  /** Plans anew where inputs, model or options are others than those of the job that is there. Default false. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PlanProgress) => void) | undefined;
}

/** A job that was planned. */
export class Plan {
  readonly job: Job;
  /** @internal */
  readonly summary: PlanSummary;
  /** @internal */
  readonly place: Place;
  readonly #jobKey: string;
  #shards: Promise<readonly PlannedShard[]> | undefined;

  /** @internal */
  constructor(job: Job, summary: PlanSummary, place: Place) {
    this.job = job;
    this.summary = summary;
    this.place = place;
    this.#jobKey = JSON.stringify([identityOf(job), summary.labels ?? null, summary.captions]);
  }

  get shards(): number {
    return this.summary.shards;
  }

  get items(): number {
    return this.summary.items;
  }

  /** All shards in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PlannedShard> {
    yield* await this.#all();
  }

  /** @throws VaeError ERR_VAE_OPTION for a number that the plan does not have. */
  async shard(number: number): Promise<PlannedShard> {
    const found = Number.isInteger(number) ? (await this.#all())[number] : undefined;
    if (found !== undefined) return found;
    throw new VaeError('ERR_VAE_OPTION', `The job has the shards 0 to ${this.shards - 1}, not ${number}.`);
  }

  /** @internal The items of a shard. @throws VaeError ERR_VAE_FORMAT where its list is damaged. */
  async itemsOf(shard: PlannedShard): Promise<PlanItem[]> {
    const name = itemsFile(shard.number);
    const where = `${this.place.url}/${name}`;
    const packed = await this.place.read(name);
    if (packed === undefined) throw new VaeError('ERR_VAE_IO', `${where} is missing. Plan the job again (--force).`);
    let bytes: Buffer;
    try {
      bytes = await decompress(packed, { maxOutputLength: MOST_LIST_BYTES });
    } catch (cause) {
      throw new VaeError('ERR_VAE_FORMAT', `${where}: damaged. Plan the job again (--force).`, { cause });
    }
    if (createHash('sha256').update(bytes).digest('hex') !== shard.digest) {
      throw new VaeError('ERR_VAE_FORMAT', `${where}: is not the list that was planned. Plan the job again (--force).`);
    }
    const lines = bytes.toString('utf8').split('\n');
    lines.pop();
    return lines.map((line) => fromLine(line, where));
  }

  /** @internal By what a shard is known to be done: what it is made of, and how. */
  keyOf({ number, digest }: PlannedShard): string {
    return createHash('sha256').update(`${this.#jobKey}\n${number}\n${digest}`).digest('hex');
  }

  /** What became of a shard, where it is done and its files are there; undefined otherwise. */
  async resultOf(shard: PlannedShard): Promise<ShardResult | undefined> {
    const result = await readResult(this.place, shard.number);
    if (result === undefined || result.key !== this.keyOf(shard)) return undefined;
    for (const { name, bytes } of result.files) if ((await this.place.size(name)) !== bytes) return undefined;
    return { ...result, wasDone: true, seconds: NO_SECONDS };
  }

  #all(): Promise<readonly PlannedShard[]> {
    this.#shards ??= readShards(this.place, this.summary);
    return this.#shards;
  }
}

export const NO_SECONDS = { read: 0, decode: 0, run: 0, write: 0 } as const;

/** What a job's outputs depend on, but for the items. */
export function identityOf(job: Job): Record<string, unknown> {
  const { release, operation, model, shardSize, outputFormat, options } = job;
  const sorted = Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined && value !== false)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return { release, operation, model: model?.sha256 ?? null, shardSize, outputFormat, options: sorted };
}

/**
 * Opens the plan of a job.
 *
 * @param output its folder.
 * @throws VaeError ERR_VAE_IO where no job was planned, ERR_VAE_FORMAT where its files are damaged.
 */
export async function openPlan(output: string): Promise<Plan> {
  const place = openPlace(output);
  const job = await readJob(place);
  const summary = await readSummary(place);
  if (job === undefined || summary === undefined) {
    throw new VaeError(
      'ERR_VAE_IO',
      `${output}: no job was planned there, or its planning was interrupted. Start it again.`,
    );
  }
  return new Plan(job, summary, place);
}

/**
 * Lists the inputs of a job and cuts them into shards; where the job is planned already, compares.
 *
 * @throws VaeError ERR_VAE_REPRODUCIBILITY naming what changed since, unless `force`; ERR_VAE_IO where the folder holds
 *   something else; what the inputs throw.
 */
export async function planJob(job: Job, options: PlanOptions = {}): Promise<Plan> {
  const place = openPlace(job.output);
  const before = await readJob(place);
  const force = options.force ?? false;
  if (before === undefined && !force) await refuseForeign(place);
  const known = before === undefined ? undefined : await readSummary(place).catch(orForget(force));
  // A job whose planning did not come to its end has made nothing yet.
  if (known !== undefined && !force) refuseOther(before!, job);
  const scratch = await makeScratch(place);
  try {
    if (known !== undefined) {
      const plan = new Plan(before!, known, place);
      const same = JSON.stringify(identityOf(before!)) === JSON.stringify(identityOf(job));
      const difference = same ? await compare(job, plan, scratch, options) : 'the job itself';
      if (difference === undefined) return new Plan({ ...job }, known, place);
      if (!force) throw changed(place, difference);
    }
    await place.remove(PLAN_FILE);
    await place.remove(INDEX_FILE);
    const summary = await writePlan(job, place, scratch, options);
    const plan = new Plan(job, summary, place);
    if (force) await dropOthers(plan);
    return plan;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function orForget(force: boolean): (error: unknown) => undefined {
  return (error) => {
    if (!force) throw error;
    return undefined;
  };
}

async function makeScratch(place: Place): Promise<string> {
  if (place.local === undefined) return mkdtemp(join(tmpdir(), 'node-vae-plan-'));
  const folder = join(place.local, '.job');
  await mkdir(folder, { recursive: true });
  return mkdtemp(join(folder, 'planning-'));
}

/** Shards of the inputs, one after another. */
async function* shardsOf(
  job: Job,
  notes: InputNotes,
  scratch: string,
  { signal, onProgress }: PlanOptions,
): AsyncGenerator<PlannedShard & { readonly lines: string }> {
  let lines: string[] = [];
  let count = 0;
  let number = 0;
  let items = 0;
  const finish = (): PlannedShard & { readonly lines: string } => {
    const text = lines.join('');
    const digest = createHash('sha256').update(text).digest('hex');
    const shard = { number, items: count, digest, lines: text };
    items += count;
    lines = [];
    count = 0;
    number += 1;
    onProgress?.({ items, shards: number });
    return shard;
  };
  const table = job.options.tableModel ?? false;
  for await (const item of listItems(job, notes, { scratch, table, signal })) {
    for (let left: PlanItem | undefined = item; left !== undefined; ) {
      const room = job.shardSize - count;
      const [now, later] = splitAt(left, room);
      lines.push(toLine(now));
      count += countOf(now);
      left = later;
      if (count === job.shardSize) yield finish();
    }
  }
  if (count > 0) yield finish();
}

/** The first `count` items of a line, and what is left of it. */
function splitAt(item: PlanItem, count: number): readonly [PlanItem, PlanItem | undefined] {
  if (item.kind !== 'rows' || item.to - item.from <= count) return [item, undefined];
  const middle = item.from + count;
  return [
    { ...item, to: middle },
    { ...item, from: middle },
  ];
}

async function writePlan(job: Job, place: Place, scratch: string, options: PlanOptions): Promise<PlanSummary> {
  const notes = new InputNotes();
  const listing = join(scratch, 'shards');
  const file = await open(listing, 'w');
  let shards = 0;
  let items = 0;
  try {
    for await (const { lines, ...shard } of shardsOf(job, notes, scratch, options)) {
      await place.write(itemsFile(shard.number), [await compress(lines, { level: 6 })], options.signal);
      await writeFully(file, Buffer.from(`${JSON.stringify(shard)}\n`), null);
      shards += 1;
      items += shard.items;
    }
  } finally {
    await file.close();
  }
  await place.write(SHARDS_FILE, createReadStream(listing) as AsyncIterable<Buffer>);
  const summary: PlanSummary = {
    ...{ format: 'node-vae-plan', version: 1, shards, items },
    ...(notes.labels && { labels: notes.labels }),
    ...{ captions: notes.captions, passedOver: notes.passedOver, examples: notes.examples },
  };
  const { output: _, ...kept } = job;
  await place.write(JOB_FILE, [Buffer.from(`${JSON.stringify(kept, null, 2)}\n`)]);
  await place.write(PLAN_FILE, [Buffer.from(`${JSON.stringify(summary, null, 2)}\n`)]);
  return summary;
}

/** What is other than it was planned, in words; undefined where nothing is. */
async function compare(job: Job, plan: Plan, scratch: string, options: PlanOptions): Promise<string | undefined> {
  let items = 0;
  let number = 0;
  for await (const { lines, ...shard } of shardsOf(job, new InputNotes(), scratch, options)) {
    if (shard.number >= plan.shards) return `there are items that were not there, such as ${nameIn(lines, 0)}`;
    const before = await plan.shard(shard.number);
    if (before.digest !== shard.digest) return differenceIn(lines, await plan.itemsOf(before));
    items += shard.items;
    number += 1;
  }
  if (number < plan.shards) return `of ${plan.items} items ${plan.items - items} are gone`;
  return undefined;
}

function nameIn(lines: string, index: number): string {
  return shownName(fromLine(lines.split('\n')[index]!, 'the plan').name);
}

function differenceIn(lines: string, before: readonly PlanItem[]): string {
  const now = lines.split('\n').slice(0, -1);
  for (let at = 0; at < Math.max(now.length, before.length); at += 1) {
    const old = before[at];
    const line = now[at];
    if (line === undefined) return `${shownName(old!.name)} is gone`;
    const item = fromLine(line, 'the plan');
    if (old === undefined) return `${shownName(item.name)} was not there`;
    if (toLine(old).trimEnd() === line) continue;
    if (old.path === item.path && old.name === item.name) {
      if (old.size !== item.size || old.state !== item.state) return `${shownName(item.name)} has changed`;
      return `${shownName(item.name)} has another label, caption or number of rows`;
    }
    const names = new Set(now.map((one) => fromLine(one, 'the plan').name));
    return names.has(old.name) ? `${shownName(item.name)} was not there` : `${shownName(old.name)} is gone`;
  }
  return 'the items are others';
}

/** @throws VaeError ERR_VAE_REPRODUCIBILITY where the folder's job is another one. */
function refuseOther(before: Job, job: Job): void {
  const [old, now] = [identityOf(before), identityOf(job)];
  const words: string[] = [];
  for (const key of Object.keys(now)) {
    if (JSON.stringify(old[key]) === JSON.stringify(now[key])) continue;
    if (key !== 'options') words.push(`${WORDS[key] ?? key} was ${String(old[key])}, is ${String(now[key])}`);
    else {
      const [from, to] = [old[key] as Record<string, unknown>, now[key] as Record<string, unknown>];
      for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
        if (JSON.stringify(from[name]) === JSON.stringify(to[name])) continue;
        words.push(`option ${name} was ${tell(from[name])}, is ${tell(to[name])}`);
      }
    }
  }
  const inputs = ({ inputs: all }: Job): string => JSON.stringify(all);
  if (words.length === 0 && inputs(before) !== inputs(job)) {
    const names = ({ inputs: all }: Job): string => all.map(({ path }) => shownName(path)).join(', ');
    words.push(`inputs were ${names(before)}, are ${names(job)}`);
  }
  if (words.length > 0) throw changed({ url: job.output }, words.join('; '));
}

const WORDS: Readonly<Record<string, string>> = {
  release: 'the release of node-vae',
  model: "the model's SHA-256",
  shardSize: 'the size of shards',
  outputFormat: 'the format',
};

function tell(value: unknown): string {
  return value === undefined ? 'not given' : JSON.stringify(value);
}

function changed({ url }: { readonly url: string }, difference: string): VaeError {
  return new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `${url} holds a job that was begun otherwise: ${difference}. Give another output, or have it made anew where it differs (force, --force).`,
  );
}

/** @throws VaeError ERR_VAE_IO where a folder holds files, and no job. */
async function refuseForeign(place: Place): Promise<void> {
  const names: string[] = [];
  for await (const name of place.names('')) {
    names.push(name);
    if (names.length === 3) break;
  }
  if (names.length === 0) return;
  throw new VaeError(
    'ERR_VAE_IO',
    `${place.url} is a folder with files in it that are no job's (${names.map(shownName).join(', ')}). Choose another, or say that files of the same name may be replaced (force, --force).`,
  );
}

/** Removes what an earlier plan made and this one does not have: shards of other keys. */
async function dropOthers(plan: Plan): Promise<void> {
  for await (const name of plan.place.names('.job/done')) {
    const number = Number(/^(\d+)\.json$/.exec(name)?.[1]);
    if (!Number.isInteger(number)) continue;
    const result = await readResult(plan.place, number).catch(() => undefined);
    const same = number < plan.shards && result?.key === plan.keyOf(await plan.shard(number));
    if (same) continue;
    for (const file of result?.files ?? []) await plan.place.remove(file.name);
    await plan.place.remove(doneFile(number));
  }
  for await (const name of plan.place.names('.job/plan')) {
    if (Number.parseInt(name, 10) >= plan.shards) await plan.place.remove(`.job/plan/${name}`);
  }
}

async function readJob(place: Place): Promise<Job | undefined> {
  const bytes = await place.read(JOB_FILE);
  if (bytes === undefined) return undefined;
  const where = `${place.url}/${JOB_FILE}`;
  return parseJob({ ...(parseJson(bytes, where) as object), output: place.url }, where);
}

async function readSummary(place: Place): Promise<PlanSummary | undefined> {
  const bytes = await place.read(PLAN_FILE);
  if (bytes === undefined) return undefined;
  const where = `${place.url}/${PLAN_FILE}`;
  const parsed = summarySchema.safeParse(parseJson(bytes, where));
  if (parsed.success) return parsed.data;
  throw new VaeError('ERR_VAE_FORMAT', `${where}: damaged. Plan the job again (--force).`);
}

const shardSchema = z.strictObject({
  number: z.int().min(0),
  items: z.int().positive(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});

async function readShards(place: Place, { shards }: PlanSummary): Promise<readonly PlannedShard[]> {
  const where = `${place.url}/${SHARDS_FILE}`;
  const bytes = await place.read(SHARDS_FILE);
  const lines = Buffer.from(bytes ?? [])
    .toString('utf8')
    .split('\n')
    .slice(0, -1);
  const all = lines.map((line) => shardSchema.safeParse(parseJson(Buffer.from(line), where)).data);
  if (all.length === shards && all.every((shard, index) => shard?.number === index)) return all as PlannedShard[];
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${where}: damaged: it has not the ${shards} shards. Plan the job again (--force).`,
  );
}

const resultSchema = z.strictObject({
  shard: z.int().min(0),
  key: z.string(),
  files: z.array(
    z.strictObject({ name: z.string().regex(/^shard-\d{6}[\w.-]*$/), bytes: z.int().min(0), sha256: z.string() }),
  ),
  items: z.int().min(0),
  rows: z.int().min(0),
  bytesIn: z.number().min(0),
  errors: z.array(z.strictObject({ shard: z.int(), name: z.string(), code: z.string(), reason: z.string() })),
});

/** What `.job/done` says of a shard; a damaged file says nothing. */
async function readResult(place: Place, shard: number): Promise<z.output<typeof resultSchema> | undefined> {
  const bytes = await place.read(doneFile(shard));
  if (bytes === undefined) return undefined;
  try {
    return resultSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return undefined;
  }
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${where}: damaged: no JSON. Plan the job again (--force).`, { cause });
  }
}
