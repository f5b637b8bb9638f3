import type { Job, ShardResult } from './job.js';
import type { ShardProgress } from './shard.js';

/** What runs shards, several at once where that is asked for: in this process or another. */
export interface Runner {
  run(
    job: Job,
    shard: number,
    options: {
      maxErrors: number;
      signal: AbortSignal | undefined;
      onProgress(progress: ShardProgress): void;
      /** See RunShardOptions. */
      onRun?(): void;
    },
  ): Promise<ShardResult>;
  close(): Promise<void>;
}
