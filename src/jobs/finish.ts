/** The end of a job: index.json, errors.jsonl and what there is to say. The same bytes whoever does it. */
import { VaeError } from '../core/errors.js';
import { countOf, type PlanItem } from './inputs/items.js';
import type { ItemError, Job, JobSummary, PlannedShard, ShardResult } from './job.js';
import { ERRORS_FILE, INDEX_FILE } from './layout.js';
import { removeLeftovers } from './leftovers.js';
import { identityOf, openPlan, type Plan } from './plan.js';

/** Beyond so many items the index names the first and last of each shard alone; the shards themselves have all names. */
const MOST_NAMED = 1_000_000;

/** Shards that are named where they are missing. */
const MOST_TOLD = 10;

/**
 * Writes index.json and errors.jsonl of a job whose shards are all done.
 *
 * @throws VaeError ERR_VAE_DATA where shards are missing, naming them, or no item gave anything; ERR_VAE_IO.
 */
export async function finishJob(
  job: Pick<Job, 'output'>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<JobSummary> {
  const plan = await openPlan(job.output);
  const results: ShardResult[] = [];
  const missing: number[] = [];
  const totals = { items: 0, rows: 0, failed: 0, bytesIn: 0, bytesOut: 0 };
  for await (const shard of plan) {
    signal?.throwIfAborted();
    const result = await plan.resultOf(shard);
    if (result === undefined) {
      missing.push(shard.number);
      continue;
    }
    results.push({ ...result, errors: result.errors.length > 0 ? result.errors : [] });
    totals.items += result.items;
    totals.rows += result.rows;
    totals.failed += result.errors.length;
    totals.bytesIn += result.bytesIn;
    totals.bytesOut += result.files.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  if (missing.length > 0) {
    const shown = missing.slice(0, MOST_TOLD).join(', ');
    throw new VaeError(
      'ERR_VAE_DATA',
      `${job.output}: ${missing.length} of ${plan.shards} shards are missing: ${shown}${missing.length > MOST_TOLD ? ', …' : ''}. Run the job again.`,
    );
  }
  await writeErrors(plan);
  if (totals.items === 0 && totals.failed > 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${job.output}: none of ${totals.failed} items could be used. The first: ${results.find(({ errors }) => errors.length > 0)!.errors[0]!.reason} All are in ${ERRORS_FILE}.`,
    );
  }
  await plan.place.write(INDEX_FILE, indexOf(plan, results, totals), signal);
  await removeLeftovers(plan);
  return { output: job.output, shards: plan.shards, shardsBefore: results.length, ...totals };
}

/**
 * errors.jsonl of what is done so far; of a job without errors there is none.
 *
 * @param unfinished errors of shards that are not done, by their numbers.
 */
export async function writeErrors(
  plan: Plan,
  unfinished: ReadonlyMap<number, readonly ItemError[]> = new Map(),
): Promise<void> {
  const lines = async function* (): AsyncGenerator<Uint8Array> {
    for await (const shard of plan) {
      const errors = unfinished.get(shard.number) ?? (await plan.resultOf(shard))?.errors ?? [];
      if (errors.length > 0) yield Buffer.from(errors.map((error) => `${JSON.stringify(error)}\n`).join(''));
    }
  };
  const first = lines();
  const head = await first.next();
  if (head.done) await plan.place.remove(ERRORS_FILE);
  else {
    await plan.place.write(
      ERRORS_FILE,
      (async function* () {
        yield head.value;
        yield* first;
      })(),
    );
  }
}

async function* indexOf(
  plan: Plan,
  results: readonly ShardResult[],
  totals: Readonly<Record<string, number>>,
): AsyncGenerator<Uint8Array> {
  const { job, summary } = plan;
  const named = plan.items <= MOST_NAMED;
  const head = {
    ...{ format: 'node-vae-index', version: 1, ...identityOf(job) },
    model: job.model && { source: nameOf(job.model.source), sha256: job.model.sha256 },
    inputs: job.inputs.map(({ path }) => path),
    labels: summary.labels ?? null,
    captions: summary.captions,
    ...totals,
    ...(!named && { namesIn: 'the shards; first and last here' }),
  };
  yield Buffer.from(`${JSON.stringify(head).slice(0, -1)},\n"shards":[`);
  for await (const shard of plan) {
    const { files, items, rows, errors } = results[shard.number]!;
    const contains = await containsOf(plan, shard, named);
    const entry = { shard: shard.number, files, items, rows, failed: errors.length, ...contains };
    yield Buffer.from(`${shard.number > 0 ? ',' : ''}\n${JSON.stringify(entry)}`);
  }
  yield Buffer.from('\n]}\n');
}

/** The name of a model's folder: where it lay on one machine is of no use on another. */
function nameOf(source: string): string {
  return source.slice(source.replace(/[\\/]+$/, '').search(/[^\\/]*$/)).replace(/[\\/]+$/, '');
}

async function containsOf(plan: Plan, shard: PlannedShard, named: boolean): Promise<Record<string, unknown>> {
  const items = await plan.itemsOf(shard);
  if (named) return { contains: items.map(told) };
  return {
    first: told(items[0]!),
    last: told(items.at(-1)!),
    count: items.reduce((sum, item) => sum + countOf(item), 0),
  };
}

/** The name of an item, or a range of rows. */
function told(item: PlanItem): unknown {
  return item.kind === 'rows' ? { rows: item.name, from: item.from, to: item.to } : item.name;
}
