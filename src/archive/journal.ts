/** What a job notes beside its partial, for the next one: a line for each record whose checksum is not known before it is coded. */
import { constants } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { ioError } from '../core/files.js';

export interface Journal {
  /** What was noted of records, by their checksums in hexadecimal. */
  read(): Promise<ReadonlyMap<string, unknown>>;
  /** @param note what JSON can hold. */
  add(checksum: Uint8Array, note: unknown): Promise<void>;
  drop(): Promise<void>;
}

/** A file that appears with its first note. The partial's lock is its lock. */
export function journalAt(path: string): Journal {
  return {
    async read() {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '';
        throw ioError(error, `reading ${path}`);
      });
      const found = new Map<string, unknown>();
      for (const line of text.split('\n')) {
        const parsed = parsedLine(line);
        if (parsed !== undefined) found.set(...parsed);
      }
      return found;
    },
    async add(checksum, note) {
      const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
      try {
        const handle = await open(path, flags, 0o666);
        try {
          // The line break comes first: it also ends what a killed job wrote half of.
          await handle.appendFile(`\n${JSON.stringify([hexOf(checksum), note])}`);
        } finally {
          await handle.close();
        }
      } catch (error) {
        throw ioError(error, `writing ${path}`);
      }
    },
    drop: () => rm(path, { force: true }),
  };
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Undefined for a line that was not written to its end. */
function parsedLine(line: string): [string, unknown] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) && typeof value[0] === 'string' ? [value[0], value[1]] : undefined;
  } catch {
    return undefined;
  }
}
