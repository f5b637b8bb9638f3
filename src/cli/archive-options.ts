/** What commands over archives share: flags, and what is said of files that were not treated like the others. */
import { type Command, Option } from 'commander';
import type { LeftOut } from '../index.js';
import { count, note } from './output.js';
import { wholeNumber } from './parse.js';
import { PROGRESS_MODES, type ProgressMode } from './progress.js';

export interface ProgressFlags {
  readonly progress?: ProgressMode;
}

export function addProgressOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--progress <how>',
      'a bar, a plain line each minute, or none (a bar on a terminal, else plain)',
    ).choices(PROGRESS_MODES),
  );
}

export interface MemoryFlags {
  readonly maxMemory?: number;
}

export function addMemoryOption(command: Command): Command {
  return command.option(
    '--max-memory <MB>',
    'refuse what needs more, before anything is done (512, and a warning before a job that needs more)',
    wholeNumber(269),
  );
}

/** As the library takes it. */
export function memoryOptions({ maxMemory }: MemoryFlags): { maxMemoryBytes?: number } {
  return maxMemory === undefined ? {} : { maxMemoryBytes: maxMemory * 1e6 };
}

export interface SelectFlags extends MemoryFlags {
  readonly include?: string[];
  readonly exclude?: string[];
  readonly others?: 'store' | 'skip' | 'fail';
  readonly skipBad?: boolean;
  readonly dereference: boolean;
  readonly force?: boolean;
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function addSelectOptions(command: Command): Command {
  return addMemoryOption(command)
    .option('--include <pattern>', 'only files whose name or path matches (* ? [ ] { }); may be repeated', collect)
    .option('--exclude <pattern>', 'not those whose name or path matches; may be repeated', collect)
    .addOption(
      new Option(
        '--others <what>',
        'files that the model is not for: store them as they are (the default), skip or fail',
      ).choices(['store', 'skip', 'fail']),
    )
    .option('--skip-bad', 'leave files out that cannot be read, and name them, instead of failing')
    .option('--no-dereference', 'do not follow links: leave them out, by name')
    .option('--force', 'replace a file that is there');
}

/** As compress() and compressPictures() take them. */
export function selectOptions(flags: SelectFlags) {
  const { include, exclude, others, skipBad, dereference, force } = flags;
  return {
    ...memoryOptions(flags),
    ...(include && { include }),
    ...(exclude && { exclude }),
    ...(others && { others }),
    ...(skipBad && { skipBad }),
    ...(!dereference && { dereference }),
    ...(force && { force }),
  };
}

export interface Selected {
  readonly storedFiles: number;
  readonly storedBecause: readonly LeftOut[];
  readonly leftOut: readonly LeftOut[];
  readonly excluded: readonly string[];
  readonly notes: readonly string[];
}

const MOST_LINES = 20;

/** Names what was left out, on standard error; the rows of the summary. */
export function tellSelected({ storedFiles, storedBecause, leftOut, excluded, notes }: Selected): [string, string][] {
  for (const each of notes) note(`note: ${each}`);
  tell('left out', leftOut);
  tell('stored as it is', storedBecause);
  return [
    ...(storedFiles > 0 ? [['Stored', `${count(storedFiles)} files as they are`] as [string, string]] : []),
    ...(excluded.length > 0 ? [['Excluded', `${count(excluded.length)} files`] as [string, string]] : []),
    ...(leftOut.length > 0 ? [['Left out', `${count(leftOut.length)} files, named above`] as [string, string]] : []),
  ];
}

function tell(what: string, list: readonly LeftOut[]): void {
  for (const { name, reason } of list.slice(0, MOST_LINES)) note(`${what}: ${shown(name)}: ${reason}`);
  if (list.length > MOST_LINES) note(`${what}: ${count(list.length - MOST_LINES)} more; --json names all`);
}

/** Names may hold what steers a terminal. */
export function shown(name: string): string {
  return name.replace(/\p{Cc}/gu, (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
