/** Parquet of float32 as jobs write it: the bytes of hyparquet-writer, and what its reader makes of them. */
import { parquetReadObjects } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { FloatColumns } from '../../src/jobs/formats/parquet-floats.js';

const list = (name: string) => [
  { name, converted_type: 'LIST' as const, repetition_type: 'REQUIRED' as const, num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED' as const, num_children: 1 },
  { name: 'element', type: 'FLOAT' as const, repetition_type: 'REQUIRED' as const },
];
const SCHEMA = [
  { name: 'root', num_children: 4 },
  { name: 'name', type: 'BYTE_ARRAY' as const, converted_type: 'UTF8' as const, repetition_type: 'REQUIRED' as const },
  ...list('mean'),
  { name: 'elbo', type: 'FLOAT' as const, repetition_type: 'REQUIRED' as const },
  ...list('log_variance'),
];

interface Group {
  readonly names: string[];
  readonly mean: Float32Array;
  readonly elbo: Float32Array;
  readonly spread: Float32Array;
}

function writerOf() {
  const writer = new ByteWriter();
  return new ParquetWriter({ writer, schema: SCHEMA, codec: 'UNCOMPRESSED', statistics: false, createdBy: 'node-vae' });
}

/** Every list an array of numbers, as the library takes them. */
function byLibrary(groups: readonly Group[]): Uint8Array {
  const parquet = writerOf();
  for (const { names, mean, elbo, spread } of groups) {
    const lists = (data: Float32Array) => {
      const size = data.length / names.length;
      return names.map((_, row) => [...data.subarray(row * size, (row + 1) * size)]);
    };
    const columnData = [
      { name: 'name', data: names },
      { name: 'mean', data: lists(mean) },
      { name: 'elbo', data: elbo },
      { name: 'log_variance', data: lists(spread) },
    ];
    parquet.write({ columnData, rowGroupSize: names.length });
  }
  parquet.finish();
  return parquet.writer.getBytes();
}

async function byColumns(groups: readonly Group[]): Promise<Uint8Array> {
  const parquet = writerOf();
  const floats = await FloatColumns.of(parquet);
  for (const { names, mean, elbo, spread } of groups) {
    await parquet.write({ columnData: [{ name: 'name', data: names }], rowGroupSize: names.length });
    floats.append({ name: 'mean', size: mean.length / names.length, data: mean });
    floats.append({ name: 'elbo', size: undefined, data: elbo });
    floats.append({ name: 'log_variance', size: spread.length / names.length, data: spread });
  }
  await parquet.finish();
  return parquet.writer.getBytes();
}

/** Values that differ; with `few` so many others only. */
function values(count: number, few?: number): Float32Array {
  return Float32Array.from({ length: count }, (_, at) => Math.sin(few === undefined ? at : at % few) * 10);
}

function groupOf(rows: number, size: number, few?: number): Group {
  const names = Array.from({ length: rows }, (_, row) => `é ${row}`);
  const spread = values(rows * 3, few);
  spread.set([Number.NaN, Number.POSITIVE_INFINITY, 1e-45].slice(0, spread.length));
  return { names, mean: values(rows * size, few), elbo: values(rows, few), spread };
}

describe('columns of float32', () => {
  it.each([
    ['one row', [groupOf(1, 1)]],
    ['rows of one number', [groupOf(37, 1), groupOf(8, 1)]],
    ...[2, 7, 8, 9, 15, 16, 17, 20, 33].map(
      (size) => [`rows of ${size}`, [groupOf(100, size), groupOf(3, size)]] as const,
    ),
    ['several pages', [groupOf(8192, 64), groupOf(8191, 64)]],
    ['a page whose bytes end with a row', [groupOf(20, 1 << 16)]],
    ['a page that one row more would not fill', [groupOf(20, (1 << 16) - 1), groupOf(20, (1 << 16) + 1)]],
    ['rows larger than a page', [groupOf(3, 300_000)]],
    ['few values, in a dictionary', [groupOf(500, 20, 7), groupOf(100, 20)]],
    ['few values over several pages', [groupOf(8192, 64, 1000)]],
    ['one value', [groupOf(1000, 4, 1)]],
  ] as const)('%s: the bytes of the library', { timeout: 60_000 }, async (_, groups) => {
    const ours = await byColumns(groups);
    expect(Buffer.compare(ours, byLibrary(groups))).toBe(0);
    const file = ours.slice().buffer;
    const rows = (await parquetReadObjects({ file })) as Record<string, unknown>[];
    const expected = groups.flatMap(({ names, mean, elbo }) =>
      names.map((name, row) => ({ name, first: mean[(row * mean.length) / names.length], elbo: elbo[row] })),
    );
    const read = rows.map(({ name, mean, elbo }) => ({ name, first: (mean as number[])[0], elbo }));
    expect(read).toEqual(expected);
    const last = groups.at(-1)!;
    expect(rows.at(-1)!['mean']).toEqual([...last.mean.subarray(-last.mean.length / last.names.length)]);
  });
});
