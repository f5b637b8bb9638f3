/** The checkpoints of a run on disk: written whole, the last few kept, found again after a crash. */
import { type FileHandle, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openLocked } from '../../archive/lock.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '../../artifacts/checkpoint.js';
import type { ArtifactsManifest } from '../../artifacts/manifest.js';
import { lockFile } from '../../binding/file-lock.js';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder, writeFilesAtomically } from '../../core/files.js';
import { writeFully } from '../../core/ranges.js';

const NAME = /^checkpoint-(\d{10})\.safetensors$/;
const BEST = 'best.safetensors';
const LOCK = 'run.lock';

export interface CheckpointDirectoryOptions {
  /** Checkpoints that are kept, the best one apart. */
  readonly keep: number;
  /** Whether a run is to go on from what is there. */
  readonly resume: boolean;
  /** Whether a run that begins may remove what is there. */
  readonly replace: boolean;
}

/** A directory that one run at a time writes checkpoints into. */
export class CheckpointDirectory {
  readonly path: string;
  readonly #keep: number;
  #lock: FileHandle | undefined;

  private constructor(path: string, keep: number, lock: FileHandle) {
    this.path = path;
    this.#keep = keep;
    this.#lock = lock;
  }

  /**
   * Takes the directory for this process.
   *
   * @throws VaeError ERR_VAE_BUSY where a living process has it, ERR_VAE_IO where it cannot be written,
   *   ERR_VAE_OPTION where a run is to begin in it and it holds another's checkpoints.
   */
  static async open(path: string, { keep, resume, replace }: CheckpointDirectoryOptions): Promise<CheckpointDirectory> {
    let directory: CheckpointDirectory;
    try {
      await makeFolder(path);
      directory = new CheckpointDirectory(path, keep, await takeLock(join(path, LOCK), path));
    } catch (error) {
      throw ioError(error, `opening the run directory ${path}`);
    }
    try {
      if (!resume) await directory.#begin(replace);
      return directory;
    } catch (error) {
      await directory.close();
      throw error;
    }
  }

  /** Writes a checkpoint beside its place, flushes and renames it, then lets go of those beyond `keep`. */
  async save(checkpoint: Checkpoint): Promise<void> {
    const name = `checkpoint-${String(checkpoint.progress.microBatch).padStart(10, '0')}.safetensors`;
    await writeFilesAtomically([{ path: join(this.path, name), chunks: encodeCheckpoint(checkpoint) }]);
    const old = (await this.#names()).slice(this.#keep);
    await this.#remove(old);
  }

  async saveBest(checkpoint: Checkpoint): Promise<void> {
    await writeFilesAtomically([{ path: join(this.path, BEST), chunks: encodeCheckpoint(checkpoint) }]);
  }

  /**
   * The newest checkpoint that is whole, or undefined where there is none.
   *
   * @throws VaeError ERR_VAE_REPRODUCIBILITY where it is another model's; ERR_VAE_FORMAT where there
   *   are checkpoints but none of them is whole.
   */
  async latest(manifest: ArtifactsManifest): Promise<Checkpoint | undefined> {
    let damaged: VaeError | undefined;
    for (const name of await this.#names()) {
      try {
        return await this.#read(name, manifest);
      } catch (error) {
        if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
        damaged ??= error;
      }
    }
    if (damaged !== undefined) throw damaged;
    return undefined;
  }

  async best(manifest: ArtifactsManifest): Promise<Checkpoint | undefined> {
    const names = await this.#list();
    return names.includes(BEST) ? this.#read(BEST, manifest) : undefined;
  }

  async close(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    if (lock === undefined) return;
    // While the lock is still held: afterwards the file may be another run's. What ended the run matters more than a lock that
    // went away with its folder.
    await rm(join(this.path, LOCK), { force: true }).catch(() => {});
    await lock.close();
  }

  /** Sees that no checkpoint of another run lies here: it would be taken for one of this run. */
  async #begin(replace: boolean): Promise<void> {
    const names = (await this.#list()).filter((name) => NAME.test(name) || name === BEST);
    if (names.length > 0 && !replace) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `fit(): ${this.path} holds the checkpoints of an earlier run. Go on with that run by { resume: true }, ` +
          'let go of them by checkpoint: { replace: true }, or choose another directory.',
      );
    }
    await this.#remove(names);
  }

  async #read(name: string, manifest: ArtifactsManifest): Promise<Checkpoint> {
    const path = join(this.path, name);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw ioError(error, `reading ${path}`);
    });
    return decodeCheckpoint(bytes, manifest, path);
  }

  async #list(): Promise<string[]> {
    return readdir(this.path).catch((error: unknown) => {
      throw ioError(error, `listing ${this.path}`);
    });
  }

  async #remove(names: readonly string[]): Promise<void> {
    try {
      await Promise.all(names.map((name) => rm(join(this.path, name), { force: true })));
    } catch (error) {
      throw ioError(error, `removing old checkpoints from ${this.path}`);
    }
  }

  /** Newest first. */
  async #names(): Promise<string[]> {
    const names = await this.#list();
    return names
      .filter((name) => NAME.test(name))
      .sort()
      .reverse();
  }
}

/**
 * The lock of an open file, which ends with its process wherever that ran: numbers of processes are no names of them, as the
 * first of every container is 1, and those of another machine mean nothing here. Only where the file system has no locks does
 * the number in the file count.
 */
async function takeLock(path: string, directory: string): Promise<FileHandle> {
  const { handle, locked } = await openLocked(path, lockFile, `writing into ${directory}`).catch(async (error) => {
    throw error instanceof VaeError ? busy(await holderOf(path), directory) : error;
  });
  try {
    const holder = await holderOf(path);
    if (!locked && (holder === process.pid || isAlive(holder))) throw busy(holder, directory);
    await handle.truncate();
    await writeFully(handle, Buffer.from(String(process.pid)), 0);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function holderOf(path: string): Promise<number> {
  return Number(await readFile(path, 'utf8').catch(() => ''));
}

function busy(holder: number, directory: string): VaeError {
  return new VaeError(
    'ERR_VAE_BUSY',
    `Another run (process ${holder}) writes into ${directory}. Wait for it, or choose another directory.`,
  );
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
