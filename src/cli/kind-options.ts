/** Flags that say how files of each kind become rows. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { AugmentOptions, DataRecipe, ReadDatasetOptions } from '../index.js';
import { note } from './output.js';
import { decimal, wholeNumber } from './parse.js';

export interface KindFlags {
  readonly size?: number | readonly [number, number];
  readonly colour?: string;
  readonly depth?: number;
  readonly range?: readonly [number, number];
  readonly volume?: number;
  readonly fit?: string;
  readonly crops?: number;
  readonly longestSide?: number;
  readonly labelColumn?: string;
  readonly drop?: readonly string[];
  readonly categories?: readonly string[];
  readonly embed?: readonly string[] | true;
  readonly missing?: readonly string[];
  readonly mayMiss?: boolean;
  readonly header?: boolean;
  readonly delimiter?: string;
  readonly decimal?: string;
  readonly thousands?: string;
  readonly dates?: string;
  readonly comment?: string;
  readonly encoding?: string;
  readonly layout?: string;
  readonly array?: string;
  readonly standardise?: boolean;
  readonly form?: string;
  readonly sampleRate?: number;
  readonly channels?: number;
  readonly frame?: number;
  readonly overlap?: number;
  readonly fftSize?: number;
  readonly fftHop?: number;
  readonly bands?: number;
  readonly frames?: number;
  readonly fps?: number;
}

/** Flags about bad files, of every command that reads data. */
export interface BadFileFlags {
  readonly skipBad?: boolean;
  readonly strict?: boolean;
  readonly maxPixels?: number;
  readonly page?: number;
  readonly acceptTruncated?: boolean;
}

export interface AugmentFlags {
  readonly flip?: string | boolean;
  readonly cropPart?: number;
  readonly brightness?: number;
  readonly contrast?: number;
  readonly saturation?: number;
}

/** How files become rows: for `train`; other commands do as the model's config.json says. */
export function addKindOptions(command: Command): Command {
  return command
    .option('--size <n|HxW>', 'pictures, video: sides of a row, such as 64 or 48x64', sides)
    .option('--colour <name>', 'pictures, video: grey or rgb, pictures also rgba (default: as the files are)')
    .option(
      '--depth <bits>',
      'pictures: 8 for bytes, 16 for fractions of --range, 32 for the values as they are (default: as the files are)',
      wholeNumber(1),
    )
    .option('--range <low,high>', 'pictures: the values that become 0 and 1, such as -1000,3000 for CT', rangeOf)
    .option('--volume <n>', 'pictures: rows of n pages or slices, for conv3d', wholeNumber(1))
    .option('--fit <how>', 'pictures of other sides: cover (cut), contain (bars) or fill (stretch)')
    .option(
      '--crops <n>',
      'textures: n random crops of each picture at its own size, for a model of any size',
      wholeNumber(1),
    )
    .option('--longest-side <n>', 'with --crops: make larger pictures smaller first', wholeNumber(1))
    .option('--flip [way]', 'pictures: mirror half of the rows in training: horizontal, vertical or both')
    .option('--crop-part <x>', 'pictures: cut off up to this part of the sides in training, such as 0.1', decimal)
    .option(
      '--brightness <x>',
      'pictures: change it by up to this part in training; so --contrast, --saturation',
      decimal,
    )
    .option('--contrast <x>', 'see --brightness', decimal)
    .option('--saturation <x>', 'see --brightness', decimal)
    .option('--drop <names>', 'tables: columns to leave out, with commas between', names)
    .option('--categories <names>', 'tables: columns of categories that look like numbers', names)
    .option(
      '--embed [names]',
      'tables: learn vectors for the values of these columns of categories (without names: of all), rather than one-hot codes',
      names,
    )
    .option(
      '--missing <texts>',
      'tables: what stands for a missing value (default: NA, NaN, null, ? and the like)',
      names,
    )
    .option('--may-miss', 'tables: let any number be missing in data to come')
    .option('--standardise', 'arrays: bring them to mean 0 and deviation 1; the model keeps how')
    .option('--form <name>', 'sound: waveform (default) or mel, spectrograms')
    .option('--sample-rate <hertz>', "sound: samples a second (default: the files' own, at most 22050)", wholeNumber(1))
    .option('--channels <n>', 'sound: 1 or 2 (default: 1)', wholeNumber(1))
    .option('--frame <samples>', 'sound: samples of a row (default: 1024; with mel 64 transforms)', wholeNumber(1))
    .option('--overlap <n>', 'sound, video: samples or frames that a row shares with the next', wholeNumber(0))
    .option('--fft-size <n>', 'sound, mel: samples of a transform (default: 1024)', wholeNumber(2))
    .option(
      '--fft-hop <n>',
      'sound, mel: samples from one transform to the next (default: a quarter of it)',
      wholeNumber(1),
    )
    .option('--bands <n>', 'sound, mel: bands (default: 64)', wholeNumber(1))
    .option('--frames <n>', 'video: frames of a row (default: 8); 1: single pictures', wholeNumber(1))
    .option('--fps <n>', 'video: resample to so many frames a second (default: each frame is taken once)', decimal);
}

