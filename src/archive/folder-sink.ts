/** Unpacking into a folder. */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { nameToBytes, pathOf, shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import { ioError, makeFolder } from '../core/files.js';
import { writeFully } from '../core/ranges.js';
import { besideName } from '../core/temporary.js';
import type { Outline, OutPart } from './archive.js';
import { type Locker, takeLock } from './lock.js';
import { type NameRules, placesOf, type Renamed, safeName } from './names.js';
import { isSameFile, NAME_REFUSED, publish } from './publish.js';
import { holds, readPart, sameFiles } from './there.js';
import type { AnyArchive, UnpackSink } from './unpack.js';

export interface FolderOptions {
  readonly salvage: boolean;
  /** Replace files that are there with other bytes. */
  readonly force: boolean;
  /** Leave such files, and go on. */
  readonly skipExisting: boolean;
  readonly rename: 'safe' | 'refuse';
  readonly lock: Locker;
}

/** A file that stands where one should be written, with other bytes. */
export interface Skipped {
  readonly name: string;
  readonly path: string;
}

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

interface Begun {
  readonly handle: FileHandle;
  readonly path: string | Buffer;
  readonly temporary: string | Buffer;
  /** Where the next part should begin. */
  end: number;
  missing: boolean;
}

export class FolderSink implements UnpackSink {
  readonly #folder: string;
  readonly #options: FolderOptions;
  readonly #renamed: Renamed[] = [];
  readonly #skipped: Skipped[] = [];
  readonly #begun = new Map<string, Promise<Begun>>();
  readonly #copies: OutPart[] = [];
  /** Files that stand there already, as they should be or to be left. */
  readonly #leave = new Set<string>();
  readonly #folders = new Set<string>();
  /** Paths of all files of the archive. */
  readonly #taken = new Set<string>();
  readonly #rules: { value: NameRules } = { value: { windows: process.platform === 'win32', caseBlind: false } };
  #places: ReadonlyMap<string, string> = new Map();
  #release: (() => Promise<void>) | undefined;
  #unlocked = false;

  constructor(folder: string, options: FolderOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Names that could not be had. */
  get renamed(): readonly Renamed[] {
    return this.#renamed;
  }

  /** Files that were left as they are, although they are not what the archive holds. */
  get skipped(): readonly Skipped[] {
    return this.#skipped;
  }

  /** False where the file system has no locks. */
  get locked(): boolean {
    return !this.#unlocked;
  }

  /** The path of the only file, or the folder. */
  get path(): string {
    const places = [...this.#places.values()];
    return places.length === 1 ? join(this.#folder, places[0]!) : this.#folder;
  }

  async begin(outline: Outline, archive: AnyArchive, signal?: AbortSignal): Promise<ReadonlySet<number>> {
    await makeFolder(this.#folder);
    const lockName = besideName(`node-vae-${identityOf(archive)}`, 'lock');
    const lock = await takeLock(
      join(this.#folder, lockName),
      this.#options.lock,
      `unpacking this archive into ${this.#folder}`,
    );
    this.#release = () => lock.release();
    this.#unlocked = !lock.locked;
    const all = outline.records.flat();
    const names = [...new Set(all.map(({ name }) => name))].filter((name) => name !== '');
    const folders = new Set(all.filter(({ folder }) => folder).map(({ name }) => name));
    this.#rules.value = { ...this.#rules.value, caseBlind: await isCaseBlind(this.#folder, lockName) };
    const { places, renamed } = placesOf(names, this.#rules.value, this.#options.rename, folders);
    this.#places = places;
    for (const name of names) this.#taken.add(keyOf(this.#pathOf(name)));
    for (const one of renamed) this.#renamed.push(one);
    const existing = new Set<string>();
    for (const name of names) {
      if ((await this.#isThere(name, folders.has(name))) && !folders.has(name)) existing.add(name);
    }
    return this.#there(outline, archive, existing, signal);
  }

  async put(part: OutPart, bytes: Uint8Array): Promise<void> {
    if (this.#leave.has(part.name)) return;
    if (part.sameAs !== undefined) {
      this.#copies.push(part);
      return;
    }
    try {
      if (part.folder) return await makeFolder(this.#pathOf(part.name) as string);
      const file = await this.#open(part.name);
      if (part.joined) {
        await writeFully(file.handle, bytes, file.end);
        file.end += bytes.length;
      } else {
        if (part.offset > file.end) file.missing = true;
        await writeFully(file.handle, bytes, part.offset);
        file.end = Math.max(file.end, part.offset + bytes.length);
      }
      if (part.last) await this.#finish(part.name);
    } catch (error) {
      throw ioError(error, `unpacking ${shownName(part.name)} into ${this.#folder}`);
    }
  }

  async lose(part: OutPart): Promise<void> {
    if (this.#leave.has(part.name) || part.sameAs !== undefined || part.folder) return;
    // Of a file that is lost altogether nothing appears.
    if (part.offset === 0 && part.last) return;
    const file = await this.#open(part.name);
    file.missing = true;
    if (!part.joined) file.end = Math.max(file.end, part.offset + (part.bytes ?? 0));
    if (part.last) await this.#finish(part.name);
  }

  async end(): Promise<void> {
    for (const name of [...this.#begun.keys()]) {
      (await this.#begun.get(name)!).missing = true;
      await this.#finish(name);
    }
    for (const part of this.#copies) await this.#copy(part);
    for (const folder of this.#folders) await flushFolder(folder);
    await this.#release?.();
    this.#release = undefined;
  }

  async stop(interrupted: boolean): Promise<void> {
    for (const file of await Promise.allSettled(this.#begun.values())) {
      if (file.status === 'rejected') continue;
      await file.value.handle.close().catch(() => {});
      if (!interrupted) await rm(file.value.temporary, { force: true }).catch(() => {});
    }
    this.#begun.clear();
    await this.#release?.().catch(() => {});
    this.#release = undefined;
  }

  /** Whether something is where a file goes; refuses links on the way, and folders. */
  async #isThere(name: string, asFolder: boolean): Promise<boolean> {
    const parts = this.#places.get(name)!.split('/');
    let path = this.#folder;
    for (const [index, part] of parts.entries()) {
      path = `${path}/${part}`;
      const found = await lstat(pathOf(path)).catch(() => undefined);
      if (found === undefined) return false;
      if (found.isSymbolicLink()) {
        throw new VaeError(
          'ERR_VAE_FORMAT',
          `${shownName(path)} is a link; nothing is unpacked through it. Remove it first.`,
        );
      }
      const isFolder = found.isDirectory();
      if (isFolder !== (asFolder || index < parts.length - 1)) {
        throw new VaeError(
          'ERR_VAE_IO',
          `${shownName(path)} is a ${isFolder ? 'folder' : 'file'}, where the archive has a ${isFolder ? 'file' : 'folder'}. Unpack elsewhere, or remove it.`,
        );
      }
    }
    return true;
  }

  /** Records whose files an earlier run wrote; refuses files that hold something else. */
  async #there(
    outline: Outline,
    archive: AnyArchive,
    existing: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<number>> {
    const done = new Set<number>();
    const wrong = new Set<string>();
    for (const [name, records] of joinedFiles(outline)) {
      signal?.throwIfAborted();
      if (!existing.has(name)) continue;
      if (!(await archive.matchesFile(records, this.#pathOf(name)))) wrong.add(name);
      else for (const record of records) done.add(record);
    }
    for (const [record, parts] of outline.records.entries()) {
      signal?.throwIfAborted();
      if (parts.some(({ joined }) => joined)) continue;
      const wanted = parts.filter(({ name, sameAs, folder }) => name !== '' && sameAs === undefined && !folder);
      if (wanted.length === 0) continue;
      if (wanted.every(({ name }) => existing.has(name))) {
        if (await this.#matches(archive, record, wanted, (name) => this.#pathOf(name), true)) {
          if (wanted.length === parts.length) done.add(record);
          continue;
        }
      } else if (wanted.length === 1 && !existing.has(wanted[0]!.name)) {
        if (await this.#resume(archive, record, wanted[0]!)) done.add(record);
        continue;
      }
      const output = await archive.output(record, signal).catch((error: unknown) => {
        archive.damageOf(record, error);
        return undefined;
      });
      for (const [index, part] of parts.entries()) {
        if (!existing.has(part.name) || part.sameAs !== undefined || output === undefined) continue;
        if (!(await holds(this.#pathOf(part.name), part, output.parts[index]!))) wrong.add(part.name);
      }
    }
    // What stands behind the parts that were taken over is of no use.
    for (const begun of this.#begun.values()) await (await begun).handle.truncate((await begun).end);
    for (const name of existing) {
      if (wrong.has(name)) continue;
      this.#leave.add(name);
      await this.#dropOtherName(name);
    }
    const copies = outline.records.flat().filter(({ name, sameAs }) => sameAs !== undefined && existing.has(name));
    for (const { name, sameAs } of copies) {
      const same = await sameFiles(this.#pathOf(name), this.#pathOf(sameAs!));
      if (same || !existing.has(sameAs!)) this.#leave.add(name);
      else {
        wrong.add(name);
        this.#leave.delete(name);
      }
    }
    if (wrong.size === 0 || this.#options.force) {
      for (const name of wrong) this.#leave.delete(name);
      return wrong.size === 0
        ? done
        : new Set([...done].filter((record) => !outline.records[record]!.some(({ name }) => wrong.has(name))));
    }
    const list = [...wrong].map((name) => this.#shown(name));
    if (this.#options.skipExisting) {
      for (const name of wrong) {
        this.#leave.add(name);
        this.#skipped.push({ name, path: this.#shown(name) });
      }
      return done;
    }
    throw new VaeError(
      'ERR_VAE_IO',
      `${list.length === 1 ? 'There is' : `There are ${list.length} files, such as`} ${list.slice(0, 5).join(', ')} with other bytes than the archive's. ` +
        'Nothing was unpacked. Unpack elsewhere, replace them (force, --force), or leave them (skipExisting, --skip-existing).',
    );
  }

  /** Takes over a part that an interrupted run wrote into a file which it did not finish. */
  async #resume(archive: AnyArchive, record: number, part: OutPart): Promise<boolean> {
    if (part.offset === 0 && part.last) return false;
    const temporary = this.#temporaryOf(this.#pathOf(part.name));
    const begun = this.#begun.get(part.name);
    if (begun === undefined ? part.offset > 0 : (await begun).end !== part.offset) return false;
    if (!(await lstat(temporary).catch(() => undefined))?.isFile()) return false;
    if (!(await this.#matches(archive, record, [part], () => temporary, false))) return false;
    const file = await this.#open(part.name, true);
    const { size } = await file.handle.stat();
    const end = part.bytes === undefined ? size : Math.min(size, part.offset + part.bytes);
    file.end = end;
    if (part.last) await this.#finish(part.name);
    return true;
  }

  /** A file that was complete when its job was killed may still have its temporary name too. */
  async #dropOtherName(name: string): Promise<void> {
    const path = this.#pathOf(name);
    const temporary = this.#temporaryOf(path);
    if (await isSameFile(temporary, path)) await rm(temporary, { force: true });
  }

  async #matches(
    archive: AnyArchive,
    record: number,
    parts: readonly OutPart[],
    where: (name: string) => string | Buffer,
    whole: boolean,
  ): Promise<boolean> {
    const bytes: Uint8Array[] = [];
    for (const part of parts) {
      const found = await readPart(where(part.name), part, whole);
      if (found === undefined) return false;
      bytes.push(found);
    }
    return archive.matches(record, bytes);
  }

  #pathOf(name: string): string | Buffer {
    const place = `${this.#folder}/${this.#places.get(name)!}`;
    return process.platform === 'win32' ? join(place) : pathOf(place);
  }

  #shown(name: string): string {
    return shownName(join(this.#folder, this.#places.get(name)!));
  }

  /** Where a file grows: beside it, under a name that no file of the archive has. */
  #temporaryOf(path: string | Buffer): string | Buffer {
    for (let number = 0; ; number += 1) {
      const temporary = temporaryName(path, number === 0 ? 'partial' : `partial${number}`);
      if (!this.#taken.has(keyOf(temporary))) return temporary;
    }
  }

  /** The file that parts are written to, under its temporary name. */
  #open(name: string, keep = false): Promise<Begun> {
    let begun = this.#begun.get(name);
    if (begun === undefined) {
      begun = this.#start(name, keep);
      this.#begun.set(name, begun);
    }
    return begun;
  }

  async #start(name: string, keep: boolean): Promise<Begun> {
    try {
      return await this.#startAt(this.#pathOf(name), keep);
    } catch (error) {
      if (!NAME_REFUSED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return this.#startAt(this.#otherName(name), keep);
    }
  }

  async #startAt(path: string | Buffer, keep: boolean): Promise<Begun> {
    const folder = typeof path === 'string' ? dirname(path) : path.subarray(0, path.lastIndexOf(0x2f));
    const key = folder.toString('latin1');
    if (!this.#folders.has(key)) {
      await makeFolder(folder as string);
      this.#folders.add(key);
    }
    const temporary = this.#temporaryOf(path);
    const flags = constants.O_RDWR | constants.O_CREAT | NO_FOLLOW | (keep ? 0 : constants.O_TRUNC);
    const handle = await open(temporary, flags, 0o666);
    return { handle, path, temporary, end: 0, missing: false };
  }

  /** Where the file system does not take a name after all. */
  #otherName(name: string): string | Buffer {
    if (this.#options.rename === 'refuse') {
      throw new VaeError(
        'ERR_VAE_IO',
        `This disk cannot have the name "${shownName(name)}". Let it have a safe one (rename: 'safe', --rename safe).`,
      );
    }
    const as = safeName(name);
    this.#places = new Map([...this.#places, [name, as]]);
    this.#renamed.push({ name, as, reason: 'this disk cannot have such a name' });
    return this.#pathOf(name);
  }

  async #finish(name: string): Promise<void> {
    const file = await this.#begun.get(name)!;
    this.#begun.delete(name);
    try {
      await file.handle.truncate(file.end);
      await file.handle.sync();
    } finally {
      await file.handle.close();
    }
    // A file with gaps appears only where that was asked for.
    if (file.missing && !this.#options.salvage) await rm(file.temporary, { force: true });
    else await this.#publish(name, file.temporary, file.path);
  }

  async #publish(name: string, temporary: string | Buffer, path: string | Buffer): Promise<void> {
    try {
      await publish(temporary, path, this.#options.force);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'EEXIST') {
        await rm(temporary, { force: true });
        throw new VaeError(
          'ERR_VAE_IO',
          `${shownName(path.toString())} appeared while the archive was unpacked; it was left as it is.`,
        );
      }
      if (!NAME_REFUSED.has(code)) throw error;
      await publish(temporary, this.#otherName(name), this.#options.force);
    }
  }

  async #copy({ name, sameAs }: OutPart): Promise<void> {
    const from = this.#pathOf(sameAs!);
    const source = await open(from, constants.O_RDONLY | NO_FOLLOW);
    try {
      const file = await this.#open(name);
      const step = Buffer.alloc(1 << 20);
      for (;;) {
        const { bytesRead } = await source.read(step, 0, step.length, file.end);
        if (bytesRead === 0) break;
        await writeFully(file.handle, step.subarray(0, bytesRead), file.end);
        file.end += bytesRead;
      }
      await this.#finish(name);
    } catch (error) {
      throw ioError(error, `unpacking ${shownName(name)} into ${this.#folder}`);
    } finally {
      await source.close();
    }
  }
}

/** Files whose parts are joined, and the records that hold those. */
function joinedFiles({ records }: Outline): Map<string, number[]> {
  const files = new Map<string, number[]>();
  for (const [record, parts] of records.entries()) {
    for (const { name, joined } of parts) if (joined) files.set(name, [...(files.get(name) ?? []), record]);
  }
  return files;
}

function temporaryName(path: string | Buffer, suffix: string): string | Buffer {
  if (typeof path === 'string') return join(dirname(path), besideName(basename(path), suffix));
  const slash = path.lastIndexOf(0x2f);
  const name = besideName(path.subarray(slash + 1).toString('hex'), suffix);
  return Buffer.concat([path.subarray(0, slash + 1), Buffer.from(name)]);
}

/** A path to look up, whatever the case of its letters. */
function keyOf(path: string | Buffer): string {
  return (typeof path === 'string' ? normalize(path) : path.toString('latin1')).toLowerCase();
}

/** Which archive it is, for the name of a lock. */
function identityOf(archive: AnyArchive): string {
  const text = JSON.stringify([archive.header, archive.byteLength, archive.recordCount]);
  return createHash('sha256').update(nameToBytes(text)).digest('hex').slice(0, 12);
}

/** Whether a folder takes names that differ in case for one: asked of a file that is in it. */
async function isCaseBlind(folder: string, name: string): Promise<boolean> {
  return isSameFile(join(folder, name), join(folder, name.toUpperCase()));
}

/** A rename survives a power cut only once its folder is flushed; Windows has no such call. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(Buffer.from(folder, 'latin1'), 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
