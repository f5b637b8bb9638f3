/** .npz files. Rows of stored arrays are read where they lie; compressed arrays are unpacked up to the rows wanted. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import { VaeError } from '../../../core/errors.js';
import type { OpenInput } from '../../places/place.js';
import type { Label } from '../items.js';
import { readRows, rowsIn, type StoredArray } from './arrays.js';
import { choose } from './choose.js';
import { readArrayHeader } from './npy.js';
import { firstOf, NAMES, type RowFormat } from './row-file.js';

const DEFLATE = 8;
/** An unpacked array up to this size is kept for the next rows. */
const KEPT_BYTES = 256 << 20;

export const npzRows: RowFormat = {
  endings: ['.npz'],
  async open(input, options) {
    const where = input.path;
    const entries = await entriesOf(input, where);
    const name = choose([...entries.keys()], options, where);
    const data = await openArray(input, entries.get(name)!, `${where}, ${name}`);
    const rows = rowsIn(data.array, `${where}, ${name}`);
    const labelName = firstOf([...entries.keys()], NAMES.labels);
    const labels =
      labelName !== undefined && labelName !== name
        ? await openArray(input, entries.get(labelName)!, `${where}, ${labelName}`).catch(() => undefined)
        : undefined;
    const hasLabels = labels?.array.shape.join() === String(rows);
    return {
      rows,
      labels: hasLabels ? 'number' : undefined,
      async read(from, to, signal, lend) {
        const array = await readRows(data.input, data.array, from, to, `${where}, ${name}`, signal, lend);
        const numbers = hasLabels
          ? (Array.from(
              (await readRows(labels.input, labels.array, from, to, where, signal)).data as Float32Array,
              Number,
            ) as Label[])
          : undefined;
        return { content: { kind: 'array', array }, labels: numbers };
      },
      async close() {},
    };
  },
};

async function entriesOf(input: OpenInput, where: string): Promise<Map<string, Entry>> {
  const { default: yauzl } = await import('yauzl');
  const refuse = (error: Error): VaeError =>
    error instanceof VaeError
      ? error
      : new VaeError('ERR_VAE_FORMAT', `${where}: not a valid .npz file: ${error.message}.`, { cause: error });
  class Reader extends yauzl.RandomAccessReader {
    override _readStreamForRange(start: number, end: number): Readable {
      return Readable.from(pieces(input, start, end), { objectMode: false });
    }
  }
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    yauzl.fromRandomAccessReader(new Reader(), input.size, { lazyEntries: true, autoClose: false }, (error, file) =>
      error ? reject(refuse(error)) : resolve(file!),
    );
  });
  const entries = new Map<string, Entry>();
  try {
    zip.on('entry', (entry: Entry) => {
      if (/\.npy$/.test(entry.fileName)) entries.set(entry.fileName.replace(/\.npy$/, ''), entry);
      zip.readEntry();
    });
    const end = once(zip, 'end');
    zip.readEntry();
    await end;
    return entries;
  } catch (error) {
    throw refuse(error as Error);
  }
}

/** An array, and what its bytes are read from. */
async function openArray(
  input: OpenInput,
  entry: Entry,
  where: string,
): Promise<{ input: Pick<OpenInput, 'read'>; array: StoredArray }> {
  // The header in front of an entry has a name and extra fields of its own.
  const head = await input.read(entry.relativeOffsetOfLocalHeader, 30);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const start = entry.relativeOffsetOfLocalHeader + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  const size = entry.uncompressedSize;
  if (entry.compressionMethod === 0) return { input, array: await readArrayHeader(input, where, start, size) };
  if (entry.compressionMethod !== DEFLATE) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${where}: is compressed in a way that is not read (${entry.compressionMethod}).`,
    );
  }
  const inflated = inflatedInput(input, start, entry.compressedSize, size, where);
  return { input: inflated, array: await readArrayHeader(inflated, where, 0, size) };
}

function inflatedInput(input: OpenInput, start: number, packed: number, size: number, where: string): OpenInput {
  let kept: Promise<Uint8Array> | undefined;
  const read = async (offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> => {
    const out = Buffer.alloc(length);
    let at = 0;
    let done = 0;
    const source = Readable.from(pieces(input, start, start + packed), { objectMode: false });
    try {
      for await (const piece of source.pipe(createInflateRaw({ chunkSize: 1 << 20 })) as AsyncIterable<Buffer>) {
        signal?.throwIfAborted();
        const from = Math.max(0, offset - at);
        if (from < piece.length) {
          const part = piece.subarray(from, Math.min(piece.length, offset + length - at));
          part.copy(out, done);
          done += part.length;
        }
        at += piece.length;
        if (done === length) break;
      }
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      if (cause instanceof VaeError) throw cause;
      throw new VaeError('ERR_VAE_FORMAT', `${where}: damaged compressed data.`, { cause });
    } finally {
      source.destroy();
    }
    if (done === length) return out;
    throw new VaeError('ERR_VAE_FORMAT', `${where}: its compressed data end too early.`);
  };
  return {
    ...{ path: input.path, size, state: input.state },
    async read(offset, length, signal) {
      if (size > KEPT_BYTES || offset + length <= 10_240) return read(offset, length, signal);
      kept ??= read(0, size, signal);
      kept.catch(() => {
        kept = undefined;
      });
      const whole = await kept;
      return whole.subarray(offset, offset + length);
    },
    async close() {},
  };
}

const PIECE = 1 << 20;

async function* pieces(input: OpenInput, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += PIECE) yield await input.read(at, Math.min(PIECE, end - at));
}
