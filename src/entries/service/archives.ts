/** Archives of one folder, by name and range of items. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Archive, openArchive } from '../../codecs/index.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';

const ENDING = '.vaez';
/** Open at once; the one that was used longest ago is closed. */
const MOST_OPEN = 8;
/** Bytes of one answer. */
const MOST_BYTES = 64 * 2 ** 20;

export interface ArchiveSlice {
  readonly data: Uint8Array;
  readonly shape: readonly number[];
}

export class Archives {
  readonly #folder: string;
  readonly #open = new Map<string, Promise<Archive>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Names without their ending. */
  async names(): Promise<string[]> {
    const entries = await readdir(this.#folder, { withFileTypes: true }).catch((error: unknown) => {
      throw ioError(error, `listing the archives of ${this.#folder}`);
    });
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith(ENDING))
      .map(({ name }) => name.slice(0, -ENDING.length))
      .sort();
  }

  async describe(name: string): Promise<object> {
    const { length, itemShape, itemSize, byteLength, complete } = await this.#archive(name);
    return { name, items: length, itemShape, itemBytes: itemSize, bytes: byteLength, complete };
  }

  /** Items `from` to `to`, without it. */
  async read(name: string, from: number, to: number | undefined, signal: AbortSignal): Promise<ArchiveSlice> {
    const archive = await this.#archive(name);
    const end = to ?? archive.length;
    const fits = [from, end].every(Number.isSafeInteger) && from >= 0 && from < end && end <= archive.length;
    if (!fits) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `from and to: expected 0 ≤ from < to ≤ ${archive.length}, the archive's items.`,
      );
    }
    const most = Math.max(1, Math.floor(MOST_BYTES / archive.itemSize));
    if (end - from > most) {
      throw new VaeError('ERR_VAE_OPTION', `from and to: at most ${most} items at once, received ${end - from}.`);
    }
    const { data, shape } = await archive.read(from, end - from, signal);
    return { data, shape };
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map(async (archive) => (await archive.catch(() => undefined))?.close()));
  }

  /** A name that a client sends is compared with what is there; it never becomes part of a path before. */
  async #archive(name: string): Promise<Archive> {
    const known = this.#open.get(name);
    if (known !== undefined) {
      this.#open.delete(name);
      this.#open.set(name, known);
      return known;
    }
    const found = (await this.names()).find((candidate) => candidate === name);
    if (found === undefined) throw new VaeError('ERR_VAE_IO', 'There is no such archive; GET /archives lists them.');
    const opened = openArchive(join(this.#folder, found + ENDING));
    this.#open.set(name, opened);
    opened.catch(() => this.#open.delete(name));
    const [oldest] = this.#open.keys();
    if (this.#open.size > MOST_OPEN && oldest !== undefined) {
      const archive = this.#open.get(oldest);
      this.#open.delete(oldest);
      // It waits for reads in flight.
      void archive?.then((open) => open.close()).catch(() => undefined);
    }
    return opened;
  }
}
