/** The file system, this machine's or a shared one. */
import { type BigIntStats, close as closeFile, constants, fstat, open as openFile, read } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readSmallFiles } from '../../binding/read-files.js';
import { nameFromBytes, nameToBytes, pathOf, shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder } from '../../core/files.js';
import { inflight } from '../../core/in-order.js';
import { readFully, writeFully } from '../../core/ranges.js';
import { dropStale, temporaryBeside } from '../../core/temporary.js';
import {
  type FoundInput,
  type OpenInput,
  type Place,
  SMALL_FILE_BYTES,
  type Storage,
  type WalkOptions,
} from './place.js';
import { sortedEntries } from './sorted-names.js';

/** Files whose state is asked for at once, and groups of them. */
const STATS = 64;
const GROUPS = 2;

export const localStorage: Storage = {
  async stat(path) {
    const info = await stat(pathOf(path), { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw ioError(error, `reading ${shownName(path)}`);
    });
    if (info === undefined) return undefined;
    if (info.isDirectory()) return { kind: 'folder' };
    if (info.isFile()) return { kind: 'file', file: foundFile(path, basename(path), info) };
    throw new VaeError(
      'ERR_VAE_IO',
      `${shownName(path)} is no file that can be read twice, as jobs do. Copy what it gives into a file first.`,
    );
  },
  walk: (folder, options) => withStates(walk(folder, '', [], options)),
  async open(path) {
    const file = await open(pathOf(path), 'r').catch((error: unknown) => {
      throw ioError(error, `reading ${shownName(path)}`);
    });
    const info = await file.stat({ bigint: true });
    return openInput(file, path, info);
  },
  async readWhole(path, signal) {
    signal?.throwIfAborted();
    try {
      const descriptor = await called<number>((done) => openFile(pathOf(path), 'r', done));
      try {
        const info = await called<BigIntStats>((done) => fstat(descriptor, { bigint: true }, done));
        const bytes = Buffer.allocUnsafeSlow(Number(info.size));
        let length = 0;
        while (length < bytes.length) {
          const at = length;
          const count = await called<number>((done) => read(descriptor, bytes, at, bytes.length - at, at, done));
          if (count === 0) break;
          length += count;
        }
        return { bytes: bytes.subarray(0, length), size: Number(info.size), state: stateOfTime(info.mtimeNs) };
      } finally {
        await called<void>((done) => closeFile(descriptor, (error) => done(error ?? null)));
      }
    } catch (error) {
      throw ioError(error, `reading ${shownName(path)}`);
    }
  },
  async readSmall(paths) {
    const found = await readSmallFiles(paths.map(pathOf), SMALL_FILE_BYTES);
    return found.map((file) => file?.bytes && { bytes: file.bytes, size: file.size, state: stateOfTime(file.changed) });
  },
};

/** What FoundInput.state is of a local file. */
export function stateOfTime(mtimeNs: bigint): string {
  return mtimeNs.toString(36);
}

/** Callbacks cost a third of what file handles do, and folders have many small files. */
function called<T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)));
  });
}

