/** Arrow files and streams (also Feather), batch by batch, through apache-arrow. */
import { open } from 'node:fs/promises';
import { VaeError } from '../../../core/errors.js';
import { importOptional } from '../../../core/optional-package.js';
import { plainOf, registerCodecs } from '../../../data/table/arrow.js';
import type { OpenInput } from '../../places/place.js';
import type { Mark } from '../items.js';
import { type ColumnKind, chooseColumns, chunkOf } from './cells.js';
import type { RowFormat } from './row-file.js';

type Arrow = typeof import('apache-arrow');
type Batch = import('apache-arrow').RecordBatch;
type Field = import('apache-arrow').Field;

export const arrowRows: RowFormat = {
  endings: ['.arrow', '.feather', '.arrows'],
  async open(input, options) {
    const where = input.path;
    const arrow = await importOptional('apache-arrow', `${where}: reading Arrow files`, () => import('apache-arrow'));
    await registerCodecs(arrow);
    const refuse = (error: unknown): VaeError =>
      error instanceof VaeError
        ? error
        : new VaeError('ERR_VAE_FORMAT', `${where}: not an Arrow file that can be read: ${(error as Error).message}.`, {
            cause: error,
          });
    try {
      const file = await openBatches(arrow, input);
      const columns = file.fields.map((field) => kindOf(arrow, field));
      const chosen = chooseColumns(columns, options, where);
      // Where each batch begins, as far as was looked.
      const marks: Mark[] = [options.mark ?? { row: 0, at: 0 }];
      let rows = 0;
      if (options.mark === undefined) {
        for (let at = 0; ; at += 1) {
          const batch = await file.batch(at);
          if (batch === undefined) break;
          rows += batch.numRows;
          marks.push({ row: rows, at: at + 1 });
        }
      } else rows = Number.MAX_SAFE_INTEGER;
      return {
        rows,
        labels: chosen.labelType,
        captions: chosen.captions !== undefined,
        markOf: (row) => marks.findLast((mark) => mark.row <= row),
        async read(from, to, signal) {
          const found = new Map<string, unknown[]>(chosen.wanted.map((name) => [name, new Array<unknown>(to - from)]));
          let mark = marks.findLast(({ row }) => row <= from) ?? { row: 0, at: 0 };
          while (mark.row < to) {
            signal?.throwIfAborted();
            const batch = await file.batch(mark.at).catch((error: unknown) => Promise.reject(refuse(error)));
            if (batch === undefined) throw new VaeError('ERR_VAE_FORMAT', `${where}: has fewer rows than it had.`);
            const next = { row: mark.row + batch.numRows, at: mark.at + 1 };
            if (marks.at(-1)!.at < next.at) marks.push(next);
            for (let row = Math.max(from, mark.row); row < Math.min(to, next.row); row += 1) {
              for (const name of chosen.wanted) {
                found.get(name)![row - from] = cellOf(arrow, batch.getChild(name)!.get(row - mark.row));
              }
            }
            mark = next;
          }
          return chunkOf(chosen, found, to - from, where, from);
        },
        close: () => file.close(),
      };
    } catch (error) {
      throw refuse(error);
    }
  },
};

interface Batches {
  readonly fields: readonly Field[];
  /** Undefined behind the last. */
  batch(index: number): Promise<Batch | undefined>;
  close(): Promise<void>;
}

const FILE_MAGIC = 'ARROW1';

async function openBatches(arrow: Arrow, input: OpenInput): Promise<Batches> {
  const head = await input.read(0, Math.min(6, input.size));
  const isFile = Buffer.from(head).toString('latin1') === FILE_MAGIC;
  if (isFile && !input.path.startsWith('s3://')) {
    const handle = await open(input.path, 'r');
    const reader = await arrow.AsyncRecordBatchFileReader.from(handle);
    await reader.open();
    const known = reader as unknown as {
      numRecordBatches: number;
      readRecordBatch(index: number): Promise<Batch | null>;
    };
    return {
      fields: reader.schema.fields,
      batch: async (index) =>
        index < known.numRecordBatches ? ((await known.readRecordBatch(index)) ?? undefined) : undefined,
      close: () => handle.close(),
    };
  }
  // Streams, and files that lie elsewhere: batches come one after another.
  let iterator: AsyncIterator<Batch> | undefined;
  let fields: readonly Field[] = [];
  let next = 0;
  const begin = async (): Promise<void> => {
    const reader = await arrow.RecordBatchReader.from(piecesOf(input));
    await reader.open();
    fields = reader.schema.fields;
    iterator = (reader as unknown as AsyncIterable<Batch>)[Symbol.asyncIterator]();
    next = 0;
  };
  await begin();
  let last: { index: number; batch: Batch | undefined } | undefined;
  return {
    fields,
    async batch(index) {
      if (last?.index === index) return last.batch;
      if (index < next) await begin();
      let found: IteratorResult<Batch> | undefined;
      while (next <= index) {
        found = await iterator!.next();
        next += 1;
        if (found.done) break;
      }
      last = { index, batch: found?.done ? undefined : found?.value };
      return last.batch;
    },
    async close() {
      await iterator?.return?.();
    },
  };
}

async function* piecesOf(input: OpenInput): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < input.size; at += 1 << 22) yield await input.read(at, Math.min(1 << 22, input.size - at));
}

function kindOf({ DataType }: Arrow, { name, type }: Field): ColumnKind {
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return { name, holds: 'files' };
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isDictionary(type))
    return { name, holds: 'text' };
  if (DataType.isFloat(type) || DataType.isInt(type)) return { name, holds: 'number' };
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) return { name, holds: 'list' };
  if (DataType.isStruct(type)) {
    const bytes = type.children.find((child: Field) => child.name === 'bytes');
    return { name, holds: bytes && DataType.isBinary(bytes.type) ? 'files' : 'other' };
  }
  return { name, holds: 'other' };
}

/** Lists as typed arrays, structures as objects. */
function cellOf(arrow: Arrow, value: unknown): unknown {
  if (value instanceof Uint8Array) return value;
  if (value instanceof arrow.Vector) {
    const list = value.toArray() as ArrayLike<unknown>;
    return ArrayBuffer.isView(list) ? list : Array.from(list, (one) => cellOf(arrow, one));
  }
  return plainOf(value, false);
}
