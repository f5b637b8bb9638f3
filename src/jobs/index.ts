/**
 * Jobs over any number of items, cut into shards: on one machine by runJob(), or in parts on any machine that sees the
 * same files.
 *
 * @module node-vae/jobs
 */
export { describeJob, type JobOptions } from './describe.js';
export { finishJob } from './finish.js';
export * from './fleet/index.js';
export {
  type FormatName,
  type ItemError,
  type Job,
  type JobSettings,
  type JobSummary,
  type OperationName,
  type PlannedShard,
  parseJob,
  type ShardFile,
  type ShardResult,
  type StageSeconds,
} from './job.js';
export { openPlan, type Plan, type PlanOptions, type PlanProgress, planJob } from './plan.js';
export type { PoolProgress } from './pool.js';
export { serveShards } from './processes.js';
export { type JobProgress, type RunJobOptions, type RunJobResult, runJob } from './run.js';
export { type RunShardOptions, type ShardProgress, ShardWorker, type WorkerOptions } from './shard.js';
export { runSweep, type SweepOptions, type SweepProgress, type SweepSummary } from './sweep/run.js';
export type { LossTerms, Sweep, TrialResult } from './sweep/sweep.js';
