import { describe, expect, test } from 'vitest';
import {
  decodeSafeTensors,
  encodeSafeTensors,
  float32Elements,
  float32Tensor,
} from '../../src/artifacts/safetensors.js';
import { VaeError } from '../../src/core/errors.js';

const values = Float32Array.from([1.5, -2, 3, 4, 5, 6]);

function sample(): Uint8Array {
  const tensors = new Map([
    ['b.weight', float32Tensor(values, [2, 3])],
    ['a.bias', float32Tensor(values.subarray(0, 1), [])],
    ['empty', float32Tensor(new Float32Array(0), [0, 4])],
  ]);
  return Buffer.concat(encodeSafeTensors({ tensors, metadata: { step: '12' } }));
}

/** A file with this header text and body. */
function file(header: string, body = Buffer.alloc(0), length = Buffer.byteLength(header)): Uint8Array {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([prefix, Buffer.from(header), body]);
}

describe('safetensors', () => {
  test('what was written is read back', () => {
    const { tensors, metadata } = decodeSafeTensors(sample(), 'sample');
    expect(metadata).toEqual({ step: '12' });
    expect([...tensors.keys()].sort()).toEqual(['a.bias', 'b.weight', 'empty']);
    expect(tensors.get('b.weight')!.dims).toEqual([2, 3]);
    expect(float32Elements(tensors.get('b.weight')!, 'sample')).toEqual(values);
    expect(float32Elements(tensors.get('a.bias')!, 'sample')).toEqual(Float32Array.of(1.5));
  });

  test('tensors begin at a multiple of eight bytes, as the format advises', () => {
    const bytes = sample();
    expect(Number(Buffer.from(bytes).readBigUInt64LE()) % 8).toBe(0);
  });

  test('reads a file as the reference implementation writes it', () => {
    const header = '{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
    const body = Buffer.from(Float32Array.of(7, 8).buffer);
    expect(float32Elements(decodeSafeTensors(file(header, body), 'x').tensors.get('x')!, 'x')).toEqual(
      Float32Array.of(7, 8),
    );
  });

  const entry = (fields: string): string => `{"x":{${fields}}}`;
  const hostile: Record<string, Uint8Array> = {
    'no bytes': new Uint8Array(0),
    'a header longer than the file': file('{}', Buffer.alloc(0), 1000),
    'a header of 2^63 bytes': Buffer.from('000000000000008000', 'hex'),
    'a header that is not JSON': file('{"x":'),
    'a header that is an array': file('[]'),
    'an unknown type': file(entry('"dtype":"F7","shape":[1],"data_offsets":[0,4]'), Buffer.alloc(4)),
    'a type named like a method': file(
      entry('"dtype":"constructor","shape":[1],"data_offsets":[0,4]'),
      Buffer.alloc(4),
    ),
    'a negative length': file(entry('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), Buffer.alloc(4)),
    'a shape that overflows': file(
      entry('"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]'),
      Buffer.alloc(4),
    ),
    'offsets past the end': file(entry('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), Buffer.alloc(4)),
    'bytes that no tensor names': file(entry('"dtype":"F32","shape":[1],"data_offsets":[0,4]'), Buffer.alloc(8)),
    'overlapping tensors': file(
      '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      Buffer.alloc(4),
    ),
    'metadata that is not text': file('{"__metadata__":{"a":1}}'),
  };

  test.each(Object.entries(hostile))('%s is a format error', (_, bytes) => {
    expect(() => decodeSafeTensors(bytes, 'hostile.safetensors')).toThrowError(
      expect.objectContaining({ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(/^hostile\.safetensors/) }),
    );
  });

  test('thousands of damaged files give a format error or a valid result, nothing else', () => {
    const original = sample();
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    let refused = 0;
    for (let round = 0; round < 4000; round += 1) {
      let bytes = Uint8Array.from(original);
      for (let edit = 0; edit <= random(3); edit += 1) bytes[random(bytes.length)] = random(256);
      if (random(4) === 0) bytes = bytes.subarray(0, random(bytes.length));
      try {
        decodeSafeTensors(bytes, 'damaged');
      } catch (error) {
        expect(error).toBeInstanceOf(VaeError);
        expect((error as VaeError).code).toBe('ERR_VAE_FORMAT');
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
