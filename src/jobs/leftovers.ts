/** What processes that were killed left beside the files of a job. */
import { readdir, rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { TEMPORARY_ENDING } from '../core/temporary.js';
import { SPOOL_FOLDER, UNPACKED } from './layout.js';
import type { Plan } from './plan.js';

const OF_SHARDS = /^\.(?:shard-\d{6,}|index\.json|errors\.jsonl)\b/;

/**
 * Removes them once a job is done. Where a worker of a queue still lives, cut off from it, it finds its shard done when it
 * tries again. Object storage shows nothing before it is whole.
 */
export async function removeLeftovers(plan: Plan): Promise<void> {
  const { local } = plan.place;
  if (local === undefined) return;
  // Of shards that were done when the process was killed; a lock in it that somebody holds may stay (Windows).
  await rm(join(local, SPOOL_FOLDER), { recursive: true, force: true }).catch(() => {});
  for (const name of await readdir(local)) {
    if (OF_SHARDS.test(name) && TEMPORARY_ENDING.test(name)) await rm(join(local, name), { force: true });
  }
  if (plan.job.operation !== 'decompress') return;
  const left = new Set<string>();
  for (const name of await readdir(join(local, UNPACKED), { recursive: true }).catch(() => [] as string[])) {
    if (TEMPORARY_ENDING.test(name)) left.add(`${UNPACKED}/${name.split(sep).join('/')}`);
  }
  // What archives hold may be called so too.
  if (left.size > 0) for await (const name of unpackedNames(plan)) left.delete(name);
  for (const name of left) await rm(join(local, name), { force: true });
}

async function* unpackedNames(plan: Plan): AsyncGenerator<string> {
  for await (const shard of plan) {
    for (const { name } of (await plan.resultOf(shard))?.files ?? []) {
      const lines = (await plan.place.read(name))?.toString() ?? '';
      for (const line of lines.split('\n')) if (line !== '') yield (JSON.parse(line) as { name: string }).name;
    }
  }
}
