/** Graphs that draw random numbers of their own: the seed does not reach them, and a warning says so at either way in. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Value } from '../../src/graph/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { DATA, decoderOf, type Ending, encoderOf, type Heads, type Writer } from './graphs.js';

const folder = temporaryFolder('noise');

const OPSET = 18;
const quiet: Heads['heads'] = (_, mu, logvar) => ({ mu, logvar });
const linear: Ending['end'] = (_, x) => x;
/** A latent that is drawn beside the mean, which nothing uses. */
const beside: Heads['heads'] = (w, mu, logvar) => ({
  z: w.op('Add', [
    mu,
    w.op('Mul', [w.op('RandomNormalLike', [mu]), w.op('Exp', [w.op('Mul', [logvar, w.number(0.5)])])]),
  ]),
  mu,
  logvar,
});

const DRAWS: Readonly<Record<string, (w: Writer, x: Value) => Value>> = {
  RandomNormalLike: (w, x) => w.op('Add', [x, w.op('RandomNormalLike', [x])]),
  RandomUniformLike: (w, x) => w.op('Mul', [x, w.op('RandomUniformLike', [x])]),
  'RandomNormalLike with a seed of its own': (w, x) => w.op('Add', [x, w.op('RandomNormalLike', [x], { seed: 3 })]),
  Bernoulli: (w, x) => w.op('Mul', [x, w.op('Bernoulli', [w.op('Sigmoid', [x])])]),
};

const WAYS = ['load', 'fromOnnx'] as const;

/** Opens the two graphs, and gives what was warned of. */
async function open(way: (typeof WAYS)[number], encoder: Uint8Array, decoder: Uint8Array) {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    const paths = { encoder: join(folder, 'encoder.onnx'), decoder: join(folder, 'decoder.onnx') };
    await writeFile(paths.encoder, encoder);
    await writeFile(paths.decoder, decoder);
    const vae =
      way === 'load' ? await Vae.load(paths) : await Vae.fromOnnx({ encoder, decoder, likelihood: 'gaussian' });
    return { vae, warnings: warned.mock.calls.map(([message, options]) => ({ message, options })) };
  } finally {
    warned.mockRestore();
  }
}

const telling = (half: string, op: string) => [
  {
    message: expect.stringMatching(
      new RegExp(
        `^The ${half}'s "\\w+" depends on random numbers that the graph draws itself \\(${op}, node "n\\d+"\\), which no seed`,
      ),
    ),
    options: { type: 'VaeWarning', code: 'WARN_VAE_NOISE' },
  },
];

describe.each(WAYS)('%s()', (way) => {
  test.each(Object.keys(DRAWS))('tells of %s in an encoder and in a decoder', async (name) => {
    const draw = DRAWS[name]!;
    const op = name.split(' ')[0]!;
    const noisy = encoderOf('dynamo', OPSET, { heads: (w, mu, logvar) => ({ mu: draw(w, mu), logvar }) });
    const encoder = await open(way, noisy, decoderOf('dynamo', OPSET, linear));
    await encoder.vae.close();
    expect(encoder.warnings).toEqual(telling('encoder', op));
    const plain = encoderOf('torchscript', OPSET, { heads: quiet });
    const decoder = await open(way, plain, decoderOf('torchscript', OPSET, draw));
    await decoder.vae.close();
    expect(decoder.warnings).toEqual(telling('decoder', op));
  });

  test.each([
    ['a graph without noise', quiet],
    ['a draw that nothing uses', beside],
  ])('says nothing of %s, which gives the same twice', async (_, heads) => {
    const { vae, warnings } = await open(
      way,
      encoderOf('dynamo', OPSET, { heads }),
      decoderOf('dynamo', OPSET, linear),
    );
    expect(warnings).toEqual([]);
    const rows = { data: Float32Array.from({ length: 4 * DATA }, (_, i) => Math.sin(i)), shape: [4, DATA] };
    expect((await vae.encode(rows)).mean.data).toEqual((await vae.encode(rows)).mean.data);
    expect(await vae.score(rows, { seed: 1 })).toEqual(await vae.score(rows, { seed: 1 }));
    await vae.close();
  });
});
