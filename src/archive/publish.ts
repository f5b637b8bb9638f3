/** The moment in which a file that is complete gets its name. */
import { link, lstat, rename, rm } from 'node:fs/promises';

/** Errors by which a file system says that it does not take a name. */
export const NAME_REFUSED = new Set(['ENAMETOOLONG', 'EINVAL', 'EILSEQ']);

/** Whether two paths are names of one file. */
export async function isSameFile(left: string | Buffer, right: string | Buffer): Promise<boolean> {
  const [one, other] = await Promise.all(
    [left, right].map((path) => lstat(path, { bigint: true }).catch(() => undefined)),
  );
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

/** Gives a file its name; a file that has it already is kept unless it is to be replaced: EEXIST. */
export async function publish(temporary: string | Buffer, path: string | Buffer, force: boolean): Promise<void> {
  if (force) return rename(temporary, path);
  try {
    await link(temporary, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST' || NAME_REFUSED.has(code) || code === 'ENOSPC') throw error;
    // File systems without hard links: the moment between the two is short.
    if ((await lstat(path).catch(() => undefined)) !== undefined) {
      throw Object.assign(new Error('It is there.'), { code: 'EEXIST' });
    }
    return rename(temporary, path);
  }
  await rm(temporary, { force: true });
}
