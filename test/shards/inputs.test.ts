/** Every kind of input through every operation that takes it: the same numbers as the model gives them. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  Field,
  FixedSizeList,
  Float32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { pack } from 'tar-stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeSafeTensors, float32Tensor } from '../../src/artifacts/safetensors.js';
import { encodePng } from '../../src/data/image/encode.js';
import { readNpy, Vae, writeNpy } from '../../src/index.js';
import { type RunJobOptions, runJob } from '../../src/jobs/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const cwd = temporaryFolder('job-inputs');
const at = (...parts: string[]): string => join(cwd, ...parts);
const COUNT = 23;
const { data, labels } = digits(COUNT);
let mean: Float32Array;
let latent = 0;
let number = 0;

const run = (options: Omit<RunJobOptions, 'model' | 'output'>, model = 'mnist-mlp') => {
  number += 1;
  return runJob({ ...options, model, output: at(`out-${number}`), processes: 1, shardSize: 7 } as RunJobOptions);
};

/** Rows of all shards of the last job, of a column, from .npy. */
async function rowsOf(column = ''): Promise<Float32Array> {
  const names = (await readdir(at(`out-${number}`))).filter((name) =>
    column === '' ? /^shard-\d+\.npy$/.test(name) : name.endsWith(`.${column}.npy`),
  );
  const parts = await Promise.all(
    names.sort().map(async (name) => (await readNpy(at(`out-${number}`, name))).data as Float32Array),
  );
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

async function notesOf(): Promise<{ name: string; label?: unknown; caption?: unknown }[]> {
  const folder = at(`out-${number}`);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.items.jsonl')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

function near(found: Float32Array, expected: Float32Array): void {
  expect(found.length).toBe(expected.length);
  for (let index = 0; index < found.length; index += 1) {
    if (Math.abs(found[index]! - expected[index]!) > 1e-4) expect(found[index]).toBeCloseTo(expected[index]!, 4);
  }
}

const png = (index: number): Promise<Buffer> =>
  encodePng({ data: data.subarray(index * 784, (index + 1) * 784), width: 28, height: 28, channels: 1 });

async function tarOf(path: string, entries: readonly (readonly [string, Uint8Array | string])[]): Promise<void> {
  const tar = pack();
  for (const [name, bytes] of entries) tar.entry({ name }, Buffer.from(bytes as Uint8Array));
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk);
  await writeFile(path, Buffer.concat(chunks));
}

beforeAll(async () => {
  await using vae = await Vae.load('mnist-mlp');
  const encoded = await vae.encode({ data, shape: [COUNT, 1, 28, 28] });
  mean = encoded.mean.data as Float32Array;
  latent = encoded.mean.dims[1]!;
  await mkdir(at('pictures', 'deep'), { recursive: true });
  for (let index = 0; index < COUNT; index += 1) {
    const name = `${String(index).padStart(2, '0')}.png`;
    await writeFile(at('pictures', index < 10 ? '' : 'deep', index < 10 ? name : name), await png(index));
  }
});

describe('inputs of pictures', () => {
  it('a folder, in the order of its names', async () => {
    const result = await run({ operation: 'encode', input: at('pictures'), format: 'npy', logVariance: true });
    expect(result).toMatchObject({ shards: 4, items: COUNT, rows: COUNT, failed: 0 });
    near(await rowsOf(), mean);
    expect((await rowsOf('log_variance')).length).toBe(COUNT * latent);
    const notes = await notesOf();
    expect(notes[0]).toEqual({ name: '00.png', label: null });
    expect(notes[22]).toEqual({ name: 'deep/22.png', label: 'deep' });
  });

  it('globs, single files and links', async () => {
    await run({ operation: 'encode', input: at('pictures', '*', '2*.png'), format: 'npy' });
    near(await rowsOf(), mean.slice(20 * latent));
    await run({ operation: 'encode', input: [at('pictures', '03.png'), at('pictures', '*.png')], format: 'npy' });
    near((await rowsOf()).slice(0, latent), mean.slice(3 * latent, 4 * latent));
    expect((await rowsOf()).length).toBe(11 * latent);
    await mkdir(at('links'));
    await symlink(at('pictures'), at('links', 'all'));
    await symlink('.', at('links', 'loop'));
    await run({ operation: 'encode', input: at('links'), format: 'npy' });
    near(await rowsOf(), mean);
  });

  it('lists: a path to a line, and JSON lines with labels and captions', async () => {
    const names = [12, 3, 22].map(
      (index) => `pictures/${index < 10 ? '' : 'deep/'}${String(index).padStart(2, '0')}.png`,
    );
    const expected = Float32Array.from(
      [12, 3, 22].flatMap((index) => [...mean.slice(index * latent, (index + 1) * latent)]),
    );
    await writeFile(at('list.txt'), `\ufeff${names.join('\r\n')}\n\n`);
    await run({ operation: 'encode', input: at('list.txt'), format: 'npy' });
    near(await rowsOf(), expected);
    const lines = names.map((path, index) => JSON.stringify({ path, label: labels[index], caption: `nr ${index}` }));
    await writeFile(at('list.jsonl'), lines.join('\n'));
    await run({ operation: 'encode', input: at('list.jsonl'), format: 'npy' });
    near(await rowsOf(), expected);
    expect(await notesOf()).toEqual(
      names.map((name, index) => ({ name, label: labels[index], caption: `nr ${index}` })),
    );
    // Any name, where it is said that it is a list.
    await writeFile(at('paths'), names.join('\n'));
    await run({ operation: 'encode', input: { path: at('paths'), as: 'list' }, format: 'npy' });
    near(await rowsOf(), expected);
  });

  it('WebDataset .tar, with labels, captions and long names', async () => {
    const entries: [string, Uint8Array | string][] = [];
    for (let index = 0; index < COUNT; index += 1) {
      const key = `${'long/'.repeat(40)}${String(index).padStart(2, '0')}`;
      entries.push(
        [`${key}.png`, await png(index)],
        [`${key}.cls`, String(labels[index])],
        [`${key}.txt`, `digit ${index}`],
      );
    }
    await tarOf(at('set.tar'), entries);
    await run({ operation: 'encode', input: at('set.tar'), format: 'npy' });
    near(await rowsOf(), mean);
    const notes = await notesOf();
    expect(notes[5]).toEqual({ name: `${'long/'.repeat(40)}05`, label: labels[5], caption: 'digit 5' });
  });

  it('Parquet with pictures in it, as data sets have them', async () => {
    const rows = await Promise.all(Array.from({ length: COUNT }, (_, index) => png(index)));
    const columnData = [
      { name: 'image', data: rows.map((bytes) => new Uint8Array(bytes)), type: 'BYTE_ARRAY' as const },
      { name: 'label', data: [...labels].map(BigInt), type: 'INT64' as const },
      { name: 'text', data: rows.map((_, index) => `t${index}`), type: 'STRING' as const },
    ];
    await writeFile(at('set.parquet'), new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 5 })));
    await run({ operation: 'encode', input: at('set.parquet'), format: 'npy' });
    near(await rowsOf(), mean);
    expect((await notesOf())[9]).toEqual({ name: 'set.parquet[9]', label: labels[9], caption: 't9' });
  });
});

