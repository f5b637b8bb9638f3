/** Where an archive is written to: memory, a file that appears when it is complete, or a stream. */
import { constants } from 'node:fs';
import { copyFile, type FileHandle, lstat, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { VaeError } from '../core/errors.js';
import { ioError, isStandardOutput, targetOf, writeToStandardOutput } from '../core/files.js';
import { readFully, writeFully } from '../core/ranges.js';
import { besideName } from '../core/temporary.js';
import { type ByteSource, handleSource, memorySource } from './bytes.js';
import { existing } from './existing.js';
import { type Journal, journalAt } from './journal.js';
import { type Locker, openLocked } from './lock.js';
import { isSameFile, publish } from './publish.js';

export interface ArchiveOutput {
  /** What an earlier job left to go on from; of an archive that is added to, that archive and what follows it. */
  readonly source: ByteSource | undefined;
  /** Bytes of the archive that is added to; 0 without one. */
  readonly base: number;
  /** Drops everything from a byte on; what follows is written there. */
  cutAt(end: number): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  /** What was written so far; undefined for streams. */
  written(): ByteSource | undefined;
  /** Of a stream: all that was written, while none of it has gone out. */
  held?(): Uint8Array | undefined;
  /** Puts other bytes in the place of all that was written. */
  replace(bytes: Uint8Array): Promise<boolean>;
  /** The archive is complete: gives it its name. */
  commit(): Promise<Uint8Array | undefined>;
  /** It will not be. What there is stays for the next job, unless that is of no use. */
  abandon(keep: boolean): Promise<void>;
  /** Keeps a copy of what there is under another name; that name. */
  setAside(): Promise<string | undefined>;
  /** Notes beside what was written; undefined where no later job could go on. */
  readonly journal?: Journal | undefined;
  /** It is complete already, of so many bytes, and is only compared: nothing can be written. */
  readonly finished?: { readonly bytes: number };
  /** False where the file system has no locks. */
  readonly locked: boolean;
  /** The file that grows, for messages. */
  readonly place: string;
  readonly isStream: boolean;
}

export function memoryOutput(): ArchiveOutput {
  let pieces: Uint8Array[] = [];
  return {
    ...{ source: undefined, base: 0, locked: true, place: 'memory', isStream: false },
    async cutAt() {},
    async write(bytes) {
      pieces.push(bytes);
    },
    written: () => {
      pieces = [Buffer.concat(pieces)];
      return memorySource(pieces[0]!);
    },
    async replace(bytes) {
      pieces = [bytes];
      return true;
    },
    commit: async () => new Uint8Array(Buffer.concat(pieces)),
    async abandon() {},
    setAside: async () => undefined,
  };
}

/** So much is held back, so that a small archive can still take its compact form. */
const HELD_BACK = 1 << 18;

/** Standard output, a pipe or a device: bytes go out in order and cannot be taken back. */
function streamOutput(
  write: (bytes: Uint8Array) => Promise<void>,
  close: () => Promise<void>,
  place: string,
): ArchiveOutput {
  let held: Uint8Array[] | undefined = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    const pieces = held ?? [];
    held = undefined;
    for (const piece of pieces) await write(piece);
  };
  return {
    ...{ source: undefined, base: 0, locked: true, place, isStream: true },
    async cutAt() {},
    async write(bytes) {
      length += bytes.length;
      if (held === undefined) return write(bytes);
      held.push(bytes);
      if (length > HELD_BACK) await flush();
    },
    written: () => undefined,
    held: () => held && Buffer.concat(held),
    async replace(bytes) {
      if (held === undefined) return false;
      held = [bytes];
      return true;
    },
    async commit() {
      await flush();
      await close();
      return undefined;
    },
    async abandon() {
      await close().catch(() => {});
    },
    setAside: async () => undefined,
  };
}

export interface FileOutputOptions {
  readonly lock: Locker;
  /** Replace a file that is there. */
  readonly force: boolean;
  /** Begin with the archive that is there, and put the longer one in its place. */
  readonly append: boolean;
  /** What an archive is to be before it can be added to; undefined: as it is. */
  readonly expand?: ((archive: ByteSource) => Promise<Uint8Array | undefined>) | undefined;
}

/** What an output path is. */
export type OutputKind = 'new' | 'file' | 'stream';

/** Whether a path is a new file, one that is there, or something that bytes are written to and which stays what it is. */
export async function outputKind(path: string): Promise<OutputKind> {
  if (path === '-') return 'stream';
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw ioError(error, `opening ${path}`);
  });
  if (found === undefined) return 'new';
  if (found.isDirectory())
    throw new VaeError('ERR_VAE_IO', `${path} is a folder; name the file that is to be written.`);
  return found.isFile() ? 'file' : 'stream';
}

/** Opens a stream of the system by its path; `-` is standard output. */
export async function openStream(path: string): Promise<ArchiveOutput> {
  if (isStandardOutput(path)) {
    return streamOutput(
      (bytes) =>
        writeToStandardOutput(bytes).catch((error: unknown) =>
          Promise.reject(ioError(error, 'writing to standard output')),
        ),
      async () => {},
      'standard output',
    );
  }
  const handle = await open(path, constants.O_WRONLY).catch((error: unknown) => {
    throw ioError(error, `opening ${path}`);
  });
  return streamOutput(
    (bytes) =>
      writeFully(handle, bytes, null).catch((error: unknown) => Promise.reject(ioError(error, `writing to ${path}`))),
    () => handle.close(),
    path,
  );
}

