/** What goes into an archive of files: everything under the inputs is in it, or named as left out. */
import { realpath, stat } from 'node:fs/promises';
import { journalOf, partialOf } from '../../archive/output-file.js';
import { nameToBytes, shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { type TreeFile, walkTree } from '../../data/file-tree.js';
import { isGlob } from '../../data/find-files.js';
import { isChanging } from './changing.js';
import { matcherOf } from './glob.js';
import { fileBegins } from './read-file.js';

/** Something under the inputs that is not in the archive. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

export interface SelectOptions {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** What becomes of files that the codec is not for. */
  readonly others: 'store' | 'skip' | 'fail';
  /** Leave files out that cannot be read or decoded, instead of failing. */
  readonly skipBad: boolean;
  readonly dereference: boolean;
  readonly signal?: AbortSignal | undefined;
}

export class Selection {
  readonly files: readonly TreeFile[];
  readonly options: SelectOptions;
  /** Names of folders that hold nothing. */
  readonly emptyFolders: readonly string[];
  /** Files that were to be left out by their names. */
  readonly excluded: readonly string[];
  readonly #leftOut: LeftOut[];
  /** Files for the general compressor, and why. */
  readonly #others = new Map<TreeFile, VaeError | undefined>();

  private constructor(
    files: readonly TreeFile[],
    emptyFolders: readonly string[],
    leftOut: LeftOut[],
    excluded: string[],
    options: SelectOptions,
  ) {
    this.files = files;
    this.emptyFolders = emptyFolders;
    this.options = options;
    this.excluded = excluded;
    this.#leftOut = leftOut;
  }

  /**
   * @param output the archive's own path, which is not one of its files.
   * @throws VaeError ERR_VAE_IO for a path that is not there, ERR_VAE_OPTION where the output is one of the inputs,
   *   ERR_VAE_DATA for two files of one name.
   */
  static async of(paths: readonly string[], output: string | undefined, options: SelectOptions): Promise<Selection> {
    if (paths.length === 0)
      throw new VaeError('ERR_VAE_OPTION', 'compress(): expected at least one input, received none.');
    const { dereference, signal } = options;
    const tree = await walkTree(await withoutGlobs(paths, signal), { dereference, signal });
    const own = output === undefined ? undefined : await identityOf(output);
    const partial = output === undefined ? [] : await partialIdentities(output);
    const included = options.include.map(matcherOf);
    const excluding = options.exclude.map(matcherOf);
    const excluded: string[] = [];
    const files: TreeFile[] = [];
    const byName = new Map<string, TreeFile>();
    for (const file of tree.files) {
      if (partial.includes(file.identity)) continue;
      if (file.identity === own) {
        if (await isArchive(file)) continue; // the archive of an earlier job, in the folder that it is made of
        throw new VaeError(
          'ERR_VAE_OPTION',
          `${output} is one of the inputs (${file.shown}): the archive would take the place of its own original. Name another output.`,
        );
      }
      const wanted = included.length === 0 || included.some((matches) => matches(file.name));
      if (!wanted || excluding.some((matches) => matches(file.name))) {
        excluded.push(file.name);
        continue;
      }
      const before = byName.get(file.name);
      if (before !== undefined) {
        if (before.identity === file.identity) continue; // given twice
        throw new VaeError(
          'ERR_VAE_DATA',
          `Two files would come out as "${shownName(file.name)}": ${before.shown} and ${file.shown}. Rename one, or give the folder above both.`,
        );
      }
      byName.set(file.name, file);
      files.push(file);
    }
    const others = tree.others.filter(({ name }) => !excluding.some((matches) => matches(name)));
    const isWanted = (name: string): boolean =>
      (included.length === 0 || included.some((matches) => matches(name))) &&
      !excluding.some((matches) => matches(name));
    // Two inputs may have one; and where another one has files in it, it is not empty.
    const empty = new Set(options.others === 'store' ? tree.empty.filter(isWanted) : []);
    for (const file of files) for (const folder of foldersOf(file.name)) empty.delete(folder);
    return new Selection(files, [...empty], [...others], excluded, options);
  }

  /**
   * Files that were found before, by names of their own.
   *
   * @throws VaeError ERR_VAE_DATA for two files of one name.
   */
  static ofFiles(files: readonly TreeFile[], options: SelectOptions): Selection {
    const byName = new Map<string, TreeFile>();
    for (const file of files) {
      const before = byName.get(file.name);
      if (before !== undefined && before.identity !== file.identity) {
        throw new VaeError(
          'ERR_VAE_DATA',
          `Two files would come out as "${shownName(file.name)}": ${before.shown} and ${file.shown}. Rename one, or give the folder above both.`,
        );
      }
      byName.set(file.name, file);
    }
    const sorted = [...byName.values()].sort((a, b) => Buffer.compare(nameToBytes(a.name), nameToBytes(b.name)));
    return new Selection(sorted, [], [], [], options);
  }

