import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset, FitOptions, History, Vae, VaeOptions } from '../../index.js';
import { chooseCondition, chooseInput, chooseLikelihood } from '../choose.js';
import { checkCodecData, checkCodecModel, codecSettings, writeCodec } from '../codec-training.js';
import { CliError } from '../errors.js';
import { count, note } from '../output.js';
import { decimal, nameOrJson, type Setting, setting, wholeNumber, widths } from '../parse.js';
import { duration, TrainingProgress } from '../progress.js';
import type { CommandResult } from '../result.js';
import { applySettings, mergeSettings, readSettings, type TrainSettings } from '../settings.js';
import {
  addDataOptions,
  addSessionOptions,
  type DataFlags,
  describeData,
  loadData,
  requireOut,
  type SessionFlags,
  sessionOptions,
} from '../shared-options.js';
import { writeTrainingReport } from '../training-report.js';
import type { RegisterCommand } from './index.js';

/** The flags with what is needed. */
type TrainArguments = TrainFlags & { readonly out: string };

interface TrainFlags extends DataFlags, SessionFlags {
  readonly out?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly architecture?: unknown;
  readonly hidden?: number[];
  readonly latent?: number;
  readonly likelihood?: unknown;
  readonly posterior?: unknown;
  readonly prior?: unknown;
  readonly objective?: unknown;
  readonly conditional?: boolean;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly optimizer?: string;
  readonly learningRate?: number;
  readonly klWeight?: number;
  readonly seed?: number;
  readonly validation?: string;
  readonly validationLabels?: string;
  readonly validationSplit?: number;
  readonly checkpointEvery?: number;
  readonly report?: boolean;
  readonly codec?: boolean;
  readonly config?: string;
  readonly set?: Setting[];
}

/** What a model cannot change once it is made. */
const FIXED = [
  'architecture',
  'hidden',
  'latent',
  'likelihood',
  'posterior',
  'prior',
  'objective',
  'conditional',
  'seed',
] as const;
const CHECKPOINTS = 'checkpoints';
const REPORT = 'report';