/** The partial beside an output. */
export function partialOf(output: string): string {
  return join(dirname(output), besideName(basename(output), 'partial'));
}

/** What jobs note beside the partial. */
export function journalOf(output: string): string {
  return join(dirname(output), besideName(basename(output), 'partial.notes'));
}

/**
 * A file that grows under the name `.NAME.partial`, locked, and gets its own when it is complete.
 *
 * @throws VaeError ERR_VAE_IO at once where another job writes it, or the file is there and may not be replaced.
 */
export async function fileOutput(
  path: string,
  { lock, force, append, expand }: FileOutputOptions,
): Promise<ArchiveOutput> {
  const output = await targetOf(path);
  const partial = partialOf(output);
  // A job that was killed as it gave the archive its name left it two; what is written to one would change the other.
  if (await isSameFile(partial, output)) await rm(partial, { force: true });
  const { handle, locked } = await openLocked(partial, lock, `writing ${path}`).catch((error: unknown) => {
    throw ioError(error, `opening ${partial}`);
  });
  await dropEarlier(output);
  const journal = journalAt(journalOf(output));
  let at: number;
  let base = 0;
  try {
    if (append) [at, base] = await beginWith(output, partial, handle, expand);
    else {
      at = (await handle.stat()).size;
      // Of a job that was killed right after it gave the archive its name.
      if (at === 0) await journal.drop();
      await refuseExisting(output, path, force);
    }
  } catch (error) {
    const { size } = await handle.stat();
    if (size === 0) await rm(partial, { force: true });
    await handle.close();
    throw error;
  }
  const length = at;
  return {
    ...{ base, locked, place: partial, isStream: false, journal },
    source: length === 0 ? undefined : { ...handleSource(handle, length, partial), close: async () => {} },
    async cutAt(end) {
      await handle.truncate(end);
      at = end;
    },
    async write(bytes) {
      await writeFully(handle, bytes, at);
      at += bytes.length;
    },
    written: () => ({ ...handleSource(handle, at, partial), close: async () => {} }),
    async replace(bytes) {
      await handle.truncate(0);
      await writeFully(handle, bytes, 0);
      at = bytes.length;
      return true;
    },
    async commit() {
      await handle.truncate(at);
      await handle.sync();
      if (append || force) await rename(partial, output);
      else {
        await publish(partial, output, false).catch((error: NodeJS.ErrnoException) => {
          throw error.code === 'EEXIST' ? existing(path) : error;
        });
      }
      await journal.drop();
      await handle.close();
      await flushFolder(dirname(output));
      return undefined;
    },
    async abandon(keep) {
      const { size } = await handle.stat().catch(() => ({ size: 0 }));
      if (!keep || size === 0) {
        await rm(partial, { force: true }).catch(() => {});
        await journal.drop().catch(() => {});
      }
      await handle.close().catch(() => {});
    },
    setAside: () => copyAside(partial),
  };
}

/** Jobs of earlier releases had their process number in the name, and nothing goes on from those. */
async function dropEarlier(output: string): Promise<void> {
  const folder = dirname(output);
  const start = `.${basename(output)}.`;
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    if (!name.startsWith(start) || !/^\d+\.partial$/.test(name.slice(start.length))) continue;
    const info = await stat(join(folder, name)).catch(() => undefined);
    const isOld = info !== undefined && Date.now() - info.mtimeMs > 3_600_000;
    if (isOld) await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

/** Keeps what another job left, under a name with a number; the name. */
async function copyAside(partial: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const aside = `${partial}.${number}`;
    try {
      await copyFile(partial, aside, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      return aside;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** @throws VaeError ERR_VAE_IO where a file is there and may not be replaced. */
async function refuseExisting(output: string, shown: string, force: boolean): Promise<void> {
  if (!force && (await lstat(output).catch(() => undefined)) !== undefined) throw existing(shown);
}

/**
 * The partial becomes a copy of the archive, unless it begins as one from an interrupted job. Its length, and that of
 * the archive.
 */
async function beginWith(
  archive: string,
  partial: string,
  handle: FileHandle,
  expand: FileOutputOptions['expand'],
): Promise<[length: number, base: number]> {
  const file = await open(archive, 'r').catch((error: unknown) => {
    throw ioError(error, `adding to ${archive}`);
  });
  try {
    let whole: ByteSource = handleSource(file, (await file.stat()).size, archive);
    const expanded = await expand?.(whole);
    if (expanded !== undefined) whole = memorySource(expanded);
    const there = (await handle.stat()).size;
    const mine = await sameStart(whole, handle, Math.min(whole.length, there));
    if (there >= whole.length && mine) return [there, whole.length];
    if (!mine) await copyAside(partial);
    await handle.truncate(0);
    for (let at = 0; at < whole.length; at += 1 << 20) {
      await writeFully(handle, await whole.read(at, Math.min(1 << 20, whole.length - at)), at);
    }
    return [whole.length, whole.length];
  } catch (error) {
    throw ioError(error, `adding to ${archive}`);
  } finally {
    await file.close();
  }
}

async function sameStart(left: ByteSource, right: FileHandle, size: number): Promise<boolean> {
  for (let at = 0; at < size; at += 1 << 20) {
    const length = Math.min(1 << 20, size - at);
    const [a, b] = [await left.read(at, length), await readFully(right, at, length)];
    if (b === undefined || Buffer.compare(a, b) !== 0) return false;
  }
  return true;
}

async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
