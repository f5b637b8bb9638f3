/** The published schema of --config says yes and no where the library does. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { renderConfigSchema } from '../../scripts/write-config-schema.js';
import { fitOptionsSchema } from '../../src/training/fit-options.js';
import { createSchema } from '../../src/vae/options.js';

const file = new URL('../../schemas/train-config.schema.json', import.meta.url);
const published = JSON.parse(readFileSync(file, 'utf8'));
const schema = z.fromJSONSchema(published);

test('is up to date (npx tsx scripts/write-config-schema.ts)', () => {
  expect(renderConfigSchema()).toBe(readFileSync(file, 'utf8'));
});

test('describes its options in the words of the documentation', () => {
  expect(published.properties.fit.properties.epochs.description).toMatch(/^Passes over the data/);
  expect(published.properties.model.properties.latentDim.description).toMatch(/^Number of latent dimensions/);
});

describe('agrees with the library on', () => {
  test.each<[boolean, object]>([
    [true, {}],
    [true, { epochs: 3, batchSize: 64, optimizer: 'adamw', clipGradientNorm: 1 }],
    [true, { optimizer: { type: 'sgd', momentum: 0.9, nesterov: true } }],
    [true, { learningRate: { type: 'cosine', from: 0.003, warmUpSteps: 100 }, klWeight: 0.5 }],
    [true, { klWeight: { type: 'linear', from: 0, to: 1, steps: 500 } }],
    [true, { earlyStopping: { patience: 3 }, emaDecay: 0.999, onNonFinite: 'rollback' }],
    [false, { epochs: 0 }],
    [false, { epochs: 2.5 }],
    [false, { epoch: 3 }],
    [false, { optimizer: 'lion' }],
    [false, { optimizer: { type: 'adam', momentum: 0.9 } }],
    [false, { learningRate: { type: 'cosine' } }],
    [false, { klWeight: -1 }],
    [false, { emaDecay: 1 }],
    [false, { seed: 'seven' }],
    [false, { earlyStopping: {} }],
  ])('%s for fit %j', (valid, fit) => {
    expect(schema.safeParse({ fit }).success).toBe(valid);
    expect(fitOptionsSchema.safeParse(fit).success).toBe(valid);
  });

  test.each<[boolean, object]>([
    [true, { architecture: 'mlp', latentDim: 8, likelihood: 'gaussian', seed: 3 }],
    [true, { architecture: { type: 'conv', channels: [16, 32] }, objective: { type: 'free-bits', lambda: 0.1 } }],
    [false, { architecture: 'transformer' }],
    [false, { architecture: { type: 'conv', chanels: [16] } }],
    [false, { latentDim: 0 }],
    [false, { likelihood: { type: 'bernoulli', levels: 3 } }],
  ])('%s for model %j', (valid, model) => {
    const input = { kind: 'image', height: 28, width: 28 };
    expect(schema.safeParse({ model }).success).toBe(valid);
    expect(createSchema.safeParse({ input, ...model }).success).toBe(valid);
  });
});

test('takes its own address, and no other section', () => {
  expect(schema.safeParse({ $schema: 'node_modules/node-vae/schemas/train-config.schema.json', fit: {} }).success).toBe(
    true,
  );
  expect(schema.safeParse({ train: {} }).success).toBe(false);
  // The command line has flags for these, or sets them itself.
  expect(schema.safeParse({ fit: { resume: true } }).success).toBe(false);
  expect(schema.safeParse({ fit: { checkpoint: { keep: 5 } } }).success).toBe(true);
});