describe('inputs of arrays', () => {
  const floats = (): Float32Array => Float32Array.from(data, (value) => value / 255);

  it('.npy of bytes, of floats, in Fortran order', async () => {
    await writeNpy(at('bytes.npy'), { data, shape: [COUNT, 1, 28, 28] });
    await run({ operation: 'encode', input: at('bytes.npy'), format: 'npy' });
    near(await rowsOf(), mean);
    await writeNpy(at('floats.npy'), { data: floats(), shape: [COUNT, 1, 28, 28] });
    await run({ operation: 'encode', input: at('floats.npy'), format: 'npy' });
    near(await rowsOf(), mean);
    // The same array with its first axis fastest.
    const turned = new Uint8Array(data.length);
    for (let row = 0; row < COUNT; row += 1)
      for (let y = 0; y < 28; y += 1)
        for (let x = 0; x < 28; x += 1) turned[row + COUNT * (y + 28 * x)] = data[row * 784 + y * 28 + x]!;
    const header = Buffer.from(await readFile(at('bytes.npy'))).subarray(0, 128);
    const text = header.toString('latin1').replace("'fortran_order': False", "'fortran_order': True ");
    await writeFile(at('fortran.npy'), Buffer.concat([Buffer.from(text, 'latin1'), turned]));
    await run({ operation: 'encode', input: at('fortran.npy'), format: 'npy' });
    near(await rowsOf(), mean);
  });

  it('.safetensors, with labels', async () => {
    const tensors = new Map([
      ['images', float32Tensor(floats(), [COUNT, 1, 28, 28])],
      [
        'labels',
        { dtype: 'int64' as const, dims: [COUNT], data: new Uint8Array(BigInt64Array.from(labels, BigInt).buffer) },
      ],
    ]);
    await writeFile(at('set.safetensors'), Buffer.concat(encodeSafeTensors({ tensors, metadata: {} })));
    await run({ operation: 'encode', input: at('set.safetensors'), format: 'npy' });
    near(await rowsOf(), mean);
    expect((await notesOf())[4]).toMatchObject({ label: labels[4] });
  });

  it('IDX, plain and compressed', async () => {
    const header = Buffer.from([0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, 28, 0, 0, 0, 28]);
    const bytes = Buffer.concat([header, data]);
    await writeFile(at('some-idx3-ubyte'), bytes);
    await writeFile(at('packed-idx3-ubyte.gz'), gzipSync(bytes));
    for (const name of ['some-idx3-ubyte', 'packed-idx3-ubyte.gz']) {
      await run({ operation: 'encode', input: at(name), format: 'npy' });
      near(await rowsOf(), mean);
    }
  });

  it('Parquet of lists, Arrow files and streams, JSON lines', async () => {
    const lists = Array.from({ length: COUNT }, (_, row) => [...floats().slice(row * 784, (row + 1) * 784)]);
    await writeFile(at('lists.jsonl'), lists.map((x, row) => JSON.stringify({ name: `r${row}`, x })).join('\n'));
    await run({ operation: 'encode', input: at('lists.jsonl'), format: 'npy' });
    near(await rowsOf(), mean);
    expect((await notesOf())[13]!.name).toBe('r13');

    const type = new FixedSizeList(784, new Field('item', new Float32(), false));
    const schema = new Schema([new Field('name', new Utf8(), false), new Field('x', type, false)]);
    const batch = (from: number, to: number): RecordBatch => {
      const child = makeData({ type: new Float32(), data: floats().slice(from * 784, to * 784) });
      const list = makeData({ type, length: to - from, child });
      const names = vectorFromArray(
        Array.from({ length: to - from }, (_, row) => `r${from + row}`),
        new Utf8(),
      ).data[0]!;
      return new RecordBatch(
        schema,
        makeData({ type: new Struct(schema.fields), length: to - from, children: [names, list] }),
      );
    };
    const table = new Table(schema, [batch(0, 4), batch(4, 15), batch(15, COUNT)]);
    for (const kind of ['file', 'stream'] as const) {
      await writeFile(at(`${kind}.arrow`), tableToIPC(table, kind));
      await run({ operation: 'encode', input: at(`${kind}.arrow`), format: 'npy' });
      near(await rowsOf(), mean);
      expect((await notesOf())[20]!.name).toBe('r20');
    }
  });
});

