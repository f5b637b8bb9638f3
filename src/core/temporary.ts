/** Names of files that stand beside a file until it is complete. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** File systems take names of 255 bytes, some of 143: beyond this a name's hash stands for its rest. */
const MOST_NAME_BYTES = 100;

/**
 * `.NAME.SUFFIX`, however long the name is: of one beyond 100 bytes the first 40 characters and a hash. The same name
 * every time, so that a job finds what an earlier one left.
 */
export function besideName(name: string, suffix: string): string {
  if (Buffer.byteLength(name) <= MOST_NAME_BYTES) return `.${name}.${suffix}`;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
  const start = Array.from(name)
    .slice(0, 20)
    .join('')
    .replace(/[\ud800-\udfff]/g, '_');
  return `.${start}~${hash}.${suffix}`;
}

/** Bytes of the number that tells the files of jobs at the same time apart, in hexadecimal. */
const NUMBER_BYTES = 6;
/** What the names of such files end with. */
export const TEMPORARY_ENDING = /\.[0-9a-f]{12}\.tmp$/;
/** A job that writes at all has written since. */
const STALE_MS = 3_600_000;

/** A path beside another one, of this job alone: `.NAME.NUMBER.tmp`. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), besideName(basename(path), `${randomBytes(NUMBER_BYTES).toString('hex')}.tmp`));
}

/** What killed jobs left in folders, by the names of their files without the number; looked up once for each folder. */
const left = new Map<string, Promise<ReadonlyMap<string, readonly string[]>>>();

/** Removes what jobs that were killed an hour ago or longer left beside a path. */
export async function dropStale(path: string): Promise<void> {
  const folder = dirname(path);
  let found = left.get(folder);
  if (found === undefined) {
    found = staleIn(folder);
    left.set(folder, found);
  }
  for (const name of (await found).get(besideName(basename(path), '')) ?? []) {
    const stale = join(folder, name);
    const info = await stat(stale).catch(() => undefined);
    if (info?.isFile() && Date.now() - info.mtimeMs > STALE_MS) await rm(stale, { force: true }).catch(() => {});
  }
}

async function staleIn(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const all = new Map<string, string[]>();
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    const end = name.search(TEMPORARY_ENDING);
    if (!name.startsWith('.') || end < 0) continue;
    const of = name.slice(0, end + 1);
    all.set(of, [...(all.get(of) ?? []), name]);
  }
  return all;
}
