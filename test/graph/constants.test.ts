import { describe, expect, it } from 'vitest';
import { constantOf, constantsEqual, float32Of, numbersOf, readConstant } from '../../src/graph/constants.js';
import { expectVaeError } from './support.js';

describe('constantOf', () => {
  it('makes every type and gives the numbers back', () => {
    const values = [0, 1, 2, 100];
    for (const dtype of [
      'float32',
      'float16',
      'float64',
      'bfloat16',
      'int8',
      'int16',
      'int32',
      'int64',
      'uint8',
      'uint16',
      'uint32',
      'uint64',
    ] as const) {
      const constant = constantOf(values, dtype, [2, 2]);
      expect(constant.dtype).toBe(dtype);
      expect([...numbersOf(constant)], dtype).toEqual(values);
      expect([...float32Of(constant)], dtype).toEqual(values);
    }
    expect([...numbersOf(constantOf([0, 3], 'bool'))]).toEqual([0, 1]);
    expect(constantOf(['a', 'b'], 'string').strings).toEqual(['a', 'b']);
  });

  it('borrows a typed array of the asked type and converts another', () => {
    const weights = new Float32Array([1, 2, 3]);
    const borrowed = constantOf(weights, 'float32');
    weights[0] = 9;
    expect([...numbersOf(borrowed)]).toEqual([9, 2, 3]);
    expect([...numbersOf(constantOf(new Float64Array([0.5, -2]), 'float16'))]).toEqual([0.5, -2]);
    expect([...numbersOf(constantOf(new Uint16Array([0x3c00]), 'float16'))]).toEqual([1]);
    expect(readConstant(constantOf([2n ** 62n], 'int64'))).toEqual(new BigInt64Array([2n ** 62n]));
  });

  it('reads elements that are not aligned', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 1.5, true);
    new DataView(bytes.buffer).setFloat32(5, -2, true);
    // A Buffer's slice() is a view; the copy must be a real one.
    const data = Buffer.from(bytes.buffer).subarray(1);
    expect(readConstant({ dtype: 'float32', dims: [2], data })).toEqual(new Float32Array([1.5, -2]));
  });

  it('refuses what the type or shape cannot hold', () => {
    expectVaeError(() => constantOf([1.5], 'int32'), 'ERR_VAE_SHAPE', 'int32', '1.5');
    expectVaeError(() => constantOf([300], 'uint8'), 'ERR_VAE_SHAPE', '300');
    expectVaeError(() => constantOf([-1], 'uint64'), 'ERR_VAE_SHAPE', '-1');
    expectVaeError(() => constantOf([2n ** 63n], 'int64'), 'ERR_VAE_SHAPE');
    expectVaeError(() => constantOf([1, 2, 3], 'float32', [2, 2]), 'ERR_VAE_SHAPE', '[2, 2]', '3 elements');
    expectVaeError(() => constantOf([1], 'float32', [-1]), 'ERR_VAE_SHAPE');
    expectVaeError(() => constantOf([1], 'string'), 'ERR_VAE_SHAPE');
  });
});

describe('constantsEqual', () => {
  it('compares type, shape and bits', () => {
    expect(constantsEqual(constantOf([1, 2]), constantOf([1, 2]))).toBe(true);
    expect(constantsEqual(constantOf([1, 2]), constantOf([1, 2], 'float32', [1, 2]))).toBe(false);
    expect(constantsEqual(constantOf([0]), constantOf([-0]))).toBe(false);
    expect(constantsEqual(constantOf(['a'], 'string'), constantOf(['b'], 'string'))).toBe(false);
  });
});