describe('operations', () => {
  it.each(['npy', 'npz', 'safetensors', 'parquet', 'jsonl', 'tar'] as const)(
    'encode to %s, and decode what came of it',
    async (format) => {
      await run({ operation: 'encode', input: at('pictures'), format, logVariance: true });
      const from = at(`out-${number}`);
      await run({ operation: 'decode', input: from, format: 'npy' });
      const decoded = await rowsOf();
      await run({ operation: 'reconstruct', input: at('pictures'), format: 'npy' });
      near(decoded, await rowsOf());
    },
  );

  it('score is what score() gives, whatever shards there are', async () => {
    await run({ operation: 'score', input: at('pictures'), format: 'jsonl', seed: 4 });
    const names = (await readdir(at(`out-${number}`))).filter((name) => /^shard/.test(name)).sort();
    const lines = (await Promise.all(names.map((name) => readFile(at(`out-${number}`, name), 'utf8')))).join('');
    const scores = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { elbo: number; reconstruction: number; kl: number });
    expect(scores.length).toBe(COUNT);
    await using vae = await Vae.load('mnist-mlp');
    const own = await vae.score({ data, shape: [COUNT, 1, 28, 28] }, { seed: 1 });
    // KL has no chance in it; the reconstruction is of another draw.
    for (const [row, { elbo, reconstruction, kl }] of scores.entries()) {
      expect(kl).toBeCloseTo(own.kl[row]!, 3);
      expect(elbo).toBeCloseTo(-reconstruction - kl, 2);
      expect(Math.abs(reconstruction - own.reconstruction[row]!)).toBeLessThan(80);
    }
  });

  it('draws differ from row to row and from the mean, and are the same again', async () => {
    await run({ operation: 'encode', input: at('pictures'), format: 'npy', draw: true, seed: 5 });
    const first = await rowsOf();
    await run({
      operation: 'encode',
      input: at('pictures'),
      format: 'npy',
      draw: true,
      seed: 5,
      shardSize: 7,
    } as never);
    expect(await rowsOf()).toEqual(first);
    await run({ operation: 'encode', input: at('pictures'), format: 'npy', draw: true, seed: 6 });
    const other = await rowsOf();
    expect(other).not.toEqual(first);
    let [sum, squares] = [0, 0];
    for (const [index, value] of first.entries()) {
      sum += value - mean[index]!;
      squares += (value - mean[index]!) ** 2;
    }
    expect(squares / first.length).toBeGreaterThan(0.01);
    expect(Math.abs(sum / first.length)).toBeLessThan(0.2);
  });

  it('pictures come out as PNG in a .tar', async () => {
    const { failed } = await run({ operation: 'reconstruct', input: at('pictures'), format: 'tar' });
    expect(failed).toBe(0);
    // A .tar of pictures is input again.
    const from = at(`out-${number}`);
    const again = await run({ operation: 'encode', input: from, format: 'npy' });
    expect(again).toMatchObject({ items: COUNT, rows: COUNT });
    expect((await notesOf())[22]!.name).toBe('deep/22.png');
  });

  it('compress and decompress give the same pixels', async () => {
    const packed = await run({ operation: 'compress', input: at('pictures') }, 'mnist-codec');
    expect(packed).toMatchObject({ items: COUNT, shards: 4, failed: 0 });
    const from = at(`out-${number}`);
    number += 1;
    const unpacked = await runJob({ operation: 'decompress', input: from, output: at(`out-${number}`), processes: 1 });
    expect(unpacked).toMatchObject({ items: 4, rows: COUNT });
    const files = at(`out-${number}`, 'files');
    await run({ operation: 'encode', input: files, format: 'npy' });
    near(await rowsOf(), mean);
  });

  it('compress with loss', async () => {
    number += 1;
    const result = await runJob({
      ...{
        operation: 'compress',
        model: 'photo-lossy',
        quality: 50,
        input: at('pictures'),
        output: at(`out-${number}`),
      },
      ...{ processes: 1, shardSize: 12 },
    });
    expect(result).toMatchObject({ items: COUNT, shards: 2, failed: 0 });
  });
});
