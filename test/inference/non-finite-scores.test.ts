/** A score that is not finite is reported alike by every way to a model, and by its cause. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { constantOf, GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('scores');

type Heads = (g: GraphBuilder, x: Value) => { mean: Value; logVariance: Value };

async function pair(name: string, heads: Heads, end: (g: GraphBuilder, y: Value) => Value = (_, y) => y) {
  const e = new GraphBuilder({ name: 'encoder' });
  const weight = (g: GraphBuilder, stem: string) =>
    g.initializer(stem, constantOf(Float32Array.from([1, 0.5, -0.5, 1]), 'float32', [2, 2]));
  const x = e.op('MatMul', [e.input('x', 'float32', ['N', 2]), weight(e, 'w')]);
  const { mean, logVariance } = heads(e, x);
  e.output('mu', mean);
  e.output('logvar', logVariance);
  const d = new GraphBuilder({ name: 'decoder' });
  d.output('y', end(d, d.op('MatMul', [d.input('z', 'float32', ['N', 2]), weight(d, 'w')])));
  const files = { encoder: join(folder, `${name}-encoder.onnx`), decoder: join(folder, `${name}-decoder.onnx`) };
  await writeFile(files.encoder, writeModel(e.model));
  await writeFile(files.decoder, writeModel(d.model));
  return files;
}

const rows = { data: Float32Array.from([0.1, 0.2, 5, 5, 0.3, 0.1]), shape: [3, 2] };

const WAYS = {
  load: (files: { encoder: string; decoder: string }) => Vae.load(files),
  fromOnnx: (files: { encoder: string; decoder: string }) =>
    Vae.fromOnnx({ ...files, likelihood: { type: 'gaussian', variance: 1 } }),
  saved: async (files: { encoder: string; decoder: string }) => {
    await using vae = await Vae.fromOnnx({ ...files, likelihood: { type: 'gaussian', variance: 1 } });
    await vae.save(join(folder, 'saved'));
    return Vae.load(join(folder, 'saved'));
  },
};

describe.each(Object.keys(WAYS) as (keyof typeof WAYS)[])('by %s', (way) => {
  test('a log-variance that is too large', async () => {
    const files = await pair('spread', (g, x) => ({
      mean: x,
      logVariance: g.op('Mul', [g.op('Mul', [x, x]), g.scalar(8)]),
    }));
    await using vae = await WAYS[way](files);
    await expect(vae.score(rows)).rejects.toMatchObject({
      code: 'ERR_VAE_RUNTIME',
      message: expect.stringMatching(
        /^score\(\): the score of row 1 is not finite .*the encoder gives it a log-variance of 450 in dimension 1/,
      ),
    });
  });

  test('a layer of the encoder', async () => {
    const files = await pair('layer', (g, x) => ({
      mean: x,
      logVariance: g.op(
        'Log',
        [g.op('Sub', [g.scalar(9), g.op('Mul', [x, x])], {}, { name: 'room' })],
        {},
        { name: 'logarithm' },
      ),
    }));
    await using vae = await WAYS[way](files);
    await expect(vae.score(rows)).rejects.toMatchObject({
      code: 'ERR_VAE_RUNTIME',
      message: expect.stringMatching(/row 1 .*the encoder's layer ".*logarithm" \(Log\) gives NaN/),
    });
  });

  test('a layer of the decoder', async () => {
    const files = await pair(
      'decoder',
      (g, x) => ({ mean: x, logVariance: g.op('Sub', [g.op('Mul', [x, g.scalar(0)]), g.scalar(30)]) }),
      (g, y) => g.op('Exp', [g.op('Mul', [y, g.scalar(30)])], {}, { name: 'growth' }),
    );
    await using vae = await WAYS[way](files);
    await expect(vae.score(rows)).rejects.toMatchObject({
      code: 'ERR_VAE_RUNTIME',
      message: expect.stringMatching(/row 1 .*the decoder's layer ".*growth" \(Exp\) gives Infinity/),
    });
  });

  test('a row that is not finite is the row’s own', async () => {
    const files = await pair('row', (g, x) => ({ mean: x, logVariance: g.op('Neg', [x]) }));
    await using vae = await WAYS[way](files);
    const data = Float32Array.from(rows.data);
    data[3] = Number.NaN;
    await expect(vae.score({ ...rows, data })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringMatching(/row 1/),
    });
    expect((await vae.score(rows)).elbo.every(Number.isFinite)).toBe(true);
  });
});
