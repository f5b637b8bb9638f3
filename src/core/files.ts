/** Files that appear under their name only when they are complete. */
import { lstat, mkdir, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { VaeError } from './errors.js';
import { refuseOutOfMemory } from './memory.js';
import { dropStale, temporaryBeside } from './temporary.js';

export interface PendingFile {
  readonly path: string;
  /** Written one after the other; may be made as they are asked for. */
  readonly chunks: Iterable<Uint8Array>;
}

/**
 * Writes files so that a failure at any moment leaves the earlier ones whole: all are written beside
 * their place and flushed first, and only then renamed, in order.
 *
 * @throws VaeError ERR_VAE_IO when the disk is full, read-only or otherwise fails.
 */
export async function writeFilesAtomically(files: readonly PendingFile[]): Promise<void> {
  const written: { temporary: string; path: string }[] = [];
  let writing = files[0]?.path ?? '';
  try {
    for (const { path, chunks } of files) {
      writing = path;
      if (await isSpecial(path)) {
        // Standard output, a pipe or a device is written to, and stays what it is.
        if (isStandardOutput(path)) for (const chunk of chunks) await writeToStandardOutput(chunk);
        else await writeAndFlush(path, chunks, 'w');
        continue;
      }
      const target = await targetOf(path);
      await makeFolder(dirname(target));
      await dropStale(target);
      const temporary = temporaryBeside(target);
      written.push({ temporary, path: target });
      await writeAndFlush(temporary, chunks);
    }
    for (const { temporary, path } of written) {
      writing = path;
      await rename(temporary, path);
    }
    for (const folder of new Set(written.map(({ path }) => dirname(path)))) await flushFolder(folder);
  } catch (error) {
    await Promise.all(written.map(({ temporary }) => rm(temporary, { force: true }).catch(() => {})));
    throw ioError(error, `writing ${writing}`);
  }
}

/** Whether a path is standard output. Programs that start this one may have made a socket of it, which has no path. */
export function isStandardOutput(path: string): boolean {
  return (
    path === '-' || (process.platform !== 'win32' && ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'].includes(path))
  );
}

/** Ends when the bytes have been taken. */
export function writeToStandardOutput(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Whether a path is something that bytes are written to and which no file can replace. */
export async function isSpecial(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !info.isFile() && !info.isDirectory();
}

/** The file that a path leads to, through links: a link stays one, and what it leads to is replaced. */
export async function targetOf(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isSymbolicLink()) return path;
  return realpath(path).catch(async () => {
    // A link to nothing yet: the file is made where it leads to.
    const to = await readlink(path);
    return isAbsolute(to) ? to : join(dirname(path), to);
  });
}

/**
 * Makes a folder and those above it.
 *
 * @throws the file system's own error: Node's recursive mkdir() says ENOENT of a read-only one.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw error;
    await makeFolder(above);
    await mkdir(path).catch((reason: NodeJS.ErrnoException) => {
      if (reason.code !== 'EEXIST') throw reason;
    });
  }
}

/** The file system's error in this package's words. */
export function ioError(error: unknown, doing: string): VaeError {
  if (error instanceof VaeError) return error;
  refuseOutOfMemory(error, `Failed ${doing}`);
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  const remedy = REMEDIES[code] ?? String((error as Error).message);
  return new VaeError('ERR_VAE_IO', `Failed ${doing}: ${remedy} (${code}).`, { cause: error });
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space or write elsewhere',
  EDQUOT: 'the quota is used up; free some space or write elsewhere',
  EROFS: 'the file system is read-only; write elsewhere',
  EACCES: 'permission denied; check who owns the folder',
  EPERM: 'not permitted; check who owns the folder',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  ENAMETOOLONG: 'the name is too long for this disk',
  EFBIG: 'a file may not be as large here',
};

/** Exported for the test of a full disk. */
export async function writeAndFlush(path: string, chunks: Iterable<Uint8Array>, flag = 'wx'): Promise<void> {
  const file = await open(path, flag);
  try {
    for (const chunk of chunks) await file.writeFile(chunk);
    // Pipes and devices have nothing to flush.
    await file.sync().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EINVAL' && error.code !== 'ENOTSUP' && error.code !== 'EROFS') throw error;
    });
  } finally {
    await file.close();
  }
}

/** A rename survives a power cut only once its folder is flushed; Windows has no such call. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
