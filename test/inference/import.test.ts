/** Models of other makers: what they compute is held against PyTorch and diffusers. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Vae, VaeError } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const GOLDEN = fileURLToPath(new URL('../golden/import/', import.meta.url));
const folder = temporaryFolder('import');

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly step?: number;
}
interface Golden {
  readonly input: Numbers;
  readonly mean: Numbers;
  readonly logVariance: Numbers;
  readonly decoded: Numbers;
}

const read = async (name: string) => JSON.parse(await readFile(join(GOLDEN, `${name}.json`), 'utf8'));
const tensor = ({ data, shape }: Numbers) => ({ data: Float32Array.from(data), shape });

function expectNear(
  actual: { dims: readonly number[]; data: unknown },
  expected: Numbers,
  tolerance: number,
  skip: (index: number) => boolean = () => false,
): void {
  expect(actual.dims).toEqual(expected.shape);
  const { step = 1, data } = expected;
  const largest = Math.max(...data.map(Math.abs));
  const values = actual.data as Float32Array;
  const worst = Math.max(
    ...data.map((value, index) => (skip(index * step) ? 0 : Math.abs(value - values[index * step]!))),
  );
  expect(worst).toBeLessThanOrEqual(tolerance * largest);
}

/** The upper left corner of pictures [N, C, H, W]. */
function crop({ dims, data }: { dims: readonly number[]; data: unknown }, shape: readonly number[]) {
  const [rows, columns] = shape.slice(2) as [number, number];
  const [height, width] = dims.slice(2) as [number, number];
  const values = (data as Float32Array).filter(
    (_, index) => index % width < columns && Math.floor(index / width) % height < rows,
  );
  return { dims: shape, data: values };
}

/**
 * Where a seam across meets a seam down. There diffusers blends with tiles that it has blended before,
 * so that one of them counts with the square of its weight; ours are weighted by the product.
 */
function cornersOf(shape: readonly number[], stride: number): (index: number) => boolean {
  const [rows, columns] = shape.slice(2) as [number, number];
  const inSeam = (position: number) => position >= stride && position % stride < stride / 3;
  return (index) => inSeam(index % columns) && inSeam(Math.floor(index / columns) % rows);
}

/** encode, decode and reconstruct as PyTorch has them; `tolerance` is relative to the largest value. */
async function expectGolden(vae: Vae, golden: Golden, tolerance: number, options = {}): Promise<void> {
  const { mean, logVariance } = await vae.encode(tensor(golden.input), options);
  expectNear(mean, golden.mean, tolerance);
  if (golden.logVariance !== undefined) expectNear(logVariance, golden.logVariance, tolerance);
  expectNear(await vae.decode(mean, options), golden.decoded, tolerance);
  expectNear(await vae.reconstruct(tensor(golden.input), options), golden.decoded, tolerance);
}

const failure = async (work: Promise<unknown>): Promise<VaeError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VaeError);
  return error as VaeError;
};

