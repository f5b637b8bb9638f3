import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import { findFiles } from '../find-files.js';
import { withFolders } from '../folder-labels.js';
import { readingMemory } from '../memory.js';
import { inParallel } from '../parallel.js';
import { customRows } from '../rows/custom.js';
import { memoryRows } from '../rows/memory.js';
import { orSkip, type Skip } from '../skip.js';
import { rowsOfSound, SoundFramer } from './frames.js';
import { stereoWeights } from './mix.js';
import { openSound, SOUNDS, type SoundFile } from './open.js';
import { type AudioRecipe, audioRecipeSchema, audioRowShape } from './recipe.js';
import { resampled, type SoundSource } from './resample.js';

const whole = z.int().positive();
const optionsSchema = z.strictObject({
  /** Rows of samples (default), for conv1d; or decibels of mel bands, as pictures for conv. */
  form: z.enum(['waveform', 'mel']).optional(),
  /** Samples a second. Default: the files' own, the lowest of them, at most 22,050. */
  sampleRate: whole.max(1_000_000).optional(),
  /** 1 mixes all into one, 2 keeps or doubles; more than two are mixed by where they belong (ITU-R BS.775). Default: 1. */
  channels: z.union([z.literal(1), z.literal(2)]).optional(),
  /** Samples of a row: a multiple of 64, or of `fftHop`. Default 1024; with `mel`, 64 transforms. */
  frame: whole.optional(),
  /** Samples that a row shares with the next; at most half of `frame`. Default: an eighth. */
  overlap: z.int().min(0).optional(),
  /** With `mel`: samples of a transform, a power of two. Default 1024. */
  fftSize: whole.optional(),
  /** With `mel`: samples from one transform to the next. Default: a quarter of `fftSize`. */
  fftHop: whole.optional(),
  /** With `mel`. Default 64. */
  bands: whole.optional(),
  /** Takes what is there of files that end before their headers say. Default false. */
  acceptTruncated: z.boolean().optional(),
  /** Leaves out files that cannot be read, rather than refusing. Default false. */
  skipBad: z.boolean().optional(),
  /** Rows are kept in memory when they need no more than this, else read whenever they are wanted. Default: a quarter of the memory that this process may have, at most 512 MiB. */
  memoryBytes: z.number().min(0).optional(),
  /** How rows were made before, in place of all but the last three. */
  recipe: audioRecipeSchema.optional(),
  /** Called for every file that is left out. */
  onSkip: z.custom<NonNullable<Skip>>((value) => typeof value === 'function').optional(),
  ...signalShape,
});

export interface AudioOptions extends Omit<InputOf<typeof optionsSchema>, 'recipe' | 'onSkip' | 'signal'> {}

export interface ReadAudioOptions extends InputOf<typeof optionsSchema> {}

const HIGHEST_DEFAULT_RATE = 22_050;
/** Rows that mean and deviation are taken from. */
const MEASURED_ROWS = 4000;

/**
 * Reads sound: WAV files by itself, others through ffmpeg where it is installed; files, folders (first folder names
 * are labels) and globs. Each file is cut into rows that overlap: [channels, frame] samples, or
 * [channels, bands, steps] decibels, brought to mean 0 and deviation 1.
 *
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT naming a file that cannot be read, ERR_VAE_DATA, ERR_VAE_OPTION.
 */
export async function readAudio(path: string | readonly string[], options: ReadAudioOptions = {}): Promise<Dataset> {
  const { onSkip, signal, ...rest } = parseOptions(optionsSchema, options, 'readAudio()');
  const skip: Skip = rest.skipBad ? (onSkip ?? (() => {})) : undefined;
  const found = await findFiles(typeof path === 'string' ? [path] : path, SOUNDS, signal);
  const where = typeof path === 'string' ? path : `${path.length} files`;
  const wav = { acceptTruncated: rest.acceptTruncated ?? false };
  const opened = await inParallel(found, (file) => orSkip(() => openSound(file, wav, signal), file.name, skip));
  const files = opened.filter((file) => file !== undefined);
  if (files.length === 0) {
    throw new VaeError('ERR_VAE_DATA', `${where}: none of ${found.length} files can be used; all were skipped.`);
  }
  const begun = rest.recipe ?? chooseRecipe(files, rest);
  const counts = files.map(({ info }) =>
    rowsOfSound(Math.round((info.length * begun.sampleRate) / info.sampleRate), begun),
  );
  const starts: number[] = [];
  let total = 0;
  for (const count of counts) {
    starts.push(total);
    total += count;
  }
  const recipe = rest.recipe ?? (await standardised(begun, (sample) => readRows(files, starts, sample, begun), total));
  const read = (rows: ArrayLike<number>): Promise<Float32Array> => readRows(files, starts, rows, recipe);
  const rowShape = audioRowShape(recipe);
  const names = files.flatMap(({ file }, index) =>
    Array.from(
      { length: counts[index]! },
      (_, row) => `${file.name} ${((row * recipe.hop) / recipe.sampleRate).toFixed(2)} s`,
    ),
  );
  const sources = files.map(({ file }) => file);
  const bytes = 4 * total * rowShape.reduce((size, dim) => size * dim, 1);
  const rows =
    bytes <= (rest.memoryBytes ?? readingMemory())
      ? memoryRows(await read(Array.from({ length: total }, (_, row) => row)), { rowShape, names, recipe })
      : { ...customRows({ length: total, rowShape, names, read }, where), recipe };
  signal?.throwIfAborted();
  const notes = await notesAbout(files, recipe);
  return new Dataset(withFolders({ ...rows, notes }, sources, counts, where));
}

