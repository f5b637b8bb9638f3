import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asDense, gatherStrided } from '../../src/core/tensor.js';
import { modelOptionsFor, parseNpy, readDataset, toDataset } from '../../src/data/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('arrays');

/** [2, 3, 4] with element 100 i + 10 j + k, in some order in memory. */
function laidOut(strides: readonly number[], offset: number, length: number): Float32Array {
  const data = new Float32Array(length).fill(-1);
  for (let i = 0; i < 2; i += 1)
    for (let j = 0; j < 3; j += 1)
      for (let k = 0; k < 4; k += 1)
        data[offset + i * strides[0]! + j * strides[1]! + k * strides[2]!] = 100 * i + 10 * j + k;
  return data;
}
const STRAIGHT = Array.from(laidOut([12, 4, 1], 0, 24));

describe('arrays with strides', () => {
  it.each([
    ['in order', [12, 4, 1], 0, 24],
    ['behind other values', [12, 4, 1], 5, 40],
    ['in Fortran order', [1, 2, 6], 0, 24],
    ['every second element', [24, 8, 2], 1, 60],
    ['backwards', [12, -4, -1], 11, 24],
    ['with the last axis in the middle', [12, 1, 3], 0, 24],
  ])('are followed: %s', async (_, stride, offset, length) => {
    const data = laidOut(stride, offset, length);
    const shape = [2, 3, 4];
    for (const form of [
      { data, shape, stride, offset },
      { data, shape, strides: Int32Array.from(stride), offset },
    ]) {
      const dense = asDense(form, 'test');
      expect(dense.dims).toEqual(shape);
      expect(Array.from(dense.data as Float32Array)).toEqual(STRAIGHT);
      expect(Array.from((await toDataset(form as { data: Float32Array; shape: number[] })).memory!)).toEqual(STRAIGHT);
    }
  });

  it('are refused where they reach beyond the data, or are not whole', () => {
    const data = new Float32Array(24);
    expect(() => asDense({ data, shape: [2, 3, 4], stride: [12, 4, 2] }, 'x')).toThrow(
      /reaches elements 0 to 26, and there are 24/,
    );
    expect(() => asDense({ data, shape: [2, 3, 4], stride: [12, -4, 1] }, 'x')).toThrow(/reaches elements -8/);
    expect(() => asDense({ data, shape: [2, 3, 4], stride: [12, 4] }, 'x')).toThrow(
      /one stride, a whole number, for each axis/,
    );
    expect(() => asDense({ data, shape: [2, 3, 4], offset: 0.5 }, 'x')).toThrow(/whole offset/);
    expect(() => asDense({ data, shape: [2, 3, 4], layout: 'NHWC' as 'nhwc' }, 'x')).toThrow(
      /layout: expected "nchw" or "nhwc"/,
    );
  });

  it('of large arrays are followed by squares', () => {
    const [rows, columns] = [70, 45];
    const data = Float64Array.from({ length: rows * columns }, (_, index) => index);
    const out = gatherStrided(data, [rows, columns], [1, rows]);
    for (let row = 0; row < rows; row += 1)
      for (let column = 0; column < columns; column += 1) expect(out[row * columns + column]).toBe(column * rows + row);
  });
});

describe('arrays that are not read', () => {
  const npy = (descr: string, bytes: number) => {
    const header = `${`{'descr': ${descr}, 'fortran_order': False, 'shape': (2,), }`.padEnd(117)}\n`;
    return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'), Buffer.from(header), Buffer.alloc(bytes)]);
  };

  it.each([
    [
      "'<c8'",
      /complex numbers\) are not numbers that are read\. Save them as numbers: np\.save\(path, np\.stack\(\[x\.real, x\.imag\]/,
    ],
    ["'<M8[D]'", /times\) are not numbers that are read.*x\.astype\('float64'\)/],
    ["'<f16'", /long doubles\) are not numbers that are read.*x\.astype\('float64'\)/],
    ["'<U4'", /texts or bytes\) are not numbers that are read/],
    ["'|O'", /Python objects\) are not numbers that are read.*np\.stack\(list\(x\)\)/],
    ["[('a', '<f4')]", /structured elements.*np\.save\(path, x\['name'\]\)/],
  ])('%s are refused with what makes numbers of them', (descr, message) => {
    expect(() => parseNpy(npy(descr, 16), 'x.npy')).toThrow(message);
  });

  it('say so of two arrays in one file', () => {
    expect(() => parseNpy(Buffer.concat([npy("'<f4'", 8), npy("'<f4'", 8)]), 'x.npy')).toThrow(
      /another array follows: .*np\.savez/,
    );
  });

  it('are .mat files of version 4 and big-endian ones', async () => {
    const old = join(folder, 'old.mat');
    const four = Buffer.alloc(200);
    four.writeUInt32LE(0, 0);
    await writeFile(old, four);
    await expect(readDataset(old)).rejects.toThrow(
      /version 4 have none\. Save it again: save\('new\.mat', '-v7'\).*savemat/,
    );
    const big = Buffer.alloc(200);
    big.write('MATLAB 5.0 MAT-file', 'latin1');
    big.write('MI', 126, 'latin1');
    await writeFile(old, big);
    await expect(readDataset(old)).rejects.toThrow(/is big-endian\. Save it again/);
  });
});

