import { Tensor } from 'onnxruntime-common';
import { describe, expect, test } from 'vitest';
import { AnomalyDetector, arithmetic, interpolate, LatentIndex, project, traverse, VaeError } from '../../src/index.js';

/** A small generator of its own (mulberry32), so that the numbers are the same every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = (seed: number, rows: number, width: number) => {
  const next = numbers(seed);
  return { data: Float32Array.from({ length: rows * width }, () => next() * 2 - 1), shape: [rows, width] };
};
const rowOf = (tensor: Tensor, row: number): number[] => {
  const width = tensor.size / tensor.dims[0]!;
  return [...(tensor.data as Float32Array).subarray(row * width, (row + 1) * width)];
};
const lengthOf = (values: number[]) => Math.hypot(...values);
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as VaeError).code;
  }
  return 'none';
};

describe('interpolate', () => {
  const a = { data: Float32Array.of(3, 0, 0, 0), shape: [4] };
  const b = new Tensor('float32', Float32Array.of(0, 3, 0, 0), [1, 4]);

  test('goes straight from one end to the other', () => {
    const path = interpolate(a, b, { steps: 4 });
    expect(path.dims).toEqual([4, 4]);
    expect([0, 1, 2, 3].map((row) => rowOf(path, row).slice(0, 2))).toEqual([
      [3, 0],
      [2, 1],
      [1, 2],
      [0, 3],
    ]);
  });

  test('goes along the sphere with even steps', () => {
    const path = interpolate(a, b, { steps: 4, path: 'spherical' });
    for (let row = 0; row < 4; row += 1) {
      const point = rowOf(path, row);
      expect(lengthOf(point)).toBeCloseTo(3, 5);
      expect(Math.atan2(point[1]!, point[0]!)).toBeCloseTo((row * Math.PI) / 6, 5);
    }
  });

  test('keeps both ends exactly, and parallel, opposite and zero latents finite', () => {
    for (const [from, to] of [
      [random(1, 1, 8), random(2, 1, 8)],
      [a, { data: Float32Array.of(6, 0, 0, 0), shape: [4] }],
      [a, { data: Float32Array.of(-3, 0, 0, 0), shape: [4] }],
      [a, { data: new Float32Array(4), shape: [4] }],
    ] as const) {
      const path = interpolate(from, to, { steps: 5, path: 'spherical' });
      expect(rowOf(path, 0)).toEqual([...from.data]);
      expect(rowOf(path, 4)).toEqual([...to.data]);
      expect((path.data as Float32Array).every(Number.isFinite)).toBe(true);
    }
  });

  test('keeps axes of latents that are maps, and refuses what does not fit', () => {
    const map = { data: new Float32Array(12), shape: [1, 3, 2, 2] };
    expect(interpolate(map, map).dims).toEqual([8, 3, 2, 2]);
    expect(code(() => interpolate(a, random(1, 1, 5)))).toBe('ERR_VAE_SHAPE');
    expect(code(() => interpolate(random(1, 2, 4), a))).toBe('ERR_VAE_SHAPE');
    expect(code(() => interpolate(a, b, { steps: 1 }))).toBe('ERR_VAE_OPTION');
    expect(code(() => interpolate(a, { data: Float32Array.of(1, 2, 3, Number.NaN), shape: [4] }))).toBe('ERR_VAE_DATA');
  });
});

describe('traverse', () => {
  test('moves one dimension and leaves the others', () => {
    const latent = random(3, 1, 5);
    const walk = traverse(latent, { dimension: 2, steps: 5, from: -2, to: 2 });
    for (let row = 0; row < 5; row += 1) {
      const expected = [...latent.data];
      expected[2] = row - 2;
      expect(rowOf(walk, row)).toEqual(expected);
    }
    expect(code(() => traverse(latent, { dimension: 5 }))).toBe('ERR_VAE_OPTION');
  });
});

test('arithmetic adds weighted means of groups', () => {
  const group = (...rows: number[][]) => ({ data: Float32Array.from(rows.flat()), shape: [rows.length, 2] });
  const result = arithmetic([
    [1, group([2, 4], [4, 8])],
    [-1, group([1, 1])],
    [0.5, group([10, 0], [20, 0], [30, 6])],
  ]);
  expect(result.dims).toEqual([1, 2]);
  expect(rowOf(result, 0)).toEqual([3 - 1 + 10, 6 - 1 + 1]);
  expect(code(() => arithmetic([]))).toBe('ERR_VAE_OPTION');
  expect(code(() => arithmetic([[Number.NaN, group([1, 1])]]))).toBe('ERR_VAE_OPTION');
});

describe('project', () => {
  /** Points near a plane in 6 dimensions, spread unevenly along two known directions. */
  const plane = (width: number) => {
    const next = numbers(7);
    const u = Array.from({ length: width }, (_, index) => (index % 2 === 0 ? 1 : 0) / Math.sqrt(width / 2));
    const v = Array.from({ length: width }, (_, index) => (index % 2 === 1 ? 1 : 0) / Math.sqrt(width / 2));
    const data = new Float32Array(300 * width);
    for (let row = 0; row < 300; row += 1) {
      const [s, t] = [(next() - 0.5) * 20, (next() - 0.5) * 6];
      for (let index = 0; index < width; index += 1) {
        data[row * width + index] = 5 + s * u[index]! + t * v[index]! + (next() - 0.5) * 0.01;
      }
    }
    return { data, shape: [300, width] };
  };

  test.each([6, 600])('finds the plane that latents of %d dimensions lie in', async (width) => {
    const latents = plane(width);
    const projection = await project(latents);
    expect(projection.points.dims).toEqual([300, 2]);
    const [first, second] = projection.explained;
    expect(first! + second!).toBeGreaterThan(0.999);
    expect(first! / second!).toBeGreaterThan(5);
    const back = projection.inverse(projection.points).data as Float32Array;
    const worst = back.reduce((most, value, index) => Math.max(most, Math.abs(value - latents.data[index]!)), 0);
    expect(worst).toBeLessThan(0.02);
    expect(projection.transform(latents).data).toEqual(projection.points.data);
  });

  test('in three dimensions, and refuses what is too little', async () => {
    expect((await project(random(5, 50, 8), { dimensions: 3 })).explained).toHaveLength(3);
    await expect(project(random(5, 2, 8))).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
    await expect(project(random(5, 50, 8), { dimensions: 4 as never })).rejects.toMatchObject({
      code: 'ERR_VAE_OPTION',
    });
  });
});

