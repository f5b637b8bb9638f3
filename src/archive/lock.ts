/** Advisory locks of files: one job at a time. They end with their process, however that ends. */
import { constants } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { VaeError } from '../core/errors.js';

/** Takes the lock of an open file; see the addon's lockFile(). */
export type Locker = (descriptor: number) => 'held' | 'taken' | 'unsupported';

export interface LockedFile {
  readonly handle: FileHandle;
  /** False where the file system has no locks: then nothing keeps another job away. */
  readonly locked: boolean;
}

/** Another job may rename or remove the file between opening and locking it; then the next one is tried. */
const TRIES = 100;

/**
 * Opens a file, made where it is missing, and takes its lock.
 *
 * @throws VaeError ERR_VAE_IO at once when another job has it.
 */
export async function openLocked(path: string, lock: Locker, doing: string): Promise<LockedFile> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o666);
    try {
      const state = lock(handle.fd);
      if (state === 'taken') {
        throw new VaeError('ERR_VAE_IO', `Another job is ${doing} at this moment. Wait until it is done, or stop it.`);
      }
      const [mine, there] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
      if (there !== undefined && there.ino === mine.ino && there.dev === mine.dev) {
        return { handle, locked: state === 'held' };
      }
      await handle.close();
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
  throw new VaeError('ERR_VAE_IO', `Others go on making and removing ${path}; it could not be locked.`);
}

/** A lock by a file of its own, which is removed when it is released. */
export async function takeLock(
  path: string,
  lock: Locker,
  doing: string,
): Promise<{ release(): Promise<void>; locked: boolean }> {
  const { handle, locked } = await openLocked(path, lock, doing);
  return {
    locked,
    async release() {
      await rm(path, { force: true });
      await handle.close();
    },
  };
}
