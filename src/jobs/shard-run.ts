/** What running a shard is given. */
import type { ItemError } from './job.js';

export interface ShardRun {
  readonly folder: string;
  readonly maxErrors: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  onItems(items: number, bytesIn: number, errors: readonly ItemError[]): void;
  /** Nothing is left but to write what came out. */
  onRun(): void;
  onSeconds(stage: 'read' | 'decode' | 'run' | 'write', seconds: number): void;
}
