/** A file that only grows: bytes are handed over at once and written in order, off the run's way. */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { VaeError } from '../../core/errors.js';
import { ioError, makeFolder } from '../../core/files.js';

export class AppendFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #waiting: Uint8Array[] = [];
  #writing: Promise<void> | undefined;
  #failure: VaeError | undefined;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** @throws VaeError ERR_VAE_IO where it cannot be opened. */
  static async open(path: string): Promise<AppendFile> {
    try {
      await makeFolder(dirname(path));
      return new AppendFile(path, await open(path, 'a+'));
    } catch (error) {
      throw ioError(error, `opening ${path}`);
    }
  }

  /** Whether the file is empty or its last byte is this one. */
  async endsWith(byte: number): Promise<boolean> {
    const { size } = await this.#handle.stat();
    if (size === 0) return true;
    const last = Buffer.alloc(1);
    await this.#handle.read(last, 0, 1, size - 1);
    return last[0] === byte;
  }

  /** ERR_VAE_IO where a write failed; nothing is written after it. */
  get failure(): VaeError | undefined {
    return this.#failure;
  }

  append(bytes: Uint8Array): void {
    if (this.#failure) return;
    this.#waiting.push(bytes);
    this.#writing ??= this.#write();
  }

  /** Waits until everything is written. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#handle.close();
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const chunk = Buffer.concat(this.#waiting);
        this.#waiting = [];
        await this.#handle.appendFile(chunk);
      }
    } catch (error) {
      this.#failure = ioError(error, `writing ${this.path}`);
    }
    this.#writing = undefined;
  }
}
