/** What workers that were killed left beside the shards. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openPlace } from '../places/index.js';

const LEFT = /^\.(?:shard-\d{6,}|index\.json|errors\.jsonl)\b.*\.[0-9a-f]{12}\.tmp$/;

/**
 * Removes them once a job is done. Where one of those workers still lives, cut off from the queue, it finds its shard done
 * when it tries again. Object storage shows nothing before it is whole.
 */
export async function removeLeftovers(output: string): Promise<void> {
  const { local } = openPlace(output);
  if (local === undefined) return;
  for (const name of await readdir(local)) if (LEFT.test(name)) await rm(join(local, name), { force: true });
}