/** Files that are listened to for channels that cancel, and samples of each. */
const LISTENED_FILES = 16;
const LISTENED_SAMPLES = 1 << 16;

/** What mixing did that one may not want. */
async function notesAbout(files: readonly SoundFile[], { channels }: AudioRecipe): Promise<string[]> {
  const notes: string[] = [];
  const many = files.filter(({ info }) => info.channels > 2);
  if (many.length > 0) {
    const [{ file, info }] = many as [SoundFile];
    const known = stereoWeights(info.channels, info.mask ?? 0) !== undefined;
    const how = known ? 'as ITU-R BS.775 has it' : 'all alike, as it is not known where they belong';
    notes.push(
      `${info.channels} channels are mixed to ${channels}, ${how}: ${some(many.map((each) => each.file.name))}`,
    );
    if (known && info.mask === undefined)
      notes.push(`the order of channels is taken as usual, as the header does not say it: ${file.name}`);
  }
  if (channels > 1) return notes;
  const stereo = files.filter(({ info }) => info.channels === 2).slice(0, LISTENED_FILES);
  const cancelling = await inParallel(stereo, (file) => file.use(cancels));
  const lost = stereo.filter((_, index) => cancelling[index]);
  if (lost.length > 0) {
    notes.push(
      `left and right cancel each other in the mean (--channels 2 keeps both): ${some(lost.map(({ file }) => file.name))}`,
    );
  }
  return notes;
}

/** Whether the mean of two channels has less than a hundredth of their power. */
async function cancels(source: SoundSource): Promise<boolean> {
  const count = Math.min(LISTENED_SAMPLES, source.length);
  const samples = await source.read(Math.floor((source.length - count) / 2), count);
  let [mean, all] = [0, 0];
  for (let at = 0; at < count; at += 1) {
    const [left, right] = [samples[at]!, samples[count + at]!];
    mean += ((left + right) / 2) ** 2;
    all += (left * left + right * right) / 2;
  }
  return all > 0 && mean < all / 100;
}

function some(names: readonly string[]): string {
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');
}

function chooseRecipe(
  files: readonly SoundFile[],
  options: { [K in keyof AudioOptions]: AudioOptions[K] | undefined },
): AudioRecipe {
  const { form = 'waveform', fftSize = 1024, fftHop = fftSize / 4, bands = 64 } = options;
  const rates = files.map(({ info }) => info.sampleRate);
  const lowest = rates.reduce((low, rate) => Math.min(low, rate));
  const frame = options.frame ?? (form === 'mel' ? 64 * fftHop : 1024);
  const unit = form === 'mel' ? fftHop : 1;
  const overlap = options.overlap ?? Math.floor(frame / 8 / unit) * unit;
  const recipe = audioRecipeSchema.safeParse({
    kind: 'audio',
    sampleRate: options.sampleRate ?? Math.min(lowest, HIGHEST_DEFAULT_RATE),
    channels: options.channels ?? 1,
    form,
    frame,
    hop: frame - overlap,
    mean: 0,
    deviation: 1,
    ...(form === 'mel' && { mel: { fftSize, fftHop, bands } }),
  });
  if (!recipe.success) {
    const why = recipe.error.issues.map(({ message }) => message).join('; ');
    throw new VaeError(
      'ERR_VAE_OPTION',
      `readAudio(): frame ${frame}, overlap ${overlap}, fftSize ${fftSize}, fftHop ${fftHop} do not fit together: ${why}.`,
    );
  }
  if (frame % unit !== 0 || overlap % unit !== 0) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `readAudio(): frame (${frame}) and overlap (${overlap}) must be multiples of fftHop (${fftHop}).`,
    );
  }
  return recipe.data;
}

/** Waveforms keep their middle, spectrograms are shifted; both are brought to deviation 1. */
async function standardised(
  recipe: AudioRecipe,
  read: (rows: ArrayLike<number>) => Promise<Float32Array>,
  total: number,
): Promise<AudioRecipe> {
  const count = Math.min(total, MEASURED_ROWS);
  const values = await read(Array.from({ length: count }, (_, index) => Math.floor((index * total) / count)));
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = recipe.form === 'mel' ? sum / values.length : 0;
  const deviation = Math.sqrt(Math.max(0, squares / values.length - mean * mean));
  return { ...recipe, mean, deviation: deviation > 1e-9 ? deviation : 1 };
}

/** Rows by their numbers; each file is opened once for all of its rows. */
async function readRows(
  files: readonly SoundFile[],
  starts: readonly number[],
  rows: ArrayLike<number>,
  recipe: AudioRecipe,
): Promise<Float32Array> {
  const framer = new SoundFramer(recipe);
  const out = new Float32Array(rows.length * framer.rowSize);
  const byFile = new Map<number, number[]>();
  for (let index = 0; index < rows.length; index += 1) {
    const file = fileOf(starts, rows[index]!);
    const wanted = byFile.get(file);
    if (wanted) wanted.push(index);
    else byFile.set(file, [index]);
  }
  await inParallel([...byFile], ([file, wanted]) =>
    files[file]!.use(async (source) => {
      const sound = resampled(source, recipe.sampleRate, recipe.channels);
      for (const index of wanted)
        out.set(await framer.row(sound, rows[index]! - starts[file]!), index * framer.rowSize);
    }),
  );
  return out;
}

/** The last file that starts at or before a row. */
function fileOf(starts: readonly number[], row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle]! <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}
