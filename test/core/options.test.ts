import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { VaeError } from '../../src/core/errors.js';
import { tableSchema } from '../../src/core/option-table.js';
import { nearest, parseOptions } from '../../src/core/options.js';

const schema = z.strictObject({
  epochs: z.int().positive().default(10),
  optimizer: z.strictObject({ learningRate: z.number().positive() }).optional(),
});

function messageOf(value: unknown): string {
  try {
    parseOptions(schema, value, 'fit()');
  } catch (error) {
    expect(error).toBeInstanceOf(VaeError);
    expect((error as VaeError).code).toBe('ERR_VAE_OPTION');
    return (error as VaeError).message;
  }
  throw new Error('nothing was refused');
}

describe('parseOptions', () => {
  test('fills in defaults, also for no options at all', () => {
    expect(parseOptions(schema, undefined, 'fit()')).toEqual({ epochs: 10 });
  });

  test('names the place, the option, what was expected and what came', () => {
    const message = messageOf({ epochs: Number.NaN });
    expect(message).toMatch(/^fit\(\): option "epochs"/);
    expect(message).toMatch(/NaN/);
  });

  test('finds the option that was meant', () => {
    expect(messageOf({ epoch: 3 })).toBe('fit(): unknown option "epoch"; did you mean "epochs"?');
    expect(messageOf({ optimizer: { learningrate: 1 } })).toMatch(
      /optimizer\.learningrate".*did you mean "learningRate"/,
    );
  });

  test('lists what is known where nothing is near', () => {
    expect(messageOf({ colour: 'red' })).toMatch(/known are epochs, optimizer/);
  });

  test('tells every problem, not only the first', () => {
    const message = messageOf({ epochs: -1, optimizer: { learningRate: 'fast' } });
    expect(message).toMatch(/epochs/);
    expect(message).toMatch(/learningRate.*received "fast"/);
  });
});

describe('a choice from a table', () => {
  const table = tableSchema(
    {
      gaussian: { schema: z.strictObject({ type: z.literal('gaussian'), variance: z.number().default(1) }) },
      bernoulli: { schema: z.strictObject({ type: z.literal('bernoulli') }) },
      imported: { schema: z.strictObject({ type: z.literal('imported'), file: z.string() }) },
    },
    'likelihoods',
    { imported: 'expected one that can be made; import this one' },
  );
  const refusal = (likelihood: unknown): string => {
    try {
      return JSON.stringify(parseOptions(z.strictObject({ likelihood: table }), { likelihood }, 'create()'));
    } catch (error) {
      return (error as VaeError).message;
    }
  };

  test('by name or by type', () => {
    const made = '{"likelihood":{"type":"gaussian","variance":1}}';
    expect(refusal('gaussian')).toBe(made);
    expect(refusal({ type: 'gaussian' })).toBe(made);
  });

  test('a name that is misspelt, by name or by type, is told with what came', () => {
    const known = 'expected one of the likelihoods gaussian, bernoulli, imported';
    expect(refusal('bernouli')).toBe(
      `create(): option "likelihood": ${known} (did you mean "bernoulli"?), received "bernouli".`,
    );
    expect(refusal({ type: 'bernouli' })).toContain(`${known}, received "bernouli"`);
    expect(refusal('toString')).toContain(`${known}, received "toString"`);
    expect(refusal(10)).toBe(`create(): option "likelihood": ${known}, received 10.`);
  });

  test('an entry that cannot be chosen by name says what to do instead', () => {
    expect(refusal('imported')).toContain('import this one, received "imported"');
    expect(refusal({ type: 'imported' })).toContain('option "likelihood.file": expected string, received nothing');
  });
});

test('nearest spelling', () => {
  expect(nearest('gausian', ['bernoulli', 'gaussian'])).toBe('gaussian');
  expect(nearest('poisson', ['bernoulli', 'gaussian'])).toBeUndefined();
});
