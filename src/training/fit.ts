/** Trains: artifacts, native session, epochs, and the parameters and checkpoint that come out. */
import type { Checkpoint } from '../artifacts/checkpoint.js';
import type { ModelParts } from '../artifacts/model-io.js';
import { VaeError } from '../core/errors.js';
import { checkFitData, scaleHint, withDomain } from './check-data.js';
import type { ResolvedFitOptions } from './fit-options.js';
import { GuardedRun } from './guarded-run.js';
import { MetricsLog } from './log/metrics-log.js';
import { freshState } from './loop/loop-state.js';
import { openSession } from './open-session.js';
import type { History } from './progress.js';
import { CheckpointDirectory } from './record/checkpoint-directory.js';
import { fingerprintOf, isFingerprintOf } from './record/fingerprint.js';
import { restoreSnapshot } from './record/snapshot.js';
import type { RunRequest, TrainingTask } from './request.js';
import { vaeTask } from './vae-task.js';

/** @throws VaeError for data that does not fit the model; whatever the run itself ends with. */
export async function trainModel(parts: ModelParts, request: RunRequest): Promise<History> {
  const { options } = request;
  checkFitData(parts, request.train, request.validation);
  const train = withDomain(parts, request.train, 'fit()');
  const validation = request.validation && withDomain(parts, request.validation, 'fit(), validation');
  const task = vaeTask(parts, train, options);
  const hint = await scaleHint(parts, train, options.signal);
  return runTask({ ...task, inputs: { ...task.inputs, hint } }, { ...request, train, validation });
}

/** Trains whatever it is: with checkpoints, logs, schedules and interruption. @throws VaeError as the run ends. */
export async function runTask(task: TrainingTask, request: RunRequest): Promise<History> {
  const { options, train } = request;
  const { checkpoint: policy, signal } = options;
  if (options.resume && policy?.replace) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'fit(): { resume: true } goes on from the checkpoints in the directory, checkpoint: { replace: true } lets go of them; they exclude each other.',
    );
  }
  const directory = policy && (await CheckpointDirectory.open(policy.directory, { ...policy, resume: options.resume }));
  try {
    const resumed = options.resume ? await resumable(task, options, directory) : undefined;
    const before = resumed?.progress.loop?.fingerprint;
    const isSame = before !== undefined && (await isFingerprintOf(train, before, signal));
    const fingerprint = isSame ? before : await fingerprintOf(train, signal);
    const seed = BigInt(resumed?.progress.seed ?? options.seed ?? task.seed);
    const session = await openSession(task, request, seed);
    try {
      const state = resumed ? restoreSnapshot(session, resumed, fingerprint) : freshState();
      const log = await MetricsLog.open(options.log);
      const start = { state, seed, fingerprint, directory, log };
      try {
        const run = new GuardedRun(session, task, request, start);
        return await run.complete();
      } finally {
        await log.close();
      }
    } finally {
      await session.close();
    }
  } finally {
    await directory?.close();
  }
}

/** The checkpoint to go on from: the newest of the run's directory, else the model's own. */
async function resumable(
  task: TrainingTask,
  options: ResolvedFitOptions,
  directory: CheckpointDirectory | undefined,
): Promise<Checkpoint | undefined> {
  const checkpoint = (await directory?.latest(task.artifacts.manifest)) ?? task.checkpoint;
  const optimizer = checkpoint?.progress.optimizer;
  if (optimizer !== undefined && optimizer !== options.optimizer.type) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `fit(): cannot resume with optimizer "${options.optimizer.type}", the checkpoint was made with "${optimizer}".`,
    );
  }
  return checkpoint;
}
