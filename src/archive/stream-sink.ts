/** Unpacking to standard output: the one file of an archive. */
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import type { Outline, OutPart } from './archive.js';
import type { UnpackSink } from './unpack.js';

export class StreamSink implements UnpackSink {
  #at = 0;

  async begin({ records }: Outline): Promise<ReadonlySet<number>> {
    const files = records.flat().filter(({ folder }) => !folder);
    const names = new Set(files.map(({ name }) => name));
    if (names.size !== 1) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `The archive holds ${names.size} files; only one can go to standard output. Name a folder with -o.`,
      );
    }
    return new Set();
  }

  async put(part: OutPart, bytes: Uint8Array): Promise<void> {
    if (part.folder) return;
    if (!part.joined) await this.#fillTo(part.offset);
    await write(bytes);
    this.#at += bytes.length;
  }

  /** What is lost is zeros, as in a file. */
  async lose({ offset, bytes = 0, folder, joined }: OutPart): Promise<void> {
    if (folder || joined) return;
    await this.#fillTo(offset + bytes);
  }

  async end(): Promise<void> {}

  async stop(): Promise<void> {}

  async #fillTo(offset: number): Promise<void> {
    while (this.#at < offset) {
      const zeros = new Uint8Array(Math.min(1 << 20, offset - this.#at));
      await write(zeros);
      this.#at += zeros.length;
    }
  }
}

function write(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(ioError(error, 'writing to standard output')) : resolve()));
  });
}
