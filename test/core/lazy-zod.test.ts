/** Schemas as the built package makes them have to be the schemas that the sources write down. */
import { createRequire } from 'node:module';
import { describe, expect, test, vi } from 'vitest';

// The import of this name is what is replaced.
const zod = createRequire(import.meta.url)('zod') as typeof import('zod');

vi.mock('zod', async () => {
  const { z } = await import('../../src/core/lazy-zod.js');
  return { z };
});

const { z } = await import('../../src/core/lazy-zod.js');
const { parseOptions } = await import('../../src/core/options.js');
const { createSchema } = await import('../../src/vae/options.js');
const { deviceSchema } = await import('../../src/vae/device-options.js');
const { fitOptionsSchema } = await import('../../src/training/fit-options.js');

describe('schemas that are made when first used', () => {
  test('take and refuse what the same ones of zod do', () => {
    const shape = (of: typeof zod) =>
      of.strictObject({
        count: of.int().positive().max(8).default(3),
        pair: of.tuple([of.number(), of.string()]).optional(),
        kind: of.discriminatedUnion('type', [
          of.strictObject({ type: of.literal('a'), on: of.boolean() }),
          of.strictObject({ type: of.literal('b'), names: of.array(of.enum(['x', 'y'])) }),
        ]),
        any: of.union([of.instanceof(Uint8Array), of.custom((value) => value === 7)]).optional(),
        map: of.record(of.string().regex(/^[a-z]+$/), of.unknown()).optional(),
      });
    const [ours, theirs] = [shape(z), shape(zod)];
    const values: unknown[] = [
      { kind: { type: 'a', on: true } },
      { kind: { type: 'b', names: ['x', 'z'] } },
      { count: 9, kind: { type: 'a', on: 1 } },
      { kind: { type: 'c' } },
      { kind: { type: 'a', on: false }, pair: [1, 'one'], any: 7, map: { a: 1 } },
      { kind: { type: 'a', on: false }, pair: [1], any: 8, map: { A: 1 }, more: 1 },
      undefined,
    ];
    for (const value of values) {
      const [got, expected] = [ours.safeParse(value), theirs.safeParse(value)];
      expect(got.success).toBe(expected.success);
      expect(got.data).toEqual(expected.data);
      expect(got.error?.issues).toEqual(expected.error?.issues);
    }
  });

  test('are extended, made partial and looked into like zod’s', () => {
    const base = z.strictObject({ a: z.int(), b: z.string() });
    expect(base.extend({ c: z.boolean() }).safeParse({ a: 1, b: '', c: true }).success).toBe(true);
    expect(base.partial({ b: true }).parse({ a: 1 })).toEqual({ a: 1 });
    expect(Object.keys(base.shape)).toEqual(['a', 'b']);
    expect(base.optional() instanceof z.ZodOptional).toBe(true);
    expect(base instanceof z.ZodObject).toBe(true);
    expect(base instanceof z.ZodArray).toBe(false);
    expect(z.toJSONSchema(base)).toEqual(zod.toJSONSchema(zod.strictObject({ a: zod.int(), b: zod.string() })));
  });

  test('say of options what they say in the sources', () => {
    const image = { kind: 'image', height: 4, width: 4 };
    expect(parseOptions(createSchema, { input: image }, 'here')).toMatchObject({
      architecture: { type: 'mlp' },
      likelihood: { type: 'bernoulli' },
      seed: 0,
    });
    expect(() => parseOptions(createSchema, { input: image, latentDims: 2 }, 'here')).toThrow(
      /unknown option "latentDims"; did you mean "latentDim"\?/,
    );
    expect(() => parseOptions(createSchema, { input: image, architecture: 'mpl' }, 'here')).toThrow(/"mlp"\?/);
    expect(() => parseOptions(deviceSchema, { signal: 5 }, 'here')).toThrow(/option "signal"/);
    expect(() => parseOptions(fitOptionsSchema, { epochs: -1 }, 'here')).toThrow(/option "epochs"/);
    expect(parseOptions(fitOptionsSchema, { klWeight: { type: 'linear', from: 0, to: 1 } }, 'here')).toMatchObject({
      klWeight: { type: 'linear' },
    });
  });
});
