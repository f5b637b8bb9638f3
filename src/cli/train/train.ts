/** One run of `train`, from its arguments to the model, its record and its report. */

import { basename, join, resolve } from 'node:path';
import type { RunExplorer } from '../../entries/explorer/index.js';
import type { Dataset, FitOptions, History, Vae } from '../../index.js';
import { writeCodec } from '../codec-training.js';
import { METRICS_FILE } from '../find-runs.js';
import { commandLine, count, note } from '../output.js';
import { duration, TrainingProgress } from '../progress.js';
import { type ExpectedData, RunRecording } from '../recording.js';
import type { CommandResult } from '../result.js';
import type { TrainSettings } from '../settings.js';
import { describeData } from '../shared-options.js';
import { writeTrainingReport } from '../training-report.js';
import { checkpointSteps } from './defaults.js';
import type { TrainArguments } from './flags.js';
import { describeModel, prepare } from './prepare.js';
import { withResume } from './resume.js';
import { type Ending, inWords, judge, nextThing } from './verdict.js';

const CHECKPOINTS = 'checkpoints';
const TENSORBOARD = 'tensorboard';
const REPORT = 'report';

/** A run that is repeated: its options, in place of what the flags say, and the fingerprints of its data. */
export interface Repeated {
  readonly settings: TrainSettings;
  readonly expected: ExpectedData;
}

export async function train(
  path: string,
  given: TrainArguments,
  signal: AbortSignal,
  repeated?: Repeated,
): Promise<CommandResult> {
  const resuming = await withResume(given);
  // A report that cannot be drawn is said now, not after the run.
  if (resuming.report) await (await import('../../index.js')).requireDrawing();
  if (resuming.watch) await (await import('../../entries/explorer/index.js')).requireExplorer();
  const prepared = await prepare(path, resuming, signal, repeated?.settings);
  const { training, validation, settings, vae: model } = prepared;
  const flags = { ...prepared.flags, out: resuming.out };
  await using vae = model;
  const resumed = flags.resume ?? false;
  const command = { out: flags.out, path, flags: { ...flags }, settings, training, validation, resumed };
  const recording = await RunRecording.begin(vae, command, signal);
  if (repeated) await recording.expect(repeated.expected, signal);
  const outcome = await learn(path, vae, training, validation, flags, settings, recording, signal).catch(
    async (error: unknown) => {
      await recording.fail(error);
      throw error;
    },
  );
  // Of files that were decoded while training went on.
  for (const line of prepared.laterNotes()) note(`Note        ${line}`);
  const canGoOn = vae.info.trainedEpochs !== undefined;
  await vae.save(flags.out, { training: canGoOn });
  await recording.finish(outcome?.history, outcome?.batches);
  const interrupted = outcome === undefined;
  if (interrupted) {
    note(`Stopped early; the model as it is now is in ${flags.out}. The same command with --resume goes on.`);
    if (flags.report)
      note(
        `No report was drawn; node-vae plot ${flags.out} ${path} --report -o FOLDER draws one of the model as it is.`,
      );
  }
  try {
    // Awaited here: the model is closed when this function ends.
    const described = await describeRun(path, vae, training, validation, outcome, flags, settings, signal);
    if (!flags.codec || interrupted) return described;
    const codec = await writeCodec(vae, flags.out, training, validation, signal);
    return { data: { ...described.data, ...codec.data }, rows: [...described.rows, ...codec.rows] };
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    return stoppedAtItsEnd(vae, flags);
  }
}

/** The model is whole; what is made of it is not. */
function stoppedAtItsEnd(vae: Vae, { out, codec, report }: TrainArguments): CommandResult {
  const missing = [...(codec ? ['its codec'] : []), ...(report ? ['its report'] : [])].join(' and ') || 'its summary';
  note(
    `Stopped at the end: the trained model is in ${out}, but not ${missing}. The same command with --resume goes on.`,
  );
  return {
    data: { model: out, interrupted: true, epochs: vae.info.trainedEpochs ?? 0 },
    rows: [
      ['Model', out],
      ['Missing', missing],
    ],
  };
}

interface Learned {
  readonly history: History;
  readonly ending: Ending;
  /** Where the time was up: batches until then, by which the run can be repeated. */
  readonly batches?: number | undefined;
}