/** How files are written: flags of every command that reads data. */
export function addFileOptions(command: Command): Command {
  return command
    .option('--label-column <name>', 'tables, also those of --labels: column of class labels')
    .option('--header', 'tables: the first line names the columns, though it looks like values')
    .option('--no-header', 'tables: the first line does not name the columns')
    .option(
      '--delimiter <mark>',
      'tables: between values, " " for white space (default: told from the first lines)',
      tabOf,
    )
    .option('--decimal <mark>', 'tables: decimal mark, "." or "," (default: told from all numbers)')
    .option('--thousands <mark>', 'tables: mark between thousands (default: told from all numbers)')
    .option('--dates <order>', 'tables: dmy or mdy, in dates that do not say it themselves')
    .option('--comment <mark>', 'tables: leave out lines that begin with this character')
    .option('--encoding <name>', 'tables: such as latin1 or utf-16le (default: by its mark, else utf-8)')
    .option('--layout <order>', 'arrays: nhwc where channels come last (default: nchw)')
    .option('--array <name>', 'arrays: which of a .npz or .mat file is the data');
}

export function addBadFileOptions(command: Command): Command {
  return command
    .option('--skip-bad', 'leave out files that are damaged or of another kind, and name them')
    .option('--strict', 'pictures: refuse files with oddities that decoders can pass over')
    .option('--max-pixels <n>', 'pictures: largest number of pixels (default: what fits into memory)', wholeNumber(1))
    .option(
      '--page <n>',
      'pictures: take this page or frame of each file, from 0 (default: all are rows)',
      wholeNumber(0),
    )
    .option('--accept-truncated', 'sound: take what is there of files that end too early');
}

/** Options of readDataset() from flags. */
export function kindOptions(flags: KindFlags & BadFileFlags): Omit<ReadDatasetOptions, 'signal'> {
  const { skipBad, size, colour, overlap, depth, fit, crops, longestSide } = flags;
  const { range, volume, strict, maxPixels, page } = flags;
  const { sampleRate, channels, frame, fftSize, fftHop, bands, form, frames, fps, acceptTruncated } = flags;
  const { labelColumn: label, drop, categories, embed, missing, mayMiss, delimiter } = flags;
  const { decimal, thousands, dates, comment, encoding, layout, array, standardise } = flags;
  const { header } = flags;
  return {
    images: given({
      ...{ size, colour, depth, range, volume, fit, crops, longestSide },
      ...{ skipBad, strict, maxPixels, page },
    }),
    table: given({
      ...{ label, drop, categories, embed, missing, mayMiss, header, delimiter },
      ...{ decimal, thousands, dates, comment, encoding },
    }),
    ...given({ layout, array, standardise }),
    audio: given({ form, sampleRate, channels, frame, overlap, fftSize, fftHop, bands, acceptTruncated, skipBad }),
    video: given({ size, colour, frames, overlap, fps, skipBad }),
    ...(skipBad && {
      onSkip: (name: string, error: Error) =>
        note(`Skipped     ${error.message.startsWith(name) ? '' : `${name}: `}${withoutAdvice(error.message)}`),
    }),
  } as Omit<ReadDatasetOptions, 'signal'>;
}

