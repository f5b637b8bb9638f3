/** What people pass first: every form of the same rows gives the same bits, at every entrance. */
import { Tensor } from 'onnxruntime-common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Vae } from '../../src/index.js';

const SIDE = 6;
const SIZE = SIDE * SIDE;
const LATENT = 3;
let vae: Vae;
beforeAll(async () => {
  vae = await Vae.create({
    input: { kind: 'image', height: SIDE, width: SIDE },
    latentDim: LATENT,
    architecture: { type: 'mlp', hidden: [16] },
    seed: 4,
  });
});
afterAll(() => vae.close());

const one = Float32Array.from({ length: SIZE }, (_, index) => (index % 8) / 8);
const two = Float32Array.from([...one, ...one.map((value) => 1 - value)]);
const lines = (values: ArrayLike<number>) =>
  Array.from({ length: values.length / SIDE }, (_, line) => Array.from(values).slice(line * SIDE, (line + 1) * SIDE));

/** Of one row, and of two. */
const FORMS: readonly [name: string, rows: 1 | 2, value: unknown][] = [
  ['a Float32Array', 1, one],
  ['a Float32Array of two rows', 2, two],
  ['a Float64Array', 1, Float64Array.from(one)],
  ['a flat array', 1, [...one]],
  ['a flat array of two rows', 2, [...two]],
  ['an array of rows', 2, [[...one], [...two.subarray(SIZE)]]],
  ['an array of typed rows', 2, [one, two.subarray(SIZE)]],
  ['lines of one picture', 1, lines(one)],
  ['lines of one picture, in a batch', 1, [lines(one)]],
  ['lines of two pictures', 2, [lines(one), lines(two.subarray(SIZE))]],
  ['with the channel', 2, [[lines(one)], [lines(two.subarray(SIZE))]]],
  ['{ data, shape } of one flat row', 1, { data: one, shape: [SIZE] }],
  ['{ data, shape } of one picture', 1, { data: one, shape: [SIDE, SIDE] }],
  ['{ data, shape } of one picture with its channel', 1, { data: one, shape: [1, SIDE, SIDE] }],
  ['{ data, shape }', 2, { data: two, shape: [2, 1, SIDE, SIDE] }],
  ['a Tensor', 2, new Tensor('float32', two, [2, 1, SIDE, SIDE])],
  ['a Tensor of one row without a batch', 1, new Tensor('float32', one, [SIDE, SIDE])],
];

describe.each(FORMS)('%s', (_, rows, value) => {
  const input = value as Float32Array;

  it('is encoded, reconstructed and scored as the same rows are', async () => {
    const batch = { data: rows === 1 ? one : two, shape: [rows, 1, SIDE, SIDE] };
    const expected = await vae.encode(batch);
    const { mean, logVariance } = await vae.encode(input);
    expect(mean.dims).toEqual([rows, LATENT]);
    expect(mean.data).toEqual(expected.mean.data);
    expect(logVariance.data).toEqual(expected.logVariance.data);
    expect((await vae.reconstruct(input)).data).toEqual((await vae.reconstruct(batch)).data);
    expect(await vae.score(input, { seed: 1 })).toEqual(await vae.score(batch, { seed: 1 }));
    await using batcher = vae.batcher();
    expect((await batcher.encode(input)).mean.data).toEqual(expected.mean.data);
    for await (const result of vae.stream('encode').over([input])) expect(result.mean.data).toEqual(expected.mean.data);
  });
});

it('latents are taken in the same forms', async () => {
  const latent = Float32Array.of(0.5, -1, 2);
  const expected = await vae.decode({ data: latent, shape: [1, LATENT] });
  for (const form of [latent, [...latent], [[...latent]], { data: latent, shape: [LATENT] }])
    expect((await vae.decode(form as Float32Array)).data).toEqual(expected.data);
  expect((await vae.decode(Float32Array.of(...latent, 0, 0, 0))).dims).toEqual([2, 1, SIDE, SIDE]);
});

it.each([
  ['a value too many', Float32Array.of(...one, 0), 'ERR_VAE_SHAPE', /37 values are not a whole number of rows/],
  ['a flat array with one too many', [...one, 0], 'ERR_VAE_SHAPE', /expected shape \[N, 1, 6, 6\]/],
  ['a path', '/etc/hostname', 'ERR_VAE_SHAPE', /received "\/etc\/hostname"/],
  ['an object', {}, 'ERR_VAE_SHAPE', /expected a Tensor, \{ data, shape \}/],
  ['bytes that say nothing', new ArrayBuffer(4 * SIZE), 'ERR_VAE_SHAPE', /new Float32Array\(buffer\)/],
  ['nothing', undefined, 'ERR_VAE_SHAPE', /received nothing/],
  ['no rows', [], 'ERR_VAE_SHAPE', /received \[\]/],
  ['rows of two lengths', [[...one], [0]], 'ERR_VAE_SHAPE', /row 1: expected 36 values/],
  ['a number that is none', [Number.NaN, ...one.subarray(1)], 'ERR_VAE_DATA', /NaN/],
  ['texts', ['a', 'b'], 'ERR_VAE_SHAPE', /expected/],
])('%s is refused, with what to pass', async (_, value, code, message) => {
  await expect(vae.encode(value as unknown as Float32Array)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});
