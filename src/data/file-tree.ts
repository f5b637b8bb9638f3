/**
 * Everything under some paths: every file of whatever kind and name, hidden ones and those behind links too, and what
 * is there but cannot be kept, by name.
 */
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, resolve, sep } from 'node:path';
import { nameFromBytes, nameToBytes, pathOf, shownName } from '../core/byte-names.js';
import { ioError } from '../core/files.js';

/** A file that was found. */
export interface TreeFile {
  /** What file functions take. */
  readonly path: string | Buffer;
  /** Its path within the folder that was given, with `/` between its parts. Bytes that are no UTF-8 as byte-names.ts has them. */
  readonly name: string;
  /** The path for messages. */
  readonly shown: string;
  readonly size: number;
  /** Device and number: what tells that two paths are one file. */
  readonly identity: string;
}

/** Something that is there and is no file that can be read. */
export interface TreeOther {
  readonly name: string;
  readonly reason: string;
}

export interface Tree {
  readonly files: readonly TreeFile[];
  readonly others: readonly TreeOther[];
  /** Names of folders that hold nothing. */
  readonly empty: readonly string[];
}

export interface TreeOptions {
  /** Follow links to files and folders. Default true; otherwise links are told among the others. */
  readonly dereference?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Walks paths. Files come in the order of their names' bytes, whatever the file system's.
 *
 * @throws VaeError ERR_VAE_IO for a path that is not there, or a folder that cannot be listed.
 */
export async function walkTree(paths: readonly string[], options: TreeOptions = {}): Promise<Tree> {
  const files: TreeFile[] = [];
  const others: TreeOther[] = [];
  const empty: string[] = [];
  for (const path of paths) {
    const info = await stat(path, { bigint: true }).catch((error: unknown) => {
      throw ioError(error, `reading ${path}`);
    });
    if (!info.isDirectory()) {
      const name = basename(resolve(path));
      if (info.isFile()) files.push(fileOf(path, name, path, info));
      else others.push({ name: path, reason: specialKind(info) });
      continue;
    }
    const found = await walkFolder(path, options);
    for (const file of found.files) files.push(file);
    for (const other of found.others) others.push(other);
    for (const name of found.empty) empty.push(name);
  }
  return { files, others, empty };
}

interface Info {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
}

interface Folder {
  readonly path: string;
  readonly within: string;
  /** Itself and those above it: a link to one of them would go round for ever. */
  readonly above: readonly string[];
}

async function walkFolder(root: string, { dereference = true, signal }: TreeOptions): Promise<Tree> {
  const files: TreeFile[] = [];
  const others: TreeOther[] = [];
  const empty: string[] = [];
  const start = await stat(root, { bigint: true });
  const folders: Folder[] = [{ path: root, within: '', above: [identityOf(start)] }];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal?.throwIfAborted();
    const { path: at, above, within } = folder;
    const names = await readdir(pathOf(at), { encoding: 'buffer' }).catch((error: unknown) => {
      throw ioError(error, `listing ${shownName(at)}`);
    });
    if (names.length === 0 && within !== '') empty.push(within);
    for (const bytes of names as unknown as Buffer[]) {
      const own = nameFromBytes(bytes);
      const path = `${at.endsWith(sep) ? at.slice(0, -1) : at}${sep}${own}`;
      const name = within === '' ? own : `${within}/${own}`;
      const link = await lstat(pathOf(path), { bigint: true }).catch(() => undefined);
      if (link === undefined) continue; // It went while the folder was listed.
      if (link.isSymbolicLink() && !dereference) {
        others.push({ name, reason: 'a link' });
        continue;
      }
      const info = link.isSymbolicLink() ? await stat(pathOf(path), { bigint: true }).catch(() => undefined) : link;
      if (info === undefined) others.push({ name, reason: 'a link that leads nowhere' });
      else if (info.isDirectory()) {
        const identity = identityOf(info);
        if (above.includes(identity)) others.push({ name, reason: 'a link to a folder that it is in' });
        else folders.push({ path, within: name, above: [...above, identity] });
      } else if (info.isFile()) files.push(fileOf(path, name, path, info));
      else others.push({ name, reason: specialKind(info) });
    }
  }
  files.sort((a, b) => Buffer.compare(nameToBytes(a.name), nameToBytes(b.name)));
  others.sort((a, b) => Buffer.compare(nameToBytes(a.name), nameToBytes(b.name)));
  empty.sort((a, b) => Buffer.compare(nameToBytes(a), nameToBytes(b)));
  return { files, others, empty };
}

function fileOf(path: string, name: string, shown: string, info: Info): TreeFile {
  return { path: pathOf(path), name, shown: shownName(shown), size: Number(info.size), identity: identityOf(info) };
}

function identityOf({ dev, ino }: Info): string {
  return `${dev}:${ino}`;
}

function specialKind(info: { isFIFO(): boolean; isSocket(): boolean }): string {
  return info.isFIFO() ? 'a pipe' : info.isSocket() ? 'a socket' : 'a device';
}