/** Nothing where the run was interrupted: what it learned until then is kept. */
async function learn(
  path: string,
  vae: Vae,
  training: Dataset,
  validation: Dataset | undefined,
  flags: TrainArguments,
  settings: TrainSettings,
  recording: RunRecording,
  signal: AbortSignal,
): Promise<Learned | undefined> {
  const limit = flags.minutes === undefined ? undefined : performance.now() + 60_000 * flags.minutes;
  const progress = new TrainingProgress('rows', signal, { early: 'earlyStopping' in settings.fit, at: limit });
  const everySteps =
    flags.checkpointEvery ?? checkpointSteps(training.length, (settings.fit['batchSize'] as number | undefined) ?? 128);
  const watch = flags.watch ? await watchRun(path, vae, training, validation, flags) : undefined;
  let timeIsUp = false;
  let batches: number | undefined;
  let taken = 0;
  let started = false;
  const run = vae.fit(training, {
    ...(settings.fit as FitOptions<Dataset>),
    ...(validation && { validation }),
    checkpoint: {
      directory: join(flags.out, CHECKPOINTS),
      keep: 2,
      replace: !flags.resume,
      ...(everySteps && { everySteps }),
      ...(settings.fit['checkpoint'] as object | undefined),
    },
    log: {
      jsonLines: join(flags.out, METRICS_FILE),
      ...(flags.tensorboard && { tensorBoard: join(flags.out, TENSORBOARD) }),
      ...(settings.fit['log'] as object | undefined),
    },
    resume: flags.resume ?? false,
    signal,
    onProgress: (event, control) => {
      watch?.progress(event, control);
      if (event.kind === 'step') taken = event.step;
      // Between batches only: at the end of an epoch nobody could say afterwards whether it was judged.
      if (event.kind !== 'step' || limit === undefined || timeIsUp || performance.now() < limit) return;
      timeIsUp = true;
      batches = event.step;
      control.stop();
    },
  });
  try {
    for await (const event of run) {
      // Now the options are known to be good and an earlier model may be replaced; and a run that is
      // killed from here on can be resumed from its checkpoints.
      if (!started) {
        if (!flags.resume) await vae.save(flags.out);
        await recording.start();
      }
      started = true;
      progress.show(event);
    }
    const history = await run;
    // A run that is repeated ends where the time of the first was up.
    const spent = timeIsUp || (history.stoppedEarly && taken === settings.fit['maxBatches']);
    const ending = spent ? 'time is up' : history.stoppedEarly ? 'no longer improving' : 'all epochs';
    return { history, batches, ending };
  } catch (error) {
    if (started && signal.aborted && error === signal.reason) return undefined;
    throw error;
  } finally {
    progress.close();
    await watch?.close();
  }
}

/** A page for the run. Its button to stop does what Ctrl-C does. */
async function watchRun(
  path: string,
  vae: Vae,
  training: Dataset,
  validation: Dataset | undefined,
  { out, watchPort: port = 0 }: TrainArguments,
): Promise<RunExplorer> {
  const { exploreRun } = await import('../../entries/explorer/index.js');
  const stop = (): void => void process.emit('SIGINT', 'SIGINT');
  const name = basename(resolve(out));
  const explorer = await exploreRun({ vae, name, training, validation, path, stop, port });
  note(`Watch       ${explorer.address}`);
  return explorer;
}

async function describeRun(
  path: string,
  vae: Vae,
  training: Dataset,
  validation: Dataset | undefined,
  outcome: Learned | undefined,
  flags: TrainArguments,
  settings: TrainSettings,
  signal: AbortSignal,
): Promise<CommandResult> {
  const history = outcome?.history;
  const last = history?.epochs[history.epochs.length - 1];
  const examples = validation ?? training;
  const judged = history && (await judge(vae, examples, signal));
  const data = {
    model: flags.out,
    interrupted: history === undefined,
    epochs: vae.info.trainedEpochs ?? 0,
    ...(last && { train: last.train }),
    ...(last?.validation && { validation: last.validation }),
    ...(history && {
      seconds: history.seconds,
      rowsPerSecond: history.examplesPerSecond,
      bestEpoch: history.bestEpoch,
      ending: outcome?.ending,
      history: history.epochs,
    }),
    ...(judged && { judged }),
  };
  const rows: [string, string][] = [['Model', flags.out]];
  if (last) rows.push(['Training loss', `${last.train.loss.toFixed(3)} nats per row`]);
  if (last?.validation) rows.push(['Validation loss', `${last.validation.loss.toFixed(3)} nats per row`]);
  if (outcome && history && judged) {
    rows.push(['Time', `${duration(history.seconds)}, ${count(history.examplesPerSecond)} rows/s`]);
    rows.push(['Stopped', howItEnded(outcome, settings)]);
    rows.push(['Quality', inWords(judged, validation !== undefined)]);
    rows.push(['Try next', nextThing(judged, history, outcome.ending, training.length, flags, vae)]);
  }
  if (!flags.report || !history) return { data, rows };
  const report = await writeTrainingReport(join(flags.out, REPORT), {
    vae,
    history,
    examples,
    heldOut: validation !== undefined,
    details: [
      ['Model', describeModel(vae)],
      ['Data', `${describeData(training)} (${path})`],
      ...rows.slice(1),
      ['Command', commandLine()],
    ],
    data,
    signal,
  });
  return { data: { ...data, report: report.page }, rows: [...rows, ['Report', report.page]] };
}

/** Why a run ended when it did. */
function howItEnded({ history, ending }: Learned, { fit }: TrainSettings): string {
  const epochs = history.epochs[history.epochs.length - 1]?.epoch ?? 0;
  switch (ending) {
    case 'time is up':
      return `after ${count(epochs)} epochs: the time of --minutes was up`;
    case 'no longer improving': {
      const { patience } = fit['earlyStopping'] as { patience: number };
      return `after ${count(epochs)} epochs: held-out rows gained nothing for ${patience}; the model is that of epoch ${history.bestEpoch}`;
    }
    default:
      return `after ${count(epochs)} epochs, all there were to be`;
  }
}