/** Options of augmentImages(), where any flag asks for it. */
export function augmentOptions(flags: AugmentFlags, seed: number): AugmentOptions | undefined {
  const { flip, cropPart: crop, brightness, contrast, saturation } = flags;
  const found = given({ flip, crop, brightness, contrast, saturation });
  return Object.keys(found).length === 0 ? undefined : ({ ...found, seed } as AugmentOptions);
}

/** What was found, and how it becomes rows, in one line; undefined for arrays. */
export function describeRecipe(recipe: DataRecipe | undefined): string | undefined {
  switch (recipe?.kind) {
    case undefined:
      return undefined;
    case 'image': {
      const { height, width, colour, fit, anySize, volume } = recipe;
      const how = anySize
        ? `crops of ${width}×${height}`
        : `${width}×${height}, ${{ cover: 'cut to that shape', contain: 'with bars', fill: 'stretched' }[fit]}`;
      const rows = volume === undefined ? '' : `, ${volume} pages in a row`;
      return `pictures, ${colour}, ${valuesOf(recipe)}, ${how}${rows} (--size, --colour, --depth, --range, --fit, --crops)`;
    }
    case 'table': {
      const numbers = recipe.columns.filter(({ type }) => type === 'number');
      const missing = numbers.filter((column) => column.type === 'number' && column.mayMiss).length;
      const categories = recipe.columns.length - numbers.length;
      const embedded = recipe.columns.filter((column) => column.type === 'category' && column.embed).length;
      return (
        `a table of ${numbers.length} ${numbers.length === 1 ? 'column' : 'columns'} of numbers${missing > 0 ? ` (${missing} with missing values)` : ''} and ${categories} of categories${embedded > 0 ? ` (${embedded} embedded)` : ''}` +
        `${recipe.label === undefined ? '' : `, labels from "${recipe.label}"`} (--label-column, --drop, --categories, --embed, --missing)`
      );
    }
    case 'array':
      return `arrays, at mean 0 and deviation 1 ${recipe.mean.length === 1 ? 'as a whole' : `in each of ${recipe.mean.length} ${recipe.shape.length === 1 ? 'values' : 'channels'}`} (--standardise)`;
    case 'audio': {
      const { sampleRate, channels, frame, hop, mel } = recipe;
      const form = mel ? `${mel.bands} mel bands` : 'waveform';
      return `sound, ${sampleRate} Hz, ${channels === 1 ? 'mono' : 'stereo'}, ${form}, rows of ${frame} samples that share ${frame - hop} (--form, --sample-rate, --channels, --frame, --overlap)`;
    }
    case 'video': {
      const { width, height, colour, frames, hop, rate } = recipe;
      return `video, ${width}×${height}, ${colour}, ${(rate[0] / rate[1]).toFixed(2)} frames a second, ${frames === 1 ? 'single frames' : `clips of ${frames} that share ${frames - hop}`} (--size, --colour, --frames, --overlap)`;
    }
  }
}

function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function sides(text: string): number | [number, number] {
  const found = /^(\d+)(?:[x×](\d+))?$/.exec(text);
  if (!found) throw new InvalidArgumentError('Expected a number of pixels, or HEIGHTxWIDTH such as 48x64.');
  return found[2] === undefined ? Number(found[1]) : [Number(found[1]), Number(found[2])];
}

/** What a value of a row is. */
function valuesOf({ depth, range, clip }: DataRecipe & { kind: 'image' }): string {
  const from = range && (depth !== 8 || clip) ? ` of ${range[0]} to ${range[1]}` : '';
  return { 8: `8 bit${from}`, 16: `fractions${from}`, 32: 'values as they are' }[depth];
}

function rangeOf(text: string): [number, number] {
  const [low, high, ...rest] = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (rest.length > 0 || !Number.isFinite(low) || !Number.isFinite(high) || low! >= high!) {
    throw new InvalidArgumentError('Expected a lower and a higher value, such as -1000,3000.');
  }
  return [low!, high!];
}

/** As shells and people write tabs. */
function tabOf(text: string): string {
  return text === '\\t' || text === 'tab' ? '\t' : text;
}

function names(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** A file that was skipped need not be said to be skipped. */
function withoutAdvice(message: string): string {
  return message.replace(/ [^.]*have such files skipped \(skipBad, --skip-bad\)\.$/, '');
}
