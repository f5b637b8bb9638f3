import { describe, expect, it } from 'vitest';
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from '../../src/core/half.js';

/** The bit patterns below `count` for which a test does not hold. */
function failures(count: number, holds: (bits: number) => boolean): number[] {
  return Array.from({ length: count }, (_, bits) => bits).filter((bits) => !holds(bits));
}

describe('float16', () => {
  it('restores every one of its 65536 numbers', () => {
    const wrong = failures(0x10000, (bits) => {
      const value = fromFloat16Bits(bits);
      return Number.isNaN(value) ? Number.isNaN(fromFloat16Bits(toFloat16Bits(value))) : toFloat16Bits(value) === bits;
    });
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest number, ties to even, between all neighbours', () => {
    const wrong = failures(0x7bff, (bits) => {
      const low = fromFloat16Bits(bits);
      const high = fromFloat16Bits(bits + 1);
      const middle = (low + high) / 2;
      return (
        toFloat16Bits(middle) === (bits % 2 === 0 ? bits : bits + 1) &&
        toFloat16Bits(middle - (high - low) * 1e-3) === bits &&
        toFloat16Bits(middle + (high - low) * 1e-3) === bits + 1
      );
    });
    expect(wrong).toEqual([]);
  });

  it('knows its limits', () => {
    expect(fromFloat16Bits(toFloat16Bits(65504))).toBe(65504);
    expect(fromFloat16Bits(toFloat16Bits(65519.999))).toBe(65504);
    expect(fromFloat16Bits(toFloat16Bits(65520))).toBe(Number.POSITIVE_INFINITY);
    expect(fromFloat16Bits(toFloat16Bits(-1e9))).toBe(Number.NEGATIVE_INFINITY);
    expect(Object.is(fromFloat16Bits(toFloat16Bits(-0)), -0)).toBe(true);
    expect(toFloat16Bits(2 ** -26)).toBe(0);
  });
});

describe('bfloat16', () => {
  it('restores every one of its 65536 numbers', () => {
    const wrong = failures(0x10000, (bits) => {
      const value = fromBfloat16Bits(bits);
      return Number.isNaN(value)
        ? Number.isNaN(fromBfloat16Bits(toBfloat16Bits(value)))
        : toBfloat16Bits(value) === bits;
    });
    expect(wrong).toEqual([]);
  });

  it('rounds ties to even', () => {
    expect(fromBfloat16Bits(toBfloat16Bits(1 + 2 ** -8))).toBe(1);
    expect(fromBfloat16Bits(toBfloat16Bits(1 + 3 * 2 ** -8))).toBe(1 + 2 ** -6);
    expect(fromBfloat16Bits(toBfloat16Bits(3.4e38))).toBe(Number.POSITIVE_INFINITY);
  });
});