describe('autoencoders of diffusion models', () => {
  test('of any size, with moments, scaled and shifted', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion'));
    expect(vae.info).toMatchObject({ latentDim: 4, input: { kind: 'tensor', shape: [3, -1, -1] } });
    expect(vae.latentShape).toEqual([4, -1, -1]);
    expect(vae.provider).toBe('cpu');
    await expectGolden(vae, (await read('diffusion')).plain, 2e-5);
  });

  test('in tiles as diffusers blends them', async () => {
    const { tiled, plain } = await read('diffusion');
    await using vae = await Vae.load(join(GOLDEN, 'diffusion'), { tiling: true });
    const { mean } = await vae.encode(tensor(tiled.input));
    expectNear(crop(mean, tiled.mean.shape), tiled.mean, 2e-5, cornersOf(tiled.mean.shape, 6));
    const decoded = await vae.decode(tensor(tiled.latents));
    expectNear(crop(decoded, tiled.decoded.shape), tiled.decoded, 2e-5, cornersOf(tiled.decoded.shape, 24));
    // The same, asked for by the call; in one piece it comes out otherwise.
    const asked = await vae.encode(tensor(tiled.input), { tiling: { size: 32, overlap: 0.25 } });
    expect(asked.mean.data).toEqual(mean.data);
    const whole = await vae.encode(tensor(tiled.input), { tiling: false });
    expect(() => expectNear(crop(whole.mean, tiled.mean.shape), tiled.mean, 2e-5)).toThrow();
    // A picture of the size of a tile is one tile.
    await expectGolden(vae, plain, 2e-5, { tiling: { size: 32 } });
  });

  test('in half precision, of fixed size and a batch of one, with statistics by channel', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion-fp16'));
    expect(vae.dataShape).toEqual([3, 16, 16]);
    await expectGolden(vae, await read('diffusion-fp16'), 5e-3);
  });

  test('in half precision, computing in float32 where its config asks for it', async () => {
    const home = join(folder, 'upcast');
    await cp(join(GOLDEN, 'diffusion-fp16'), home, { recursive: true });
    const config = JSON.parse(await readFile(join(home, 'config.json'), 'utf8'));
    await writeFile(join(home, 'config.json'), JSON.stringify({ ...config, force_upcast: true }));
    await using vae = await Vae.load(home);
    expect(vae.info.precision).toBe('float32');
    // PyTorch's numbers are those of the half-precision weights in float32 arithmetic.
    await expectGolden(vae, await read('diffusion-fp16'), 2e-5);
  });

  test('of an older export: a latent instead of moments, weights beside the graph, a batch of two', async () => {
    const golden = await read('diffusion-old');
    await using vae = await Vae.load(join(GOLDEN, 'diffusion-old'));
    await expectGolden(vae, golden, 2e-5);
    const { logVariance } = await vae.encode(tensor(golden.input));
    expect(new Set(logVariance.data as Float32Array)).toEqual(
      new Set([Math.fround(-30 + 2 * Math.log(Math.fround(0.18215)))]),
    );
  });

  test('found one level up, and from one of their halves', async () => {
    const home = join(folder, 'one-level-up');
    await cp(join(GOLDEN, 'diffusion-old'), join(home, 'vae'), { recursive: true });
    await using above = await Vae.load(home);
    await using half = await Vae.load(join(home, 'vae', 'vae_decoder'));
    expect(half.dataShape).toEqual(above.dataShape);
  });

  test('bytes stand for −1 to 1', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion'));
    const bytes = Uint8Array.from({ length: 3 * 8 * 8 }, (_, index) => (index * 37) % 256);
    const floats = Float32Array.from(bytes, (value) => value / 127.5 - 1);
    const shape = [1, 3, 8, 8];
    const [a, b] = await Promise.all([vae.encode({ data: bytes, shape }), vae.encode({ data: floats, shape })]);
    expectNear(a.mean, { shape: b.mean.dims, data: [...(b.mean.data as Float32Array)] }, 1e-5);
  });

  test('scores are finite, repeat, and fall for a picture that is noise', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion'));
    const { input } = (await read('diffusion')).plain;
    const first = await vae.score(tensor(input), { seed: 4 });
    expect(await vae.score(tensor(input), { seed: 4 })).toEqual(first);
    const louder = await vae.score({ data: tensor(input).data.map((value) => value * 3), shape: input.shape });
    expect(louder.elbo[0]).toBeLessThan(first.elbo[0]!);
  });

  test('cannot be trained or saved, and say so', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion-old'));
    const input = tensor((await read('diffusion-old')).input);
    for (const work of [() => vae.fit(input), () => vae.save(join(folder, 'never'))]) {
      const error = await failure(Promise.resolve(work()));
      expect(error).toMatchObject({ code: 'ERR_VAE_OPTION', message: expect.stringContaining('imported') });
    }
  });
});

describe('pairs of ONNX files', () => {
  const pair = { encoder: join(GOLDEN, 'pair/down.onnx'), decoder: join(GOLDEN, 'pair/up.onnx') };

  test('with names of their own', async () => {
    await using vae = await Vae.load(pair);
    expect(vae.info.architecture).toEqual({ type: 'imported', ...pair });
    await expectGolden(vae, await read('pair'), 1e-5);
    expect((await vae.sample(3)).dims).toEqual([3, 12]);
  });

  test('whose outputs are named by the caller', async () => {
    await using vae = await Vae.load({ ...pair, outputs: { mean: 'spread', logVariance: 'mu' } });
    const golden = await read('pair');
    expectNear((await vae.encode(tensor(golden.input))).mean, golden.logVariance, 1e-5);
  });
});

