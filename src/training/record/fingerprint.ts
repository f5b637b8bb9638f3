import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { elementCount } from '../../core/dtype.js';
import type { Dataset } from '../../data/dataset.js';
import { allocateRows } from '../../data/values.js';

/** Content that is hashed of data in memory: all of it up to here, then rows spread evenly. */
const MOST_BYTES = 64 << 20;
/** Rows that have to be read or decoded are sampled. */
const MOST_READ_ROWS = 256;
/** Hashed between two turns of the event loop. */
const BYTES_AT_A_TIME = 4 << 20;

/**
 * Tells data sets apart, as 64 hexadecimal digits: by their shape and length, their labels and names, and their
 * content. Of names, the folders that they all begin with are left out, so that data are the same wherever they lie.
 * Data in memory are hashed whole up to 64 MB, larger ones by rows spread evenly over them; of rows that have to be
 * read, up to 256 are.
 *
 * @throws VaeError as `data.read()` does.
 */
export function fingerprintOf(data: Dataset, signal?: AbortSignal): Promise<string> {
  return hashOf(data, data.names && withoutPlace(data.names), signal);
}

/**
 * Whether a fingerprint is that of these data. Those of 0.1.0 held names in full.
 *
 * @throws VaeError as `data.read()` does.
 */
export async function isFingerprintOf(data: Dataset, fingerprint: string, signal?: AbortSignal): Promise<boolean> {
  if ((await fingerprintOf(data, signal)) === fingerprint) return true;
  return data.names !== undefined && (await hashOf(data, data.names, signal)) === fingerprint;
}

/** Names without the folders that all of them begin with. */
function withoutPlace(names: readonly string[]): readonly string[] {
  let place = names[0] ?? '';
  for (const name of names) {
    place = place.slice(0, Math.max(place.lastIndexOf('/'), place.lastIndexOf('\\')) + 1);
    while (!name.startsWith(place)) {
      const inner = place.slice(0, -1);
      place = inner.slice(0, Math.max(inner.lastIndexOf('/'), inner.lastIndexOf('\\')) + 1);
    }
    if (place === '') return names;
  }
  return names.map((name) => name.slice(place.length));
}

async function hashOf(
  data: Dataset,
  names: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { length, rowShape, dtype, labels } = data;
  const hash = createHash('sha256').update(JSON.stringify([length, rowShape, dtype]));
  if (labels) hash.update(bytesOf(Uint32Array.from(labels.values)));
  if (names) hash.update(JSON.stringify(names));
  const rowSize = elementCount(rowShape);
  const rowBytes = rowSize * (dtype === 'uint8' ? 1 : 4);
  const inMemory = data.memory !== undefined || data.indexed !== undefined;
  const most = inMemory ? Math.max(1, Math.floor(MOST_BYTES / rowBytes)) : MOST_READ_ROWS;
  const count = Math.min(length, most);
  const perPiece = Math.max(1, Math.floor(BYTES_AT_A_TIME / rowBytes));
  for (let from = 0; from < count; from += perPiece) {
    const piece = Math.min(perPiece, count - from);
    const rows = Uint32Array.from({ length: piece }, (_, index) => Math.floor(((from + index) * length) / count));
    hash.update(bytesOf(gather(data, rows, rowSize) ?? (await data.read(rows, signal, 0))));
    await breathe();
    signal?.throwIfAborted();
  }
  return hash.digest('hex');
}

/** Rows of data in memory; those that lie there one after another are not copied. */
function gather(data: Dataset, rows: Uint32Array, rowSize: number): ArrayBufferView | undefined {
  const [first, last] = [rows[0]!, rows[rows.length - 1]!];
  if (data.memory !== undefined && last - first === rows.length - 1) {
    return data.memory.subarray(first * rowSize, (last + 1) * rowSize);
  }
  const memory = data.memory ?? data.indexed?.memory;
  if (memory === undefined) return undefined;
  const values = allocateRows(data.dtype, rows.length * rowSize);
  rows.forEach((row, index) => {
    const at = (data.indexed ? data.indexed.rows[row]! : row) * rowSize;
    values.set(memory.subarray(at, at + rowSize), index * rowSize);
  });
  return values;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