describe('LatentIndex', () => {
  const stored = random(11, 5000, 16);
  const queries = random(12, 4, 16);

  test.each(['euclidean', 'cosine'] as const)('finds what sorting all %s distances finds', async (metric) => {
    const index = new LatentIndex();
    for (let from = 0; from < 5000; from += 1250) {
      index.add({ data: stored.data.subarray(from * 16, (from + 1250) * 16), shape: [1250, 16] });
    }
    expect(index.size).toBe(5000);
    const found = await index.search(queries, { count: 7, metric });
    for (let query = 0; query < 4; query += 1) {
      const q = queries.data.subarray(query * 16, (query + 1) * 16);
      const all = Array.from({ length: 5000 }, (_, row) => {
        const s = stored.data.subarray(row * 16, (row + 1) * 16);
        const dot = q.reduce((sum, value, i) => sum + value * s[i]!, 0);
        const distance =
          metric === 'euclidean'
            ? Math.hypot(...q.map((value, i) => value - s[i]!))
            : 1 - dot / (Math.hypot(...q) * Math.hypot(...s));
        return { row, distance };
      }).sort((a, b) => a.distance - b.distance);
      expect(found[query]!.map(({ row }) => row)).toEqual(all.slice(0, 7).map(({ row }) => row));
      for (const [i, { distance }] of found[query]!.entries()) expect(distance).toBeCloseTo(all[i]!.distance, 5);
    }
  });

  test('gives ids back, finds each latent itself, and knows its limits', async () => {
    const index = new LatentIndex<string>();
    expect(await index.search(queries)).toEqual([[], [], [], []]);
    index.add({ data: stored.data.slice(0, 48), shape: [3, 16] }, ['a', 'b', 'c']);
    const found = await index.search({ data: stored.data.slice(0, 48), shape: [3, 16] }, { count: 9 });
    expect(found.map(([first]) => first!.id)).toEqual(['a', 'b', 'c']);
    expect(found[0]).toHaveLength(3);
    expect(code(() => index.add(random(1, 1, 5), ['x']))).toBe('ERR_VAE_SHAPE');
    expect(code(() => index.add(random(1, 2, 16), ['x']))).toBe('ERR_VAE_OPTION');
    const aborted = index.search(queries, { signal: AbortSignal.abort(new Error('enough')) });
    await expect(aborted).rejects.toThrow('enough');
  });
});

test('AnomalyDetector puts its threshold at the quantile of normal examples', async () => {
  const scorer = { score: async (elbo: number[]) => ({ elbo: Float32Array.from(elbo) }) };
  const normal = Array.from({ length: 101 }, (_, index) => -index);
  const detector = await AnomalyDetector.fit(scorer, normal, { quantile: 0.9 });
  expect(detector.threshold).toBeCloseTo(90);
  const { scores, anomalous } = await detector.score([-89, -91, -500]);
  expect([...scores]).toEqual([89, 91, 500]);
  expect(anomalous).toEqual([false, true, true]);
  const again = AnomalyDetector.from(scorer, JSON.parse(JSON.stringify(detector)));
  expect(again.threshold).toBe(detector.threshold);
  await expect(AnomalyDetector.fit(scorer, normal, { quantile: 1 })).rejects.toBeInstanceOf(VaeError);
  expect(code(() => AnomalyDetector.from(scorer, { threshold: Number.NaN, quantile: 0.9 }))).toBe('ERR_VAE_OPTION');
});