  /** What is not in the archive although it was not to be left out. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  leaveOut(file: TreeFile, error: VaeError): void {
    this.#leftOut.push({ name: file.name, reason: error.message });
  }

  /** Sends a file to the general compressor, leaves it out, or fails, as the options say. */
  passOn(file: TreeFile, why: VaeError | undefined): void {
    // Memory that ran out says nothing of the file.
    if (why?.code === 'ERR_VAE_RUNTIME') throw why;
    const { others } = this.options;
    if (others === 'fail') {
      throw new VaeError(
        why?.code ?? 'ERR_VAE_DATA',
        why?.message ??
          `${file.shown} is nothing that the codec is for. Leave it out (--exclude), or let such files be stored or skipped (--others).`,
      );
    }
    if (others === 'skip') {
      this.#leftOut.push({
        name: file.name,
        reason: why?.message ?? 'the codec is not for such files (--others skip)',
      });
    } else this.#others.set(file, why);
  }

  /**
   * A large file could not be read to its end as it was: what was written of it is of no use.
   *
   * @param isOther whether it is nothing that the codec is for after all, and goes to the general compressor.
   */
  breakOff(file: TreeFile, error: unknown, isOther = false): void {
    this.#broken.set(file, { error, isOther });
  }

  /** Files that were broken off since the last call: those to be read again. What was written of all is told to `forget`. */
  async takeBroken(forget: (file: TreeFile) => void): Promise<TreeFile[]> {
    const again: TreeFile[] = [];
    for (const [file, { error, isOther }] of this.#broken) {
      forget(file);
      const tries = (this.#tries.get(file.name) ?? 0) + 1;
      this.#tries.set(file.name, tries);
      const info = isChanging(error) && tries < 3 ? await stat(file.path).catch(() => undefined) : undefined;
      if (info?.isFile()) again.push({ ...file, size: info.size });
      else if (isOther && error instanceof VaeError) this.passOn(file, error);
      else this.bad(file, error);
    }
    this.#broken.clear();
    return again;
  }

  readonly #broken = new Map<TreeFile, { readonly error: unknown; readonly isOther: boolean }>();
  readonly #tries = new Map<string, number>();

  /** A file that cannot be read: left out where that is asked for. @throws the error otherwise. */
  bad(file: TreeFile, error: unknown): void {
    if (!(error instanceof VaeError) || error.code === 'ERR_VAE_RUNTIME') throw error;
    // Files that change all the time are nobody's fault: the others are kept.
    if (!this.options.skipBad && !isChanging(error)) throw error;
    this.leaveOut(file, error);
  }

  /** Files that were passed on since the last call. */
  takeOthers(): TreeFile[] {
    // Several are found at once: their order is that of their names all the same.
    const files = [...this.#others.keys()].sort((a, b) => Buffer.compare(nameToBytes(a.name), nameToBytes(b.name)));
    for (const file of files)
      if (this.#others.get(file) !== undefined) this.#reasons.set(file.name, this.#others.get(file)!.message);
    this.#others.clear();
    return files;
  }

  readonly #reasons = new Map<string, string>();

  /** Why files that look as if the codec were for them are stored as they are. */
  get reasons(): ReadonlyMap<string, string> {
    return this.#reasons;
  }

  /** The first reason why something was passed on: the error where nothing else is left. */
  firstReason(): VaeError | undefined {
    return [...this.#others.values()].find((why) => why !== undefined);
  }
}

/** The folders that a name goes through. */
function foldersOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function identityOf(path: string): Promise<string | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  return info?.isFile() ? `${info.dev}:${info.ino}` : undefined;
}

/** What jobs write beside an output until it is complete. */
async function partialIdentities(output: string): Promise<readonly (string | undefined)[]> {
  const target = await realpath(output).catch(() => output);
  return [await identityOf(partialOf(target)), await identityOf(journalOf(target))];
}

async function isArchive({ path }: TreeFile): Promise<boolean> {
  return (
    (await fileBegins(path, Buffer.from([0x89, 0x56, 0x41, 0x45, 0x5a]))) ||
    fileBegins(path, Buffer.from([0x89, 0x56, 0x5a]))
  );
}

/** Patterns that are no files stand for those that match. */
async function withoutGlobs(paths: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
  const out: string[] = [];
  for (const path of paths) {
    const isThere = (await stat(path).catch(() => undefined)) !== undefined;
    if (isThere || !isGlob(path)) {
      out.push(path);
      continue;
    }
    const { glob } = await import('tinyglobby');
    const found = await glob(path, { onlyFiles: true, expandDirectories: false, ...(signal && { signal }) });
    if (found.length === 0) throw new VaeError('ERR_VAE_IO', `No file matches "${path}".`);
    for (const one of found.sort()) out.push(one);
  }
  return out;
}