interface Info {
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

function foundFile(path: string, name: string, info: Info): FoundInput {
  return { path, name, size: Number(info.size), state: stateOfTime(info.mtimeNs) };
}

function openInput(file: FileHandle, path: string, info: Info): OpenInput {
  const size = Number(info.size);
  return {
    ...{ path, size, state: stateOfTime(info.mtimeNs) },
    async read(offset, length, _, lend) {
      const bytes = await readFully(file, offset, length, lend?.(length)).catch((error: unknown) => {
        throw ioError(error, `reading ${shownName(path)}`);
      });
      if (bytes !== undefined) return bytes;
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${shownName(path)}: ends before byte ${offset + length}; it has ${size}, or was cut while it was read.`,
      );
    },
    close: () => file.close(),
  };
}

/** An entry of a folder, before it is known what it is like. */
interface Entry {
  readonly path: string;
  /** Path within the folder that is walked. */
  readonly name: string;
  readonly dangling: boolean;
}

/** With the states of what there is: many at once, in order. */
async function* withStates(source: AsyncIterable<Entry>): AsyncGenerator<FoundInput> {
  for await (const found of inflight(groupsOf(source), statesOf, GROUPS)) yield* found;
}

async function* groupsOf(source: AsyncIterable<Entry>): AsyncGenerator<readonly Entry[]> {
  let group: Entry[] = [];
  for await (const entry of source) {
    group.push(entry);
    if (group.length < STATS) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

async function statesOf(entries: readonly Entry[]): Promise<FoundInput[]> {
  const files = await readSmallFiles(
    entries.map(({ path }) => pathOf(path)),
    0,
  );
  const found = await Promise.all(
    entries.map(async ({ path, name, dangling }, index): Promise<FoundInput | undefined> => {
      const file = files[index];
      // Named when its turn comes, as an item that cannot be read.
      if (dangling) return { path, name, size: 0, state: 'link' };
      if (file) return { path, name, size: file.size, state: stateOfTime(file.changed) };
      const info = await stat(pathOf(path), { bigint: true }).catch(() => undefined);
      // What went while the folder was listed is not there.
      return info?.isFile() ? foundFile(path, name, info) : undefined;
    }),
  );
  return found.filter((file) => file !== undefined);
}

/** What lies in a folder, depth first. */
async function* walk(
  folder: string,
  within: string,
  above: readonly string[],
  options: WalkOptions,
): AsyncGenerator<Entry> {
  const own = await stat(pathOf(folder), { bigint: true }).catch((error: unknown) => {
    throw ioError(error, `reading ${shownName(folder)}`);
  });
  const identity = `${own.dev}:${own.ino}`;
  // A link to a folder that it is in would go round for ever.
  if (above.includes(identity)) return;
  for await (const entry of sortedEntries(pathOf(folder), options.scratch)) {
    options.signal?.throwIfAborted();
    const name = nameFromBytes(Buffer.from(entry.name, 'latin1'));
    if (!options.hidden && name.startsWith('.')) continue;
    const path = `${folder === '/' ? '' : folder}/${name}`;
    const full = within === '' ? name : `${within}/${name}`;
    const kind = entry.isOther ? await kindBehind(path) : entry.isFolder ? 'folder' : 'file';
    if (kind === 'folder') yield* walk(path, full, [...above, identity], options);
    else if (kind !== 'other') yield { path, name: full, dangling: kind === 'dangling' };
  }
}

async function kindBehind(path: string): Promise<'file' | 'folder' | 'dangling' | 'other'> {
  const info = await stat(pathOf(path)).catch(() => undefined);
  if (info !== undefined) return info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'other';
  const link = await lstat(pathOf(path)).catch(() => undefined);
  return link?.isSymbolicLink() ? 'dangling' : 'other';
}

/** A folder of the file system as a job's. */
export function localPlace(root: string): Place {
  const at = (name: string): string => join(root, name);
  return {
    url: root,
    local: root,
    async read(name, signal) {
      try {
        return await readFile(pathOf(at(name)), signal ? { signal } : {});
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        if (signal?.aborted) throw signal.reason;
        throw ioError(error, `reading ${at(name)}`);
      }
    },
    async size(name) {
      const info = await stat(pathOf(at(name))).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
        throw ioError(error, `reading ${at(name)}`);
      });
      return info?.size;
    },
    async write(name, chunks, signal) {
      const path = at(name);
      const temporary = temporaryBeside(path);
      try {
        await makeFolders(dirname(path));
        await dropStale(path);
        const file = await open(pathOf(temporary), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666);
        try {
          for await (const chunk of chunks) {
            signal?.throwIfAborted();
            await writeFully(file, chunk, null);
          }
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(pathOf(temporary), pathOf(path));
        await flushFolder(dirname(path));
      } catch (error) {
        await rm(pathOf(temporary), { force: true }).catch(() => {});
        if (signal?.aborted) throw signal.reason;
        throw ioError(error, `writing ${shownName(path)}`);
      }
    },
    async *names(folder) {
      const entries = await readdir(at(folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw ioError(error, `listing ${at(folder)}`);
      });
      const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      yield* names.sort((a, b) => Buffer.compare(nameToBytes(a), nameToBytes(b)));
    },
    async remove(name) {
      await rm(pathOf(at(name)), { force: true }).catch((error: unknown) => {
        throw ioError(error, `removing ${at(name)}`);
      });
    },
  };
}

async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(pathOf(folder), 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Folders whose names may be no text. */
async function makeFolders(path: string): Promise<void> {
  if (typeof pathOf(path) === 'string') return makeFolder(path);
  await mkdir(pathOf(path), { recursive: true });
}
