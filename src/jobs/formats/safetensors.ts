/** .safetensors: a tensor for each column and for labels that are numbers; texts as JSON lists in the metadata. */
import type { RowNote } from '../rows/piece.js';
import { bytesOf, type Format, integersOf, type ShardContent } from './format.js';

export const safetensorsFormat: Format = {
  ending: '.safetensors',
  files: (stem, content) => [{ name: `${stem}.safetensors`, chunks: tensorsOf(content) }],
};

async function* tensorsOf(content: ShardContent): AsyncGenerator<Uint8Array> {
  const { rows } = content;
  const tensors: {
    name: string;
    dtype: string;
    shape: number[];
    bytes: number;
    body: () => AsyncIterable<Uint8Array>;
  }[] = content.columns.map((column) => ({
    ...{ name: column.name, dtype: 'F32', shape: [rows, ...column.dims] },
    bytes: column.dims.reduce((product, dim) => product * dim, rows) * 4,
    body: () => bytesOf(column, rows),
  }));
  const numbers = (name: string, of: (note: RowNote) => number): void => {
    tensors.push({ name, dtype: 'I64', shape: [rows], bytes: rows * 8, body: () => integersOf(content, of) });
  };
  if (content.labels === 'number') numbers('labels', ({ label }) => Number(label ?? -1));
  if (content.parts) numbers('parts', ({ part = 0 }) => part);
  const names: string[] = [];
  const labels: string[] = [];
  const captions: string[] = [];
  for await (const notes of content.notes()) {
    for (const { name, label, caption } of notes) {
      names.push(name);
      if (content.labels === 'text') labels.push(String(label ?? ''));
      if (content.captions) captions.push(caption ?? '');
    }
  }
  const metadata = {
    names: JSON.stringify(names),
    ...(content.labels === 'text' && { labels: JSON.stringify(labels) }),
    ...(content.captions && { captions: JSON.stringify(captions) }),
  };
  tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  let text = JSON.stringify(header);
  // Tensors begin at a multiple of 8 bytes, so that readers can map them.
  text += ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const json = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  yield length;
  yield json;
  for (const { body } of tensors) yield* body();
}
