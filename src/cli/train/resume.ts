/** --resume in a command that may be started again and again: it begins where there is nothing, else goes on. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CliError } from '../errors.js';
import { note } from '../output.js';
import { FIXED, type TrainFlags } from './flags.js';
import { settingsOf } from './prepare.js';

/**
 * What the flags come to. Options that the model was made with may be given again, as long as they are the same.
 *
 * @throws CliError ERR_VAE_OPTION for an option that contradicts the model.
 */
export async function withResume<F extends TrainFlags>(flags: F): Promise<F> {
  const { resume, out } = flags;
  if (!resume || out === undefined) return flags;
  if (!existsSync(join(out, 'config.json'))) {
    note(`"${out}" holds nothing to go on with: beginning.`);
    return { ...flags, resume: false };
  }
  const given = FIXED.filter((name) => flags[name] !== undefined);
  const says = given.length > 0 || flags.config !== undefined || (flags.set ?? []).length > 0;
  if (!says) return flags;
  const recorded = await firstPartOf(out);
  const made = (recorded?.command.flags ?? {}) as Readonly<Record<string, unknown>>;
  const other = given.find((name) => !isDeepStrictEqual(made[name], flags[name]));
  if (other !== undefined) throw contradicts(`--${other}`, made[other]);
  // What --config and --set say of the model, too.
  const { model } = await settingsOf(flags);
  const before: Readonly<Record<string, unknown>> = recorded?.settings.model ?? {};
  const key = Object.keys(model).find((name) => !isSame(before[name], model[name]));
  if (key !== undefined) throw contradicts(`model.${key}`, before[key]);
  const taken: readonly string[] = given;
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !taken.includes(name))) as F;
}

function contradicts(option: string, was: unknown): CliError {
  const made = was === undefined ? 'was made without it' : `was made with ${JSON.stringify(was)}`;
  return new CliError(
    'ERR_VAE_OPTION',
    `--resume goes on with the model as it is, which ${made}; leave out ${option}, or give it as it was.`,
  );
}

/** Equal as JSON has them: the record is a file. */
function isSame(recorded: unknown, given: unknown): boolean {
  return given === undefined || isDeepStrictEqual(recorded, JSON.parse(JSON.stringify(given)));
}

/** What the command that made the model was given. */
async function firstPartOf(directory: string) {
  const { readRunRecord } = await import('../../index.js');
  return (await readRunRecord(directory).catch(() => undefined))?.parts[0];
}
