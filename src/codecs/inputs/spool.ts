/** Pipes as input: they are read to their end into a file of their own first, as archives need to look at bytes twice. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ioError } from '../../core/files.js';

export interface Spooled extends AsyncDisposable {
  readonly paths: readonly string[];
}

/** The paths, those of pipes replaced by files; `-` is standard input. */
export async function spooled(paths: readonly string[]): Promise<Spooled> {
  let folder: string | undefined;
  const done: string[] = [];
  const dispose = async (): Promise<void> => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const path of paths) {
      const info = path === '-' ? undefined : await stat(path).catch(() => undefined);
      if (path !== '-' && (info === undefined || info.isFile() || info.isDirectory())) {
        done.push(path);
        continue;
      }
      folder ??= await mkdtemp(join(tmpdir(), 'node-vae-input-'));
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
