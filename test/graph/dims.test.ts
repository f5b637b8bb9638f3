import { describe, expect, it } from 'vitest';
import {
  addDims,
  canonicalDim,
  ceilDivide,
  divideExactly,
  floorDivide,
  multiplyDims,
  productOfDims,
  subtractDims,
} from '../../src/graph/infer/dims.js';
import { evaluate } from './support.js';

describe('symbolic lengths', () => {
  it('have one text for equal lengths', () => {
    expect(addDims('N', 'N')).toBe('2*N');
    expect(multiplyDims('W', 'H')).toBe('H*W');
    expect(multiplyDims('H', 'W')).toBe('H*W');
    expect(subtractDims(addDims('N', 3), 3)).toBe('N');
    expect(addDims(multiplyDims('N', 4), 1)).toBe('4*N + 1');
    expect(subtractDims(3, 'N')).toBe('-N + 3');
    expect(multiplyDims(addDims('N', 1), addDims('N', -1))).toBe('N*N - 1');
    expect(productOfDims(['N', 3, 'H', 2])).toBe('6*H*N');
  });

  it('divide where nothing is left over', () => {
    expect(divideExactly('784*N', 784)).toBe('N');
    expect(divideExactly('64*H*N*W', '16*N')).toBe('4*H*W');
    expect(divideExactly('3*N', 2)).toBeUndefined();
    expect(divideExactly('N', 'M')).toBeUndefined();
    expect(divideExactly(0, 'N')).toBe(0);
  });

  it('round down and up as numbers do', () => {
    expect(floorDivide('H', 2)).toBe('floor(H/2)');
    expect(floorDivide('4*H + 3', 2)).toBe('2*H + 1');
    expect(ceilDivide('H', 2)).toBe('floor((H + 1)/2)');
    expect(floorDivide(-7, 2)).toBe(-4);
    expect(floorDivide('H', 0)).toBeUndefined();
  });

  it('read the expressions that exporters write', () => {
    expect(addDims('((s0 - 1)//2) + 1', 0)).toBe('((s0 - 1)//2) + 1');
    expect(addDims('((s0 - 1)//2) + 1', 1)).toBe('floor((s0 + 1)/2) + 1');
    expect(canonicalDim('((s0 - 1)//2) + 1')).toBe('floor((s0 + 1)/2)');
    expect(canonicalDim('s1*s0')).toBe('s0*s1');
    expect(canonicalDim('batch-size')).toBe('batch-size');
    expect(canonicalDim('any text')).toBe('any text');
    expect(multiplyDims('2*s1*s0', 2)).toBe('4*s0*s1');
    // A dash inside a name is no minus.
    expect(multiplyDims('batch-size', 2)).toBe('2*batch-size');
  });

  it('give up on what is no polynomial, and never hang', () => {
    expect(multiplyDims('a b', 2)).toBeUndefined();
    expect(multiplyDims('('.repeat(200), 2)).toBeUndefined();
    expect(multiplyDims('x'.repeat(10_000), 2)).toBeUndefined();
    expect(multiplyDims(`${'(a + b)*'.repeat(30)}c`, 2)).toBeUndefined();
    expect(multiplyDims(2 ** 52, 2 ** 10)).toBeUndefined();
    // Identities hold for them all the same.
    expect(addDims('a b', 0)).toBe('a b');
    expect(subtractDims('a b', 'a b')).toBe(0);
  });

  it('agree with numbers on random expressions', () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let round = 0; round < 500; round += 1) {
      const lengths = { N: 1 + random(9), H: 1 + random(40), W: 1 + random(40) };
      let dim: number | string | undefined = ['N', 'H', 'W'][random(3)]!;
      let value = evaluate(dim, lengths);
      for (let step = 0; step < 6 && dim !== undefined; step += 1) {
        const other: number | string = random(2) === 0 ? 1 + random(5) : ['N', 'H', 'W'][random(3)]!;
        const number = evaluate(other, lengths);
        const kind = random(4);
        if (kind === 0) [dim, value] = [addDims(dim, other), value + number];
        else if (kind === 1) [dim, value] = [subtractDims(dim, other), value - number];
        else if (kind === 2) [dim, value] = [multiplyDims(dim, other), value * number];
        else if (typeof other === 'number') [dim, value] = [floorDivide(dim, other), Math.floor(value / other)];
      }
      if (dim !== undefined) expect(evaluate(dim, lengths)).toBe(value);
    }
  });
});