describe('channels last', () => {
  const nhwc = { data: Float32Array.from({ length: 2 * 4 * 5 * 3 }, (_, index) => index), shape: [2, 4, 5, 3] };

  it('are put into order where that is said', async () => {
    const { dims, data } = asDense({ ...nhwc, layout: 'nhwc' }, 'x');
    expect(dims).toEqual([2, 3, 4, 5]);
    expect(Array.from(data.subarray(0, 3) as Float32Array)).toEqual([0, 3, 6]);
    expect(data[4 * 5]).toBe(1);
    expect((await toDataset(nhwc, { layout: 'nhwc' })).memory).toEqual(data);
    expect((await toDataset({ ...nhwc, layout: 'nhwc' })).rowShape).toEqual([3, 4, 5]);
  });

  it('are noticed', async () => {
    await expect(toDataset(nhwc, { rowShape: [3, 4, 5] })).rejects.toThrow(
      /\[N, 4, 5, 3\] has its channels last, and channels come first here: pass layout: 'nhwc'/,
    );
    const data = await toDataset({ data: new Float32Array(2 * 8 * 8 * 3), shape: [2, 8, 8, 3] });
    await expect(modelOptionsFor(data)).rejects.toThrow(
      /\[N, 8, 8, 3\] has its channels last, and channels come first here: pass layout: 'nhwc'/,
    );
  });
});

describe('forms of rows', () => {
  it('are taken at every entrance alike', async () => {
    await using vae = await Vae.create({
      input: { kind: 'vector', length: 3 },
      architecture: { type: 'mlp', hidden: [4] },
      likelihood: 'gaussian',
      latentDim: 2,
    });
    const rows = [
      [0.25, 0.5, 1],
      [-1, 2, 0],
    ];
    const flat = Float32Array.from(rows.flat());
    const forms = [
      rows,
      rows.map((row) => Float64Array.from(row)),
      flat,
      Float64Array.from(flat),
      { data: rows.flat() as unknown as Float32Array, shape: [2, 3] },
      { data: Float64Array.from(flat), shape: [2, 3] },
      { data: Float32Array.of(0.25, -1, 0.5, 2, 1, 0), shape: [2, 3], stride: [1, 2] },
      { to2DArray: () => rows } as unknown as number[][],
    ];
    const { mean } = await vae.encode({ data: flat, shape: [2, 3] });
    const { elbo } = await vae.score({ data: flat, shape: [2, 3] });
    for (const form of forms) {
      expect((await vae.encode(form)).mean.data).toEqual(mean.data);
      expect((await vae.score(form)).elbo).toEqual(elbo);
      expect((await toDataset(form, { rowShape: [3] })).memory).toEqual(flat);
    }
    const whole = [new Int16Array([1, 2, 3]), new Uint16Array([1, 2, 3]), new BigInt64Array([1n, 2n, 3n])];
    const expected = (await vae.encode([[1, 2, 3]])).mean.data;
    for (const data of whole) expect((await vae.encode({ data, shape: [1, 3] })).mean.data).toEqual(expected);
  });

  it('bring their labels along', async () => {
    const data = new Float32Array(6);
    const { labels } = await toDataset({ data, shape: [3, 2], labels: [1, 0, 1] });
    expect(Array.from(labels!.values)).toEqual([1, 0, 1]);
    expect((await toDataset({ data, shape: [3, 2], labels: ['b', 'a', 'b'] })).labels!.classes).toEqual(['a', 'b']);
    expect(Array.from((await toDataset({ data, shape: [3, 2], labels: 2 })).labels!.values)).toEqual([2, 2, 2]);
    await expect(toDataset({ data, shape: [3, 2], labels: [1] })).rejects.toThrow(/one label for each of the 3 rows/);
  });
});
