/** Files of a shard, under their names when they are whole, and the record that it is done. */
import { createHash } from 'node:crypto';
import type { NewFile } from './formats/format.js';
import type { ItemError, ShardFile, ShardResult } from './job.js';
import { doneFile } from './layout.js';
import type { Place } from './places/place.js';

/** Writes files in their order; what they are. */
export async function writeFiles(place: Place, files: readonly NewFile[], signal?: AbortSignal): Promise<ShardFile[]> {
  const written: ShardFile[] = [];
  for (const { name, chunks } of files) {
    const hash = createHash('sha256');
    let bytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    };
    await place.write(name, counted(), signal);
    written.push({ name, bytes, sha256: hash.digest('hex') });
  }
  return written;
}

export async function writeRecord(place: Place, result: Omit<ShardResult, 'wasDone' | 'seconds'>): Promise<void> {
  const { shard, key, files, items, rows, bytesIn, errors } = result;
  const record = { shard, key, files, items, rows, bytesIn, errors };
  await place.write(doneFile(shard), [Buffer.from(`${JSON.stringify(record)}\n`)]);
}

/** An item that is not in the output, as it is told. */
export function itemError(
  shard: number,
  { name, error }: { readonly name: string; readonly error: { readonly code: string; readonly message: string } },
): ItemError {
  return { shard, name, code: error.code, reason: error.message };
}
