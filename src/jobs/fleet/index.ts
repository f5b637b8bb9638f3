/** Jobs on many machines: a queue in Redis, and workers that take shards from it. */
export {
  cancelJob,
  type FailedShard,
  type FleetCallOptions,
  type JobState,
  type JobStatus,
  type QueueStatus,
  queueStatus,
  retryJob,
  type WorkerStatus,
} from './control.js';
export { type FleetLog, fleetLog } from './log.js';
export type { MetricsOptions } from './metrics.js';
export type { RedisTls } from './redis.js';
export { type SubmitOptions, type SubmittedJob, submitJob, type WaitOptions } from './submit.js';
export { type SubmitSweepOptions, type SubmittedSweep, type SweepStep, submitSweep } from './submit-sweep.js';
export { loadTelemetry } from './telemetry.js';
export { type RunningWorker, type StartWorkerOptions, startWorker } from './worker.js';
