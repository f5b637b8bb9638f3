import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { TypedArray } from '../../src/core/dtype.js';
import { isVaeError } from '../../src/core/errors.js';
import { writeNpyHeader } from '../../src/data/npy/header.js';
import { parseNpy, readNpy } from '../../src/data/npy/read.js';
import { formatNpy, writeNpy } from '../../src/data/npy/write.js';
import { temporaryFolder } from '../support/temporary.js';
import { mutate } from './mutate.js';

/** numpy.save of np.arange(6, dtype='<f4').reshape(2, 3), byte for byte as NumPy 2.4 wrote it. */
const NUMPY_FILE = Buffer.concat([
  Buffer.from(
    "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(127, ' '),
    'latin1',
  ),
  Buffer.from('\n'),
  Buffer.from(new Float32Array([0, 1, 2, 3, 4, 5]).buffer),
]);

function npy(header: string, data: Uint8Array = new Uint8Array(), version = 1): Uint8Array {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return new Uint8Array(
    Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([version, 0]), length, Buffer.from(header), data]),
  );
}

describe('parseNpy', () => {
  it("reads NumPy's own file", () => {
    const tensor = parseNpy(NUMPY_FILE);
    expect([tensor.type, tensor.dims, Array.from(tensor.data as Float32Array)]).toEqual([
      'float32',
      [2, 3],
      [0, 1, 2, 3, 4, 5],
    ]);
  });

  it('writes the very bytes NumPy writes', () => {
    expect(Buffer.from(formatNpy({ data: new Float32Array([0, 1, 2, 3, 4, 5]), shape: [2, 3] }))).toEqual(NUMPY_FILE);
  });

  it.each([
    new Float32Array([1.5, -2, Number.NaN]),
    new Float64Array([1.5, -2, 1e300]),
    new Int8Array([1, -2, 127]),
    new Int16Array([1, -2, 32767]),
    new Int32Array([1, -2, 2 ** 31 - 1]),
    new BigInt64Array([1n, -2n, 2n ** 62n]),
    new Uint8Array([1, 2, 255]),
    new Uint16Array([1, 2, 65535]),
    new Uint32Array([1, 2, 2 ** 32 - 1]),
    new BigUint64Array([1n, 2n, 2n ** 63n]),
  ])('writes and reads back %s', (data: TypedArray) => {
    for (const shape of [[3], [3, 1], [1, 3, 1]]) {
      const tensor = parseNpy(formatNpy({ data, shape }));
      expect(tensor.dims).toEqual(shape);
      expect(tensor.data).toEqual(data);
    }
  });

  it('keeps data aligned to 64 bytes and handles scalars and empty arrays', () => {
    for (let dims = 0; dims < 9; dims += 1) {
      expect(writeNpyHeader({ descr: '<f8', fortranOrder: false, shape: Array(dims).fill(12345) }).length % 64).toBe(0);
    }
    expect(parseNpy(formatNpy({ data: new Float32Array([4]), shape: [] })).dims).toEqual([]);
    expect(parseNpy(formatNpy({ data: new Float32Array(0), shape: [0, 5] })).dims).toEqual([0, 5]);
  });

  it('reads big-endian, unaligned, Fortran-ordered and later-version files', () => {
    const bigEndian = Buffer.alloc(8);
    bigEndian.writeInt32BE(-5, 0);
    bigEndian.writeInt32BE(6, 4);
    expect(
      Array.from(
        parseNpy(npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,)}", bigEndian)).data as Int32Array,
      ),
    ).toEqual([-5, 6]);
    const fortran = npy(
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }",
      new Uint8Array([0, 3, 1, 4, 2, 5]),
      2,
    );
    expect(Array.from(parseNpy(fortran).data as Uint8Array)).toEqual([0, 1, 2, 3, 4, 5]);
    const cube = npy(
      '{"descr": "|u1", "fortran_order": True, "shape": (2, 2, 2)}',
      new Uint8Array([0, 4, 2, 6, 1, 5, 3, 7]),
      3,
    );
    expect(Array.from(parseNpy(cube).data as Uint8Array)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(
      parseNpy(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", new Uint8Array([0, 1]))).type,
    ).toBe('bool');
  });

  it.each([
    ['no magic', new Uint8Array(20), /NUMPY/],
    ['another version', npy('{}', new Uint8Array(), 4), /version is 4/],
    ['a header that ends early', NUMPY_FILE.subarray(0, 60), /inside its header/],
    ['truncated data', NUMPY_FILE.subarray(0, NUMPY_FILE.length - 1), /needs 24 bytes of data, the file has 23/],
    ['data after the end', Buffer.concat([NUMPY_FILE, Buffer.alloc(1)]), /has 25/],
    ['objects', npy("{'descr': '|O', 'fortran_order': False, 'shape': (0,)}"), /"\|O"/],
    ['strings', npy("{'descr': '<U3', 'fortran_order': False, 'shape': (0,)}"), /not numbers/],
    ['records', npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (0,)}"), /structured/],
    ['a negative dimension', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), /cannot be read/],
    ['a missing key', npy("{'descr': '<f4', 'shape': (0,)}"), /must hold/],
    ['a name twice', npy("{'descr': '<f4', 'descr': '<f4', 'shape': (0,)}"), /distinct/],
    ['code', npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': (0,)}"), /cannot be read/],
    ['deep nesting', npy(`{'descr': ${'('.repeat(5000)}${')'.repeat(4900)}`), /misses a value/],
    ['a very long header', npy(' '.repeat(20_000)), /at most 10000/],
    [
      'an enormous shape',
      npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (${'9007199254740991, '.repeat(30)})}`),
      /needs/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseNpy(bytes, 'x.npy')).toThrowError(
      expect.objectContaining({ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(message) }),
    );
  });

  it('answers thousands of damaged files with a VaeError or valid data, never otherwise', () => {
    const valid = formatNpy({ data: Float64Array.from({ length: 12 }, (_, i) => i), shape: [2, 3, 2] });
    let refused = 0;
    for (let seed = 0; seed < 6000; seed += 1) {
      try {
        const tensor = parseNpy(mutate(valid, seed, 80));
        expect(tensor.dims.reduce((a, b) => a * b, 1)).toBe(tensor.data.length);
      } catch (error) {
        if (!isVaeError(error) || error.code !== 'ERR_VAE_FORMAT') throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(3000);
  });
});

describe('files', () => {
  const folder = temporaryFolder('npy');

  it('writes files that read back, also compressed', async () => {
    const path = join(folder, 'a.npy');
    await writeNpy(path, { data: new Float32Array([1, 2]), shape: [2, 1] });
    expect((await readNpy(path)).dims).toEqual([2, 1]);
    await writeFile(join(folder, 'a.npy.gz'), gzipSync(await readFile(path)));
    expect(Array.from((await readNpy(join(folder, 'a.npy.gz'))).data as Float32Array)).toEqual([1, 2]);
  });

  it('fails with the reason of the file system', async () => {
    await expect(readNpy(join(folder, 'missing.npy'))).rejects.toMatchObject({
      code: 'ERR_VAE_IO',
      message: expect.stringContaining('no such file'),
    });
    await writeFile(join(folder, 'file'), '');
    await expect(
      writeNpy(join(folder, 'file', 'a.npy'), { data: new Float32Array(1), shape: [1] }),
    ).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
  });
});
