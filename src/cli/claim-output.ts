/** Where a command writes: nothing that is there is replaced unless that was said. */
import { readdir, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Command } from 'commander';
import { CliError } from './errors.js';
import { requireOut } from './shared-options.js';

export interface OutputFlags {
  readonly out?: string;
  readonly force?: boolean;
}

export function addForceOption(command: Command): Command {
  return command.option('--force', 'replace what is there');
}

/**
 * The output path, before any work is done.
 *
 * @param endings what the command can write; without them it knows by the ending itself.
 * @throws CliError ERR_VAE_OPTION for an ending that it does not know, ERR_VAE_IO for what is there already.
 */
export async function claimOutput({ out, force }: OutputFlags, endings?: readonly string[]): Promise<string> {
  return claimPath(requireOut(out), force, endings);
}

/** Likewise for a further output. */
export async function claimPath(
  given: string,
  force: boolean | undefined,
  endings?: readonly string[],
): Promise<string> {
  const path = given === '-' && process.platform !== 'win32' ? '/dev/stdout' : given;
  const info = await stat(path).catch(() => undefined);
  // Pipes and devices have no endings, and are written to.
  if (info !== undefined && !info.isFile() && !info.isDirectory()) return path;
  if (endings !== undefined) checkEnding(given, endings);
  if (info === undefined || force) return path;
  if (info.isFile()) throw isThere(given, 'is there already');
  if ((await readdir(path).catch(() => [])).length > 0) throw isThere(given, 'is a folder with files in it');
  return path;
}

/** @throws CliError ERR_VAE_OPTION for a name that ends like something else than what is written; `.2024` is no such ending. */
export function checkEnding(path: string, endings: readonly string[]): void {
  const ending = extname(path).toLowerCase();
  if (!/^\.[a-z]/.test(ending) || endings.includes(ending)) return;
  throw new CliError(
    'ERR_VAE_OPTION',
    `${path} ends in ${ending}; this command writes ${endings.join(', ')}. Name the output so.`,
  );
}

/** Whether standard output carries the data itself. */
export function isStdout(path: string): boolean {
  return path === '/dev/stdout' || path === '-';
}

function isThere(path: string, how: string): CliError {
  return new CliError(
    'ERR_VAE_IO',
    `${path} ${how}; nothing was written. Choose another name, or say that it may be replaced (--force).`,
  );
}
