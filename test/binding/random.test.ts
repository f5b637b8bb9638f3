/** The addon's random numbers: known answers, distributions, and independence of how they are asked for. */
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../src/binding/index.js';

const { random } = loadAddon();

const uniform = (count: number, seed = 1n, stream = 0, counter = 0n): Float32Array => {
  const out = new Float32Array(count);
  random.fillUniform(out, seed, stream, counter);
  return out;
};
const normal = (count: number, seed = 1n, stream = 0, counter = 0n): Float32Array => {
  const out = new Float32Array(count);
  random.fillNormal(out, seed, stream, counter);
  return out;
};
const moment = (values: Float32Array, power: number): number =>
  values.reduce((sum, value) => sum + value ** power, 0) / values.length;

/** Word i of a sequence, by the documented layout of counter and key. */
function word(i: number, seed: bigint, stream: number, counter: bigint): number {
  const low = (value: bigint) => Number(value & 0xffffffffn);
  const block = random.philox(
    Uint32Array.of(Math.floor(i / 4), stream, low(counter), low(counter >> 32n)),
    Uint32Array.of(low(seed), low(seed >> 32n)),
  );
  return block[i % 4]!;
}

// Random123 1.14, tests/kat_vectors: "philox4x32 10".
test.each([
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    expected: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    expected: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    expected: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
])('Philox 4x32-10 gives the published answer for key $key', ({ counter, key, expected }) => {
  expect([...random.philox(Uint32Array.from(counter), Uint32Array.from(key))]).toEqual(expected);
});

describe('uniform numbers', () => {
  test('are the upper 24 bits of the generator, one word each', () => {
    const values = uniform(200, 0x123456789abcdef0n, 77, 0xfedcba9876543210n);
    values.forEach((value, i) => {
      expect(value).toBe((word(i, 0x123456789abcdef0n, 77, 0xfedcba9876543210n) >>> 8) / 2 ** 24);
    });
  });

  test('lie in [0, 1) with the right moments, and fill it evenly', () => {
    const values = uniform(1_000_000);
    expect(Math.min(...values.subarray(0, 100_000))).toBeGreaterThanOrEqual(0);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(moment(values, 1)).toBeCloseTo(1 / 2, 3);
    expect(moment(values, 2)).toBeCloseTo(1 / 3, 3);
    const bins = new Float64Array(100);
    for (const value of values) bins[Math.floor(value * 100)]! += 1;
    const chiSquare = bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(160); // 99 degrees of freedom: exceeded once in 10,000 generators
    expect(chiSquare).toBeGreaterThan(50);
  });
});

describe('normal numbers', () => {
  test('are Box and Muller of pairs of words, to the precision of float32', () => {
    const seed = 99n;
    normal(4096, seed, 5, 3n).forEach((value, i) => {
      const pair = i - (i % 2);
      const radius = Math.sqrt(-2 * Math.log((word(pair, seed, 5, 3n) + 0.5) / 2 ** 32));
      const angle = (2 * Math.PI * word(pair + 1, seed, 5, 3n)) / 2 ** 32;
      const exact = radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
      expect(Math.abs(value - exact)).toBeLessThan(1e-6 * Math.max(1, radius));
    });
  });

  test('have the moments and tails of the normal distribution', () => {
    const values = normal(1_000_000, 5n);
    expect(moment(values, 1)).toBeCloseTo(0, 2);
    expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(0.006);
    expect(Math.abs(moment(values, 3))).toBeLessThan(0.015);
    expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(0.05);
    const beyond3 = values.reduce((count, value) => count + (Math.abs(value) > 3 ? 1 : 0), 0) / values.length;
    expect(Math.abs(beyond3 - 0.0027)).toBeLessThan(0.0003);
  });
});

test.each([
  ['fillUniform', uniform],
  ['fillNormal', normal],
])('%s: element i does not depend on how many are asked for', (_, fill) => {
  const all = fill(1000, 3n, 2, 9n);
  for (const count of [1, 2, 3, 5, 63, 64, 65, 127, 200, 999]) {
    expect(fill(count, 3n, 2, 9n)).toEqual(all.slice(0, count));
  }
});

test('seeds, streams and counters give unrelated numbers', () => {
  const base = normal(100_000, 1n, 1, 1n);
  for (const other of [
    normal(100_000, 2n, 1, 1n),
    normal(100_000, 1n, 2, 1n),
    normal(100_000, 1n, 1, 2n),
    normal(100_000, (1n << 32n) + 1n, 1, 1n),
    normal(100_000, 1n, 1, (1n << 32n) + 1n),
  ]) {
    const correlation = base.reduce((sum, value, i) => sum + value * other[i]!, 0) / base.length;
    expect(Math.abs(correlation)).toBeLessThan(0.015); // 4.7 standard deviations
    expect(correlation).not.toBe(0);
  }
});

describe('permutations', () => {
  test.each([0, 1, 2, 3, 100, 60_000])('of %i hold every number once', (count) => {
    const order = random.permutation(count, 7n, 1, 0n);
    expect(order).toHaveLength(count);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  test('are the same for the same seed and differ for others', () => {
    const order = random.permutation(1000, 7n, 1, 0n);
    expect(random.permutation(1000, 7n, 1, 0n)).toEqual(order);
    expect(random.permutation(1000, 8n, 1, 0n)).not.toEqual(order);
    expect(random.permutation(1000, 7n, 1, 1n)).not.toEqual(order);
  });

  test('of 4 come in all 24 orders, equally often', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i += 1) {
      const order = random.permutation(4, 11n, 0, BigInt(i)).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(58); // 23 degrees of freedom: exceeded once in 10,000 generators
  });
});

test('wrong arguments are refused', () => {
  const option = expect.objectContaining({ name: 'VaeError', code: 'ERR_VAE_OPTION' });
  expect(() => random.fillUniform(new Float64Array(3) as unknown as Float32Array, 1n, 0, 0n)).toThrow(option);
  expect(() => random.fillNormal(new Float32Array(3), -1n, 0, 0n)).toThrow(option);
  expect(() => random.fillNormal(new Float32Array(3), 1n, 0.5, 0n)).toThrow(option);
  expect(() => random.fillNormal(new Float32Array(3), 1 as unknown as bigint, 0, 0n)).toThrow(option);
  expect(() => random.permutation(-1, 1n, 0, 0n)).toThrow(option);
});
