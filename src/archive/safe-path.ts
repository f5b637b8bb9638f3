/** Names out of an archive become paths only when they stay within the output folder. */
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';

const MOST_BYTES = 1024;
const MOST_DEPTH = 32;
// Names that Windows gives to devices, with any extension.
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;

/** @throws VaeError ERR_VAE_FORMAT for a name that is absolute, climbs out, or hides something. */
export function checkName(name: string): string[] {
  const refuse = (why: string) =>
    new VaeError(
      'ERR_VAE_FORMAT',
      `The archive names an item ${JSON.stringify(name.slice(0, 80))}: ${why}. It is not unpacked.`,
    );
  if (name === '' || Buffer.byteLength(name) > MOST_BYTES) throw refuse('a name has 1 to 1024 bytes');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f\\:*?"<>|]/.test(name))
    throw refuse('it has a character that file systems give a meaning to');
  const parts = name.split('/');
  if (parts.length > MOST_DEPTH) throw refuse('it is too many folders deep');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') throw refuse('it leads out of the folder');
    if (/[. ]$/.test(part) || DEVICES.test(part)) throw refuse('it means something else on some systems');
  }
  return parts;
}

/** The path of a name within a folder, its folders made; links on the way are refused. */
export async function pathWithin(folder: string, name: string): Promise<string> {
  const parts = checkName(name);
  let path = folder;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isSymbolicLink()) {
      throw new VaeError('ERR_VAE_FORMAT', `${path} is a link; nothing is unpacked through it. Remove it first.`);
    }
    if (index < parts.length - 1 && found === undefined) await mkdir(path, { recursive: true });
  }
  return path;
}
