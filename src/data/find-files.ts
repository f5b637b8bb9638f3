/** Finding data files: single files, folders with all below them, and globs. */
import { close as closeDescriptor, open as openFile, read as readDescriptor } from 'node:fs';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';

/** One file of data. Names that are not UTF-8 are kept as bytes, so that such files can still be opened. */
export interface FoundFile {
  readonly path: string | Buffer;
  /** The path as text, for messages and names; bytes that are no text are written \xNN. */
  readonly name: string;
  /** First folder below the one that was given, where there is one. */
  readonly folder: string | undefined;
  /** The path within the folder that was given, with `/` between its parts; of single files their name. */
  readonly within: string;
}

/** A file that was named by its path. */
export function fileAt(path: string): FoundFile {
  return { path, name: path, folder: undefined, within: basename(path) };
}

/** The endings of the files of one kind, such as `.png`, in lower case. */
export interface FileKind {
  /** What such files are called in messages, such as `pictures`. */
  readonly plural: string;
  readonly endings: readonly string[];
}

/** Whether a name ends like that of a file of this kind. */
export function namedLike(name: string, { endings }: FileKind): boolean {
  const lower = name.toLowerCase();
  return endings.some((ending) => lower.endsWith(ending));
}

/** Whether a path that is no file itself stands for others. */
export function isGlob(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

/**
 * All files of these paths, in an order that does not depend on the file system. Of a folder,
 * those named like the kind, at whatever depth, also through links; hidden files and folders are left out. A path
 * with * ? [ ] { } that is no file itself is a glob.
 *
 * @param onOther called for every file of a folder that is not named like the kind.
 * @throws VaeError ERR_VAE_IO for what is missing, ERR_VAE_DATA where nothing was found.
 */
export async function findFiles(
  paths: readonly string[],
  kind: FileKind,
  signal?: AbortSignal,
  onOther?: (file: FoundFile) => void,
): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const path of paths) {
    const files = await expand(path, onOther ? undefined : kind, signal);
    // Files that were named themselves are taken whatever they are called.
    const all =
      onOther && files[0]?.name !== path && !isGlob(path) ? files.filter((file) => namedLike(file.name, kind)) : files;
    if (onOther && all !== files) for (const file of files) if (!namedLike(file.name, kind)) onOther(file);
    for (const file of all) found.push(file);
  }
  if (found.length > 0) return found;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${paths.join(', ')}: found no ${kind.plural}. Looked for files that end in ${kind.endings.join(', ')}, also in sub-folders.`,
  );
}

/** As findFiles(), whatever the files are called; none where there are none. */
export async function listFiles(paths: readonly string[], signal?: AbortSignal): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const path of paths) for (const file of await expand(path, undefined, signal)) found.push(file);
  return found;
}

/** The kind most files of a folder are of, at whatever depth, by their names; undefined where none is of any. */
export async function kindOfFolder<K extends FileKind>(folder: string, kinds: readonly K[]): Promise<K | undefined> {
  const counts = new Map<K, number>();
  const all = { plural: 'files', endings: kinds.flatMap(({ endings }) => endings) };
  for await (const { name } of walk(folder, all, undefined)) {
    const kind = kinds.find((candidate) => namedLike(name, candidate))!;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** The bytes of a file. */
export async function readFoundFile({ path, name }: FoundFile, signal?: AbortSignal): Promise<Buffer> {
  try {
    return await readFile(path, signal ? { signal } : {});
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw await readingError(error, path, name);
  }
}

/** Buffers to read beginnings into: one of 64 KiB for each small file would keep the garbage collector busy. */
const scratch: Buffer[] = [];
const SCRATCH_BYTES = 1 << 16;

/** The first bytes of a file, `count` at most. */
export async function startOfFile({ path, name }: FoundFile, count: number): Promise<Uint8Array> {
  const pooled = count <= SCRATCH_BYTES;
  const bytes = (pooled ? scratch.pop() : undefined) ?? Buffer.allocUnsafe(pooled ? SCRATCH_BYTES : count);
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      // Callbacks cost a third of what file handles do, and folders have many small files.
      openFile(path, 'r', (failed, descriptor) => {
        if (failed) return reject(failed);
        readDescriptor(descriptor, bytes, 0, count, 0, (error, length) => {
          closeDescriptor(descriptor, () => {
            if (error) reject(error);
            else resolve(Uint8Array.prototype.slice.call(bytes, 0, length));
          });
        });
      });
    });
  } catch (error) {
    throw await readingError(error, path, name);
  } finally {
    if (pooled) scratch.push(bytes);
  }
}

/** A link that leads nowhere is bad data, which can be skipped; everything else is the disk's. */
async function readingError(error: unknown, path: string | Buffer, name: string): Promise<VaeError> {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
    const target = await readlink(path).catch(() => undefined);
    if (target !== undefined) {
      return new VaeError(
        'ERR_VAE_DATA',
        `${name}: a link to "${target}", which is not there. Mend or remove it, or have such files skipped (skipBad, --skip-bad).`,
        { cause: error },
      );
    }
  }
  return ioError(error, `reading ${name}`);
}

async function expand(path: string, kind: FileKind | undefined, signal: AbortSignal | undefined): Promise<FoundFile[]> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw ioError(error, `reading ${path}`);
  });
  if (info?.isDirectory()) {
    const files: FoundFile[] = [];
    for await (const file of walk(path, kind, signal)) files.push(file);
    return files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
  if (info) return [fileAt(path)];
  if (!isGlob(path)) {
    throw new VaeError('ERR_VAE_IO', `There is no file or folder "${path}". Check the path to the data.`);
  }
  const { glob } = await import('tinyglobby');
  const names = await glob(sep === '\\' ? path.replaceAll('\\', '/') : path, {
    onlyFiles: true,
    expandDirectories: false,
    ...(signal && { signal }),
  });
  return names.sort().map(fileAt);
}

interface Folder {
  readonly path: Buffer;
  readonly name: string;
  readonly within: string;
  /** Itself and those above it, by device and number: a link to one of them would go round for ever. */
  readonly above: readonly string[];
}

async function* walk(
  root: string,
  kind: FileKind | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundFile> {
  const folders: Folder[] = [{ path: Buffer.from(root), name: root, within: '', above: [await identityOf(root)] }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    signal?.throwIfAborted();
    const { above } = folder;
    const entries = await readdir(folder.path, { withFileTypes: true, encoding: 'buffer' }).catch((error) => {
      throw ioError(error, `listing ${folder?.name}`);
    });
    for (const entry of entries) {
      const bytes = entry.name as unknown as Buffer;
      const text = nameOf(bytes);
      if (text.startsWith('.')) continue;
      const path = Buffer.concat([folder.path, Buffer.from(sep), bytes]);
      const name = join(folder.name, text);
      const within = folder.within === '' ? text : `${folder.within}/${text}`;
      const isFolder = entry.isSymbolicLink() ? await isDirectory(path) : entry.isDirectory();
      if (isFolder) {
        const identity = await identityOf(path);
        if (!above.includes(identity)) folders.push({ path, name, within, above: [...above, identity] });
      } else if (kind === undefined || namedLike(text, kind)) {
        const first = within.includes('/') ? within.slice(0, within.indexOf('/')) : undefined;
        yield { path: isText(bytes) && isText(folder.path) ? path.toString() : path, name, folder: first, within };
      }
    }
  }
}

async function identityOf(path: string | Buffer): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}

async function isDirectory(path: Buffer): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

function isText(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString()).equals(bytes);
}

function nameOf(bytes: Buffer): string {
  if (isText(bytes)) return bytes.toString();
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}
