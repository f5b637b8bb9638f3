/** Pipes as input: they are read to their end into a file of their own first, as archives need to look at bytes twice. */
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { lockFile } from '../../binding/file-lock.js';
import { ioError } from '../../core/files.js';

const PREFIX = 'node-vae-input-';
/** Held for as long as the folder is used, so that those of killed jobs are known. */
const LOCK = 'lock';

export interface Spooled extends AsyncDisposable {
  readonly paths: readonly string[];
}

/** The paths, those of pipes replaced by files; `-` is standard input. */
export async function spooled(paths: readonly string[]): Promise<Spooled> {
  let folder: string | undefined;
  let lock: FileHandle | undefined;
  const done: string[] = [];
  const dispose = async (): Promise<void> => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    await lock?.close();
  };
  try {
    for (const path of paths) {
      const info = path === '-' ? undefined : await stat(path).catch(() => undefined);
      if (path !== '-' && (info === undefined || info.isFile() || info.isDirectory())) {
        done.push(path);
        continue;
      }
      if (folder === undefined) {
        await dropDead();
        folder = await mkdtemp(join(tmpdir(), PREFIX));
        lock = await open(join(folder, LOCK), 'w');
        lockFile(lock.fd);
      }
      done.push(await spool(path, folder, done.length));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { paths: done, [Symbol.asyncDispose]: dispose };
}

async function spool(path: string, folder: string, number: number): Promise<string> {
  const target = join(folder, `${number}`);
  try {
    if (path === '-') await pipeline(process.stdin, createWriteStream(target));
    else {
      const handle = await open(path, 'r');
      await pipeline(handle.createReadStream(), createWriteStream(target));
    }
    const named = join(
      folder,
      `${number}-${path === '-' ? 'standard-input' : basename(path)}${await endingOf(target)}`,
    );
    await rename(target, named);
    return named;
  } catch (error) {
    throw ioError(error, `reading ${path === '-' ? 'standard input' : path}`);
  }
}

/** What a file without a name is called like, by what it begins with. */
async function endingOf(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(12), 0, 12, 0);
    const text = buffer.toString('latin1');
    if (text.startsWith('RIFF') && text.endsWith('WAVE')) return '.wav';
    if (text.startsWith('\x89PNG')) return '.png';
    return text.startsWith('\x93NUMPY') ? '.npy' : '';
  } finally {
    await handle.close();
  }
}

/** Removes what jobs that were killed had read: their locks ended with them. */
async function dropDead(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [] as string[])) {
    if (!name.startsWith(PREFIX)) continue;
    const handle = await open(join(tmpdir(), name, LOCK), 'r+').catch(() => undefined);
    if (handle === undefined) continue;
    try {
      if (lockFile(handle.fd) === 'held') await rm(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Of another user, or gone meanwhile.
    } finally {
      await handle.close();
    }
  }
}