describe('what cannot be loaded', () => {
  const diffusion = join(GOLDEN, 'diffusion');
  const encoder = join(diffusion, 'vae_encoder/model.onnx');
  const decoder = join(diffusion, 'vae_decoder/model.onnx');
  const up = join(GOLDEN, 'pair/up.onnx');

  test.each([
    ['halves of two models', { encoder, decoder: up }, 'ERR_VAE_GRAPH', /do not fit|not the decoder/],
    ['halves the wrong way round', { encoder: decoder, decoder: encoder }, 'ERR_VAE_GRAPH', /./],
    [
      'an output that is not there',
      { encoder, decoder, outputs: { mean: 'mu', logVariance: 'x' } },
      'ERR_VAE_OPTION',
      /latent_parameters/,
    ],
    ['a file that is not there', { encoder: join(folder, 'none.onnx'), decoder }, 'ERR_VAE_IO', /none\.onnx/],
    ['a file that is no model', { encoder: join(diffusion, 'config.json'), decoder }, 'ERR_VAE_FORMAT', /config\.json/],
    ['half a pair', { encoder } as never, 'ERR_VAE_OPTION', /decoder/],
  ])('%s', async (_, source, code, message) => {
    const error = await failure(Vae.load(source));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('an export with half of it missing, or with a damaged config', async () => {
    const broken = join(folder, 'broken');
    await cp(diffusion, broken, { recursive: true });
    await writeFile(join(broken, 'config.json'), '{"scaling_factor": 0}');
    expect(await failure(Vae.load(broken))).toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining('scaling_factor'),
    });
    await writeFile(join(broken, 'config.json'), '{"latents_mean": [1, 2, 3]}');
    expect(await failure(Vae.load(broken))).toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining('3'),
    });
    await rm(join(broken, 'config.json'));
    expect(await failure(Vae.load(broken))).toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining('config.json'),
    });
    await rm(join(broken, 'vae_decoder'), { recursive: true });
    expect(await failure(Vae.load(broken))).toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining('vae_decoder'),
    });
  });

  test('weights that lie outside the model', async () => {
    const home = join(folder, 'outside');
    await cp(join(GOLDEN, 'diffusion-old'), home, { recursive: true });
    await cp(join(home, 'vae_encoder/model.onnx_data'), join(home, 'stolen'));
    const path = join(home, 'vae_encoder/model.onnx');
    const bytes = await readFile(path);
    // The same length as "model.onnx_data", so that the protobuf stays whole.
    const away = Buffer.from('../.././/stolen'.slice(-15).padStart(15, '/'));
    for (let at = bytes.indexOf('model.onnx_data'); at >= 0; at = bytes.indexOf('model.onnx_data', at))
      away.copy(bytes, at);
    await writeFile(path, bytes);
    const error = await failure(Vae.load(home));
    expect(['ERR_VAE_FORMAT', 'ERR_VAE_GRAPH', 'ERR_VAE_IO']).toContain(error.code);
    await rm(join(home, 'vae_decoder/model.onnx_data'));
    expect(await failure(Vae.load(home))).toBeInstanceOf(VaeError);
  });
});

describe('what cannot be run', () => {
  test('sides that the model cannot halve, other channels, other ranks, infinities', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion'));
    const zeros = (...shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape });
    expect(await failure(vae.encode(zeros(1, 3, 30, 32)))).toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('multiples of 4'),
    });
    expect(await failure(vae.encode(zeros(1, 1, 32, 32)))).toMatchObject({ code: 'ERR_VAE_SHAPE' });
    expect(await failure(vae.encode(zeros(1, 3 * 32 * 32)))).toMatchObject({ code: 'ERR_VAE_SHAPE' });
    expect(await failure(vae.sample(1))).toMatchObject({ code: 'ERR_VAE_OPTION' });
    const bad = zeros(1, 3, 64, 64);
    bad.data[9000] = Number.NaN;
    expect(await failure(vae.encode(bad, { tiling: { size: 32 } }))).toMatchObject({ code: 'ERR_VAE_DATA' });
    expect(await failure(vae.encode(zeros(1, 3, 64, 64), { tiling: { size: 30 } }))).toMatchObject({
      code: 'ERR_VAE_OPTION',
    });
  });

  test('a result that no memory would hold', async () => {
    await using vae = await Vae.create({
      input: { kind: 'vector', length: 4096 },
      latentDim: 1,
      architecture: { type: 'mlp', hidden: [2] },
    });
    const latents = { data: new Float32Array(2_200_000), shape: [2_200_000, 1] };
    const error = await failure(vae.decode(latents));
    expect(error).toMatchObject({ code: 'ERR_VAE_DATA', message: expect.stringContaining('GiB') });
    expect((await vae.decode({ data: new Float32Array(2), shape: [2, 1] })).dims).toEqual([2, 4096]);
  });

  test('a provider that is not there, with what to install', async () => {
    const error = await failure(Vae.load(join(GOLDEN, 'diffusion-old'), { provider: 'tensorrt' }));
    expect(error).toMatchObject({
      code: 'ERR_VAE_BINDING',
      message: expect.stringMatching(/npm rebuild|NODE_VAE_ONNXRUNTIME_LIBRARY/),
    });
    expect(await failure(Vae.load(join(GOLDEN, 'diffusion-old'), { provider: 'cudda' as never }))).toMatchObject({
      code: 'ERR_VAE_OPTION',
      message: expect.stringContaining('"cuda"'),
    });
  });

  test('auto falls back and says to what', async () => {
    await using vae = await Vae.load(join(GOLDEN, 'diffusion-old'), { provider: 'auto' });
    expect(['cpu', 'cuda', 'coreml', 'dml']).toContain(vae.provider);
    await expectGolden(vae, await read('diffusion-old'), 1e-3);
  });
});
