/** From the arguments of `train` to data, options and a model, ready to be trained. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DataRecipe, Dataset, Vae, VaeOptions } from '../../index.js';
import { chooseCondition } from '../choose.js';
import { checkCodecData, checkCodecModel, codecSettings, withCodecLatents } from '../codec-training.js';
import { CliError } from '../errors.js';
import { augmentOptions, describeRecipe } from '../kind-options.js';
import { count, note } from '../output.js';
import { applySettings, mergeSettings, readSettings, type TrainSettings } from '../settings.js';
import { describeData, loadData, sessionOptions } from '../shared-options.js';
import { defaultFit, defaultSplit } from './defaults.js';
import { settingsOfFlags, type TrainFlags } from './flags.js';

/** What a run begins with; the model is the caller's to close. */
export interface Prepared {
  readonly training: Dataset;
  readonly validation: Dataset | undefined;
  /** With what nobody has said. */
  readonly settings: TrainSettings;
  /** Likewise. */
  readonly flags: TrainFlags;
  readonly vae: Vae;
  /** What there is to say of the data since. */
  laterNotes(): readonly string[];
}

/**
 * @param settings in place of what flags, --config and --set say, to repeat a run.
 * @throws CliError for arguments that contradict each other or what is in the directory.
 */
export async function prepare(
  path: string,
  given: TrainFlags,
  signal: AbortSignal,
  settings?: TrainSettings,
): Promise<Prepared> {
  let flags = given;
  if (flags.out !== undefined) checkDirectory(flags.out, flags);
  const data = await loadData(path, flags, signal, flags.resume ? await recipeOf(flags.out!) : undefined);
  if (flags.codec) checkCodecData(data);
  const resolved = settings ?? (await settingsOf(flags));
  const vae = await openModel(data, flags, resolved, signal);
  try {
    if (flags.codec) await checkCodecModel(vae);
    // By the model's seed, so that a run that is resumed holds out the same rows.
    const split = settings ? undefined : defaultSplit(data.length, flags);
    if (split !== undefined) flags = { ...flags, validationSplit: split };
    const { training, validation } = await holdOut(data, flags, Number(vae.info.seed), signal);
    note(`Data        ${describeData(training)} (${path})`);
    const read = describeRecipe(training.recipe);
    if (read) note(`Read as     ${read}`);
    const noted = new Set(data.notes);
    for (const line of noted) note(`Note        ${line}`);
    if (validation) {
      const how = split === undefined ? '' : ', held out to see how good it is (--no-validation: none)';
      note(`Validation  ${describeData(validation)}${how}`);
    }
    await noteDuplicates(data, signal);
    note(`Model       ${describeModel(vae)}`);
    const augment = augmentOptions(flags, Number(vae.info.seed));
    const { augmentImages } = await import('../../index.js');
    const fit = settings || flags.codec ? {} : defaultFit(training, validation !== undefined, resolved.fit);
    return {
      training: augment ? augmentImages(training, augment) : training,
      validation,
      settings: { ...resolved, fit: { ...resolved.fit, ...fit } },
      flags,
      vae,
      laterNotes: () => data.notes.filter((line) => !noted.has(line)),
    };
  } catch (error) {
    await vae.close();
    throw error;
  }
}

export function describeModel({ info }: Vae): string {
  const { architecture, latentDim, likelihood, parameterCount } = info;
  return `${architecture.type}, ${latentDim} latent dimensions, ${likelihood.type} likelihood, ${count(parameterCount)} parameters`;
}

function checkDirectory(out: string, flags: TrainFlags): void {
  const exists = existsSync(join(out, 'config.json'));
  if (exists && !flags.resume && !flags.overwrite) {
    throw new CliError(
      'ERR_VAE_OPTION',
      `"${out}" holds a model already. Go on with it by --resume, replace it by --overwrite, or choose another directory.`,
    );
  }
  if (flags.resume && flags.overwrite) {
    throw new CliError(
      'ERR_VAE_OPTION',
      '--resume goes on with the model in the directory, --overwrite replaces it; choose one.',
    );
  }
}

/** Of --codec, --config, flags and --set, later ones winning. */
export async function settingsOf(flags: TrainFlags): Promise<TrainSettings> {
  const none: TrainSettings = { model: {}, fit: {} };
  const written = flags.config ? await readSettings(flags.config) : none;
  const base = mergeSettings(flags.codec ? codecSettings(flags.learningRate) : none, written);
  const settings = applySettings(mergeSettings(base, settingsOfFlags(flags)), flags.set ?? []);
  return flags.codec ? withCodecLatents(settings) : settings;
}

/** How the data of a model became rows, so that going on reads them the same. */
async function recipeOf(directory: string): Promise<DataRecipe | undefined> {
  const { Vae } = await import('../../index.js');
  await using vae = await Vae.load(directory);
  return vae.recipe;
}

async function openModel(data: Dataset, flags: TrainFlags, settings: TrainSettings, signal: AbortSignal): Promise<Vae> {
  const { modelOptionsFor, Vae } = await import('../../index.js');
  if (flags.resume) return Vae.load(flags.out!, sessionOptions(flags));
  return Vae.create({
    ...(await modelOptionsFor(data, signal)),
    ...settings.model,
    ...(flags.conditional && { condition: chooseCondition(data, settings.model['condition']) }),
    ...sessionOptions(flags),
  } as VaeOptions);
}

/** Rows that are there twice count twice, and held-out ones that were learned say nothing. */
async function noteDuplicates(data: Dataset, signal: AbortSignal): Promise<void> {
  const { findDuplicates } = await import('../../index.js');
  const { count: copies, looked, first } = await findDuplicates(data, signal);
  if (copies === 0) return;
  const name = (row: number): string => data.names?.[row] ?? `row ${row + 1}`;
  const of = looked < data.length ? `the first ${count(looked)}` : count(looked);
  note(`Duplicates  ${count(copies)} of ${of} rows are copies of others: ${name(first![1])} of ${name(first![0])}`);
}

async function holdOut(
  data: Dataset,
  flags: TrainFlags,
  seed: number,
  signal: AbortSignal,
): Promise<{ training: Dataset; validation: Dataset | undefined }> {
  const { validation, validationSplit } = flags;
  if (validation !== undefined && validation !== false) {
    const { part: _, labels: _labels, limit: _limit, validationLabels: labels, ...rest } = flags;
    const held = await loadData(validation, { ...rest, ...(labels && { labels }), part: 'test' }, signal, data.recipe);
    return { training: data, validation: held };
  }
  if (validationSplit === undefined) return { training: data, validation: undefined };
  const [held, training] = data.split(validationSplit, seed);
  return { training: training!, validation: held };
}
