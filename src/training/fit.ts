/** Trains a VAE: artifacts, native session, epochs, and the parameters and checkpoint that come out. */
import type { Checkpoint } from '../artifacts/checkpoint.js';
import type { Artifacts } from '../artifacts/generate.js';
import { artifactsOf, type ModelParts } from '../artifacts/model-io.js';
import { VaeError } from '../core/errors.js';
import { checkFitData } from './check-data.js';
import type { ResolvedFitOptions } from './fit-options.js';
import { loopInputs } from './graph-inputs.js';
import { MetricsLog } from './log/metrics-log.js';
import { freshState } from './loop/loop-state.js';
import { openSession } from './open-session.js';
import type { History } from './progress.js';
import { fingerprintOf } from './record/fingerprint.js';
import { RunDirectory } from './record/run-directory.js';
import { restoreSnapshot } from './record/snapshot.js';
import type { TrainModelOptions } from './request.js';
import { TrainingRun } from './training-run.js';

/** @throws VaeError for data that does not fit the model; whatever the run itself ends with. */
export async function trainModel(parts: ModelParts, request: TrainModelOptions): Promise<History> {
  const { options, train, validation } = request;
  checkFitData(parts, train, validation);
  const fingerprint = await fingerprintOf(train, options.signal);
  const artifacts = artifactsOf(parts, options.optimizer, options.clipGradientNorm, options.accumulation);
  const { checkpoint: policy } = options;
  if (options.resume && policy?.replace) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'fit(): { resume: true } goes on from the checkpoints in the directory, checkpoint: { replace: true } lets go of them; they exclude each other.',
    );
  }
  const directory = policy && (await RunDirectory.open(policy.directory, { ...policy, resume: options.resume }));
  try {
    const resumed = options.resume ? await resumable(parts, artifacts, options, directory) : undefined;
    const seed = BigInt(resumed?.progress.seed ?? options.seed ?? parts.description.seed);
    const session = await openSession(parts, artifacts, request, seed);
    try {
      const state = resumed ? restoreSnapshot(session, resumed, fingerprint) : freshState();
      const log = await MetricsLog.open(options.log);
      const start = { state, seed, fingerprint, directory, log, parts };
      try {
        const run = new TrainingRun(session, artifacts, request, start);
        return await run.complete(loopInputs(parts, artifacts, train, options));
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
  parts: ModelParts,
  artifacts: Artifacts,
  options: ResolvedFitOptions,
  directory: RunDirectory | undefined,
): Promise<Checkpoint | undefined> {
  const checkpoint = (await directory?.latest(artifacts.manifest)) ?? parts.training?.checkpoint;
  const optimizer = checkpoint?.progress.optimizer;
  if (optimizer !== undefined && optimizer !== options.optimizer.type) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `fit(): cannot resume with optimizer "${options.optimizer.type}", the checkpoint was made with "${optimizer}".`,
    );
  }
  return checkpoint;
}
