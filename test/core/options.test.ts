import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { VaeError } from '../../src/core/errors.js';
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

test('nearest spelling', () => {
  expect(nearest('gausian', ['bernoulli', 'gaussian'])).toBe('gaussian');
  expect(nearest('poisson', ['bernoulli', 'gaussian'])).toBeUndefined();
});
