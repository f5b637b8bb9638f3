/** Shards of compress and decompress. */
import type { PlanItem } from './inputs/items.js';
import type { PlannedShard, ShardResult } from './job.js';
import type { Plan } from './plan.js';
import type { ShardRun } from './shard.js';

type Made = Omit<ShardResult, 'shard' | 'key' | 'wasDone' | 'seconds'>;

export async function runCompress(
  _model: string | undefined,
  _plan: Plan,
  _shard: PlannedShard,
  _items: readonly PlanItem[],
  _run: ShardRun,
): Promise<Made> {
  throw new Error('not yet');
}

export async function runDecompress(
  _model: string | undefined,
  _plan: Plan,
  _shard: PlannedShard,
  _items: readonly PlanItem[],
  _run: ShardRun,
): Promise<Made> {
  throw new Error('not yet');
}
