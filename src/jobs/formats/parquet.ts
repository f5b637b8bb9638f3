/** Parquet: a row for each row; lists of float32 as Parquet's LIST, row groups of some megabytes. */
import { type Format, labelOf, pieces, type ShardContent } from './format.js';
import { FloatColumns } from './parquet-floats.js';

type Element = ConstructorParameters<typeof import('hyparquet-writer').ParquetWriter>[0]['schema'][number];

export const parquetFormat: Format = {
  ending: '.parquet',
  files: (stem, content) => [{ name: `${stem}.parquet`, chunks: parquetOf(content) }],
};

async function* parquetOf(content: ShardContent): AsyncGenerator<Uint8Array> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const writer = new ByteWriter();
  const take = (): Uint8Array => {
    const bytes = new Uint8Array(writer.buffer, 0, writer.index).slice();
    writer.index = 0;
    return bytes;
  };
  const shapes = content.columns
    .filter(({ dims }) => dims.length > 1)
    .map(({ name, dims }) => ({ key: `node-vae.shape.${name}`, value: JSON.stringify(dims) }));
  const parquet = new ParquetWriter({
    writer,
    schema: schemaOf(content),
    // Floats of networks do not get smaller by it.
    codec: 'UNCOMPRESSED',
    statistics: false,
    createdBy: 'node-vae',
    ...(shapes.length > 0 && { kvMetadata: shapes }),
  });
  const floats = await FloatColumns.of(parquet);
  for await (const { columns, notes } of pieces(content)) {
    const columnData = [
      { name: 'name', data: notes.map(({ name }) => name) },
      ...(content.parts ? [{ name: 'part', data: Int32Array.from(notes, ({ part = 0 }) => part) }] : []),
      ...(content.labels ? [{ name: 'label', data: notes.map((note) => bigOr(labelOf(note, content.labels!))) }] : []),
      ...(content.captions ? [{ name: 'caption', data: notes.map(({ caption }) => caption ?? null) }] : []),
    ];
    await parquet.write({ columnData: columnData as never, rowGroupSize: notes.length });
    for (const [at, { name, dims }] of content.columns.entries()) {
      const data = columns[at]!;
      floats.append({ name, size: dims.length === 0 ? undefined : data.length / notes.length, data });
    }
    yield take();
  }
  await parquet.finish();
  yield take();
}

function bigOr(value: number | string | null): bigint | string | null {
  return typeof value === 'number' ? (Number.isFinite(value) ? BigInt(Math.trunc(value)) : null) : value;
}

function schemaOf(content: ShardContent): Element[] {
  const columns: Element[][] = [
    [{ name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }],
    ...(content.parts ? [[{ name: 'part', type: 'INT32', repetition_type: 'REQUIRED' } as Element]] : []),
    ...(content.labels === 'number'
      ? [[{ name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' } as Element]]
      : []),
    ...(content.labels === 'text'
      ? [[{ name: 'label', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as Element]]
      : []),
    ...(content.captions
      ? [[{ name: 'caption', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as Element]]
      : []),
    ...content.columns.map(({ name, dims }): Element[] =>
      dims.length === 0
        ? [{ name, type: 'FLOAT', repetition_type: 'REQUIRED' }]
        : [
            { name, converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
            { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
            { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
          ],
    ),
  ];
  return [{ name: 'root', num_children: columns.length }, ...columns.flat()];
}
