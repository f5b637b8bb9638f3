/** --resume in a command that may be started again and again: it begins where there is nothing, else goes on. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CliError } from '../errors.js';
import { note } from '../output.js';
import { FIXED, type TrainFlags } from './flags.js';

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
  if (given.length === 0) return flags;
  const recorded = await flagsOf(out);
  const other = given.find((name) => !isDeepStrictEqual(recorded[name], flags[name]));
  if (other !== undefined) {
    const was =
      recorded[other] === undefined ? 'was made without it' : `was made with ${JSON.stringify(recorded[other])}`;
    throw new CliError(
      'ERR_VAE_OPTION',
      `--resume goes on with the model as it is, which ${was}; leave out --${other}, or give it as it was.`,
    );
  }
  const taken: readonly string[] = given;
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !taken.includes(name))) as F;
}

/** The flags of the command that made the model. */
async function flagsOf(directory: string): Promise<Readonly<Record<string, unknown>>> {
  const { readRunRecord } = await import('../../index.js');
  const record = await readRunRecord(directory).catch(() => undefined);
  return (record?.parts[0]?.command?.flags ?? {}) as Readonly<Record<string, unknown>>;
}