export const registerTrain: RegisterCommand = (program, run) => {
  const command = program
    .command('train')
    .summary('train a model on data')
    .description(
      'Trains a variational autoencoder and writes it as a model directory: config.json, encoder.onnx and decoder.onnx, ' +
        'which any ONNX runtime can run, and what training needs to go on.',
    )
    .argument('<data>', '.npy file, IDX file or folder with the MNIST names')
    .option('-o, --out <dir>', 'model directory to write')
    .option('--resume', 'go on with the model in that directory, up to --epochs in all')
    .option('--overwrite', 'replace the model in that directory')
    .option('--architecture <name>', 'network by name, or JSON with `type` and options (default: mlp)', nameOrJson)
    .option('--hidden <widths>', 'widths of the hidden layers, such as 400 or 512,256', widths)
    .option('--latent <n>', "latent dimensions (default: the architecture's own)", wholeNumber(1))
    .option(
      '--likelihood <name>',
      'by name or JSON (default: bernoulli for values from 0 to 1, else gaussian)',
      nameOrJson,
    )
    .option('--posterior <name>', 'gaussian, iaf or vector-quantised, by name or JSON (default: gaussian)', nameOrJson)
    .option('--prior <name>', 'standard or vamp, by name or JSON (default: standard)', nameOrJson)
    .option(
      '--objective <name>',
      'elbo, beta, free-bits, iwae, beta-tc or info-mmd, by name or JSON (default: elbo)',
      nameOrJson,
    )
    .option('--conditional', 'tell encoder and decoder the label of each row: sample --label then chooses')
    .option('--epochs <n>', 'passes over the data (default: 10)', wholeNumber(1))
    .option('--batch-size <n>', 'rows in a batch (default: 128)', wholeNumber(1))
    .option('--optimizer <name>', 'adam, adamw or sgd (default: adam)')
    .option('--learning-rate <x>', "step size (default: the optimizer's own, 0.001 for adam)", decimal)
    .option('--kl-weight <x>', 'weight of the KL divergence, the β of a β-VAE (default: 1)', decimal)
    .option('--seed <n>', 'seed of weights, order and noise (default: 0)', wholeNumber(0))
    .option('--validation <data>', 'data to score after every epoch')
    .option('--validation-labels <file>', 'class numbers of its rows, as .npy or IDX file')
    .option('--validation-split <fraction>', 'hold out a part of the data for that, such as 0.1', decimal)
    .option(
      '--checkpoint-every <steps>',
      'steps between checkpoints (default: one at the end of every epoch)',
      wholeNumber(1),
    )
    .option('--report', `write a page with curves and pictures into OUT/${REPORT}`)
    .option('--codec', 'make a compressor of 8-bit data: also write codec.safetensors, for compress -m OUT')
    .option('--config <file.json>', 'options of Vae.create() under "model" and of fit() under "fit"; flags win')
    .option('--set <key=value>', 'one such option, such as fit.emaDecay=0.999; may be repeated', setting);
  addSessionOptions(addDataOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ node-vae train mnist/ -o digits --latent 20 --epochs 10 --validation-split 0.1 --report
  $ node-vae train faces.npy -o faces --hidden 512,256 --likelihood gaussian
  $ node-vae train mnist/ -o digits --resume --epochs 20
  $ node-vae train mnist/ -o digits-codec --codec --epochs 3
  $ node-vae train mnist/ -o digits --set fit.clipGradientNorm=1 --set model.architecture.activation=gelu
  $ node-vae train mnist/ -o digits --conditional --objective free-bits --set model.objective.lambda=0.25
  $ node-vae train mnist/ -o digits --posterior '{"type":"iaf","steps":4}' --likelihood discretised-logistic

Every option of Vae.create() and fit() has its place in --config and --set.

Ctrl-C stops after the step in flight and saves the model as it is then; go on with --resume. After a crash,
--resume goes on from the last checkpoint.`,
  );
  return command.action((path: string, flags: TrainFlags) =>
    run((signal) => train(path, { ...flags, out: requireOut(flags.out) }, signal)),
  );
};

async function train(path: string, flags: TrainArguments, signal: AbortSignal): Promise<CommandResult> {
  const exists = existsSync(join(flags.out, 'config.json'));
  if (exists && !flags.resume && !flags.overwrite) {
    throw new CliError(
      'ERR_VAE_OPTION',
      `"${flags.out}" holds a model already. Go on with it by --resume, replace it by --overwrite, or choose another directory.`,
    );
  }
  if (flags.resume && !exists) {
    throw new CliError(
      'ERR_VAE_OPTION',
      `--resume: "${flags.out}" holds no model to go on with. Leave --resume out to begin.`,
    );
  }
  const fixed = FIXED.find((name) => flags[name] !== undefined);
  if (flags.resume && fixed) {
    throw new CliError('ERR_VAE_OPTION', `--resume goes on with the model as it is; leave out --${fixed}.`);
  }
  const data = await loadData(path, flags, signal);
  if (flags.codec) checkCodecData(data);
  const { training, validation } = await holdOut(data, flags, signal);
  const none: TrainSettings = { model: {}, fit: {} };
  const written = flags.config ? await readSettings(flags.config) : none;
  const settings = applySettings(
    mergeSettings(
      mergeSettings(flags.codec ? codecSettings(flags.learningRate) : none, written),
      settingsOfFlags(flags),
    ),
    flags.set ?? [],
  );
  await using vae = await openModel(training, flags, settings, signal);
  if (flags.codec) await checkCodecModel(vae);
  note(`Data        ${describeData(training)} (${path})`);
  if (validation) note(`Validation  ${describeData(validation)}`);
  note(`Model       ${describeModel(vae)}`);
  const outcome = await learn(vae, training, validation, flags, settings, signal);
  const canGoOn = vae.info.trainedEpochs !== undefined;
  await vae.save(flags.out, { training: canGoOn });
  const interrupted = outcome === undefined;
  if (interrupted) note(`Stopped early; the model as it is now is in ${flags.out}.`);
  // Awaited here: the model is closed when this function ends.
  const described = await describeRun(path, vae, training, validation, outcome, flags, signal);
  if (!flags.codec || interrupted) return described;
  const codec = await writeCodec(vae, flags.out, training, validation, signal);
  return { data: { ...described.data, ...codec.data }, rows: [...described.rows, ...codec.rows] };
}

/** Without a history where the run was interrupted: what it learned until then is kept. */
async function learn(
  vae: Vae,
  training: Dataset,
  validation: Dataset | undefined,
  flags: TrainArguments,
  settings: TrainSettings,
  signal: AbortSignal,
): Promise<History | undefined> {
  const progress = new TrainingProgress('rows', signal);
  let started = false;
  const run = vae.fit(training, {
    ...(settings.fit as FitOptions<Dataset>),
    ...(validation && { validation }),
    checkpoint: {
      directory: join(flags.out, CHECKPOINTS),
      keep: 2,
      ...(flags.checkpointEvery && { everySteps: flags.checkpointEvery }),
      ...(settings.fit['checkpoint'] as object | undefined),
    },
    resume: flags.resume ?? false,
    signal,
  });
  try {
    for await (const event of run) {
      // Now the options are known to be good and an earlier model may be replaced; and a run that is
      // killed from here on can be resumed from its checkpoints.
      if (!started && !flags.resume) await vae.save(flags.out);
      started = true;
      progress.show(event);
    }
    return await run;
  } catch (error) {
    if (started && signal.aborted && error === signal.reason) return undefined;
    throw error;
  } finally {
    progress.close();
  }
}

async function openModel(
  data: Dataset,
  flags: TrainArguments,
  settings: TrainSettings,
  signal: AbortSignal,
): Promise<Vae> {
  const { Vae } = await import('../../index.js');
  if (flags.resume) return Vae.load(flags.out, sessionOptions(flags));
  const vae = await Vae.create({
    input: chooseInput(data),
    likelihood: await chooseLikelihood(data, signal),
    ...settings.model,
    ...(flags.conditional && { condition: chooseCondition(data, settings.model['condition']) }),
    ...sessionOptions(flags),
  } as VaeOptions);
  if (flags.overwrite) await rm(join(flags.out, CHECKPOINTS), { recursive: true, force: true });
  return vae;
}

async function holdOut(
  data: Dataset,
  flags: TrainArguments,
  signal: AbortSignal,
): Promise<{ training: Dataset; validation: Dataset | undefined }> {
  const { validation, validationSplit, seed = 0 } = flags;
  if (validation !== undefined) {
    const { part: _, labels: _labels, limit: _limit, validationLabels: labels, ...rest } = flags;
    const held = await loadData(validation, { ...rest, ...(labels && { labels }), part: 'test' }, signal);
    return { training: data, validation: held };
  }
  if (validationSplit === undefined) return { training: data, validation: undefined };
  const [held, training] = data.split(validationSplit, seed);
  return { training: training!, validation: held };
}

function settingsOfFlags(flags: TrainArguments): TrainSettings {
  const { architecture, hidden, optimizer, learningRate } = flags;
  const named = typeof architecture === 'object' ? architecture : { type: architecture ?? 'mlp' };
  return {
    model: {
      architecture: hidden ? { ...named, hidden } : architecture,
      latentDim: flags.latent,
      likelihood: flags.likelihood,
      posterior: flags.posterior,
      prior: flags.prior,
      objective: flags.objective,
      seed: flags.seed,
    },
    fit: {
      epochs: flags.epochs,
      batchSize: flags.batchSize,
      optimizer: learningRate === undefined ? optimizer : { type: optimizer ?? 'adam', learningRate },
      klWeight: flags.klWeight,
    },
  };
}

function describeModel({ info }: Vae): string {
  const { architecture, latentDim, likelihood, parameterCount } = info;
  return `${architecture.type}, ${latentDim} latent dimensions, ${likelihood.type} likelihood, ${count(parameterCount)} parameters`;
}

async function describeRun(
  path: string,
  vae: Vae,
  training: Dataset,
  validation: Dataset | undefined,
  history: History | undefined,
  flags: TrainArguments,
  signal: AbortSignal,
): Promise<CommandResult> {
  const last = history?.epochs[history.epochs.length - 1];
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
      history: history.epochs,
    }),
  };
  const rows: [string, string][] = [['Model', flags.out]];
  if (last) rows.push(['Training loss', `${last.train.loss.toFixed(3)} nats per row`]);
  if (last?.validation) rows.push(['Validation loss', `${last.validation.loss.toFixed(3)} nats per row`]);
  if (history) rows.push(['Time', `${duration(history.seconds)}, ${count(history.examplesPerSecond)} rows/s`]);
  if (!flags.report || !history) return { data, rows };
  const report = await writeTrainingReport(join(flags.out, REPORT), {
    vae,
    history,
    examples: validation ?? training,
    heldOut: validation !== undefined,
    details: [
      ['Model', describeModel(vae)],
      ['Data', `${describeData(training)} (${path})`],
      ...rows.slice(1),
      ['Command', `node-vae train ${path} -o ${flags.out}`],
    ],
    data,
    signal,
  });
  return { data: { ...data, report: report.page }, rows: [...rows, ['Report', report.page]] };
}
