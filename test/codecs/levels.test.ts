/** Codecs of several levels of latents, coded in the order of Bit-Swap. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSafeTensors, encodeSafeTensors } from '../../src/artifacts/safetensors.js';
import type { IntegerLayer } from '../../src/binding/coder.js';
import { compress, decompress, openArchive } from '../../src/codecs/index.js';
import { apply, relu } from '../../src/codecs/integers/float-network.js';
import { arrayHeader } from '../../src/codecs/lossless/array-file.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { decodeCodecModel } from '../../src/codecs/lossless/codec-model.js';
import type { GaussianNetwork, Networks } from '../../src/codecs/lossless/networks.js';
import { standardise } from '../../src/codecs/lossless/standardise.js';
import { Vae } from '../../src/vae/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { digitCodec, expectFewBits, SIZE } from './digit-codec.js';
import { randomItems, randomNumbers, randomSpec } from './random-spec.js';

const LEVELS = [8, 5, 3];
const folder = temporaryFolder('levels');

describe('a codec made from a chain', () => {
  let vae: Vae;
  let codec: Codec;
  const test = digits(1000, 't10k');

  beforeAll(async () => {
    const architecture = { type: 'chain', latents: LEVELS, hidden: [64, 32, 16], depth: 2 } as const;
    ({ vae, codec } = await digitCodec({ architecture }, 2));
  }, 60_000);

  afterAll(async () => {
    await codec?.close();
    await vae?.close();
  });

  it('costs hardly more bits than the VAE says, start-up included', async () => {
    await expectFewBits({ vae, codec }, test.data);
  });

  it('has every level in its file, and is the same after loading', async () => {
    const { spec } = decodeCodecModel(codec.file, 'it');
    expect([spec.latents, ...spec.levels.map(({ latents }) => latents)]).toEqual(LEVELS);
    // Two hidden layers and the head, in both directions.
    expect(spec.levels.map(({ encoder, prior }) => [encoder.length, prior.length])).toEqual([
      [3, 3],
      [3, 3],
    ]);
    await codec.save(folder);
    await using again = await Codec.load(folder);
    expect(again.identity).toBe(codec.identity);
    const items = test.data.subarray(0, 30 * SIZE);
    const bytes = await codec.encode(items);
    expect(Buffer.compare(await again.decode(bytes, 30), items)).toBe(0);
  });

  it('infers in integers what the exported encoder says', async () => {
    const { spec } = decodeCodecModel(codec.file, 'it');
    const count = 20;
    const items = test.data.subarray(0, count * SIZE);
    const { logVariance } = await vae.encode({ data: items, shape: [count, 1, 28, 28] });
    const total = LEVELS.reduce((sum, latents) => sum + latents, 0);
    const offsets: number[][] = [];
    for (let row = 0; row < count; row += 1) {
      let input: ArrayLike<number> = items.subarray(row * SIZE, (row + 1) * SIZE);
      let at = row * total;
      for (const [level, layers] of [spec.encoder, ...spec.levels.map(({ encoder }) => encoder)].entries()) {
        const latents = LEVELS[level]!;
        const posterior: Int32Array = layers.reduce<ArrayLike<number>>(
          (x, layer) => run(layer, x),
          input,
        ) as Int32Array;
        // Standardising adds a constant to each dimension of the lower levels; it is the same for every row.
        const said = Array.from(posterior.subarray(latents), (value) => (-value * 2 * Math.LN2) / 256);
        const float = Array.from({ length: latents }, (_, d) => Number(logVariance!.data[at + d]));
        offsets[level] ??= said.map((value, d) => value - float[d]!);
        const first = offsets[level]!;
        for (let d = 0; d < latents; d += 1) expect(said[d]! - float[d]!).toBeCloseTo(first[d]!, 1);
        if (level === LEVELS.length - 1) for (const offset of first) expect(offset).toBeCloseTo(0, 1);
        input = posterior.subarray(0, latents);
        at += latents;
      }
    }
  });
  it('refuses model files whose levels are not what they say', async () => {
    const { tensors, metadata } = decodeSafeTensors(codec.file, 'it');
    const header = JSON.parse(metadata['codec']!);
    expect(header.version).toBe(2);
    const withHeader = (change: (value: Record<string, unknown> & typeof header) => void, names = tensors) => {
      const value = structuredClone(header);
      change(value);
      const written = encodeSafeTensors({ tensors: names, metadata: { ...metadata, codec: JSON.stringify(value) } });
      return Codec.fromBytes(Buffer.concat(written));
    };
    await expect(withHeader((value) => delete value.levels)).rejects.toThrowError(/"levels"/);
    await expect(withHeader((value) => (value.version = 1))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(withHeader((value) => (value.version = 3))).rejects.toThrowError(/reads versions 1 and 2/);
    await expect(withHeader((value) => (value.levels = []))).rejects.toThrowError(/"levels"/);
    await expect(withHeader((value) => value.levels.push(value.levels[1]))).rejects.toThrowError(/level\.3.*missing/);
    // One level fewer is a model, but not this one.
    await expect(withHeader((value) => value.levels.pop())).rejects.toMatchObject({ code: 'ERR_VAE_REPRODUCIBILITY' });
    await expect(withHeader((value) => (value.levels[0].latents = 6))).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
    });
    await expect(withHeader((value) => (value.levels[0].latents = 1e9))).rejects.toThrowError(/"levels.0.latents"/);
    await expect(withHeader((value) => value.levels[0].clamps.prior.pop())).rejects.toThrowError(
      /level\.1's prior network does not give/,
    );
    await expect(withHeader((value) => (value.levels[1].extra = 1))).rejects.toThrowError(/"levels.1"/);
  });
});

it('a ladder is told what can be coded instead', async () => {
  await using ladder = await Vae.create({
    architecture: { type: 'ladder', latents: [4, 2], hidden: [8, 8], activation: 'relu' },
    input: { kind: 'image', height: 28, width: 28 },
    likelihood: 'local-mixture',
  });
  const { data, shape } = digits(8);
  await expect(ladder.toCodec({ data, shape })).rejects.toThrowError(/"ladder".*"chain" has several levels too/);
});

it('standardised latents say the same', () => {
  const random = randomNumbers(4);
  const layer = (inputs: number, outputs: number) => ({
    inputs,
    outputs,
    weights: Float64Array.from({ length: inputs * outputs }, () => random() * 2 - 1),
    bias: Float64Array.from({ length: outputs }, () => random() * 2 - 1),
  });
  const gaussian = (inputs: number, latents: number): GaussianNetwork => ({
    hidden: [layer(inputs, 7)],
    head: layer(7, 2 * latents),
  });
  const networks: Networks = {
    ...{ size: 6, neighbours: 1, latents: 4, encoder: gaussian(6, 4), decoder: [layer(4, 9)], features: layer(9, 12) },
    ...{ local: [], mixture: layer(2, 4) },
    upper: [
      { latents: 3, encoder: gaussian(4, 3), prior: gaussian(3, 4) },
      { latents: 2, encoder: gaussian(3, 2), prior: gaussian(2, 3) },
    ],
  };
  const items = Array.from({ length: 50 }, () => Float64Array.from({ length: 6 }, () => random()));
  const standard = standardise(networks, items);
  const through = ({ hidden, head }: GaussianNetwork, x: Float64Array) =>
    apply(
      head,
      hidden.reduce((value, each) => relu(apply(each, value)), x),
    );
  const means = (posterior: Float64Array) => posterior.subarray(0, posterior.length / 2);
  const follow = (model: Networks, x: Float64Array) => {
    const first = through(model.encoder, x);
    const features = apply(model.features, relu(apply(model.decoder[0]!, means(first))));
    const second = through(model.upper[0]!.encoder, means(first));
    const third = through(model.upper[1]!.encoder, means(second));
    const priors = [through(model.upper[0]!.prior, means(second)), through(model.upper[1]!.prior, means(third))];
    /** How far a posterior's mean is from the prior's, in the prior's deviations; and the ratio of both. */
    const ratios = [first, second].map((q, level) =>
      Array.from({ length: q.length / 2 }, (_, d) => {
        const half = q.length / 2;
        const [p, spread] = [priors[level]!, Math.exp(0.5 * priors[level]![half + d]!)];
        return [(q[d]! - p[d]!) / spread, q[half + d]! - p[half + d]!];
      }),
    );
    return { first, third, said: [...features, ...third, ...ratios.flat(2)] };
  };
  let [sum, squares] = [0, 0];
  for (const item of items) {
    const [before, after] = [follow(networks, item), follow(standard, item)];
    after.said.forEach((value, index) => {
      expect(value).toBeCloseTo(before.said[index]!, 9);
    });
    sum += after.first[0]!;
    squares += after.first[0]! ** 2 + Math.exp(after.first[4]!);
  }
  expect(sum / items.length).toBeCloseTo(0, 9);
  // A little narrower than the standard normal: see standardise.ts.
  expect(squares / items.length).toBeCloseTo(1 / 1.25 ** 2, 6);
});

describe('archives with a model of three levels', () => {
  const [HEIGHT, WIDTH, COUNT] = [6, 5, 150];
  const items = randomItems(1, COUNT, HEIGHT * WIDTH);
  const tensor = { data: items, shape: [COUNT, HEIGHT, WIDTH] };
  let codec: Codec;
  beforeAll(async () => {
    codec = await Codec.make([1, HEIGHT, WIDTH], randomSpec(1, HEIGHT, WIDTH, 1, [4, 2]));
  });
  afterAll(() => codec.close());

  it('are the same from one thread and from two, and give the items back in chunks of any size', async () => {
    for (const chunkItems of [7, 16, 150]) {
      const [one, two] = await Promise.all(
        [1, 2].map(async (threads) => (await compress(tensor, { model: codec, chunkItems, threads })).archive!),
      );
      expect(Buffer.compare(one!, two!)).toBe(0);
      await using archive = await openArchive(one!, { model: codec });
      expect(Buffer.compare((await archive.read(0, COUNT)).data, items)).toBe(0);
      expect(Buffer.compare((await archive.read(97, 20)).data, items.subarray(97 * 30, 117 * 30))).toBe(0);
    }
  });

  it('are read with the model they embed, and with no other', async () => {
    const bytes = Buffer.concat([arrayHeader('npy', [COUNT, HEIGHT, WIDTH]), items]);
    await writeFile(join(folder, 'things.npy'), bytes);
    const output = join(folder, 'things.vaez');
    await compress(join(folder, 'things.npy'), { model: codec, output, embedModel: true });
    await decompress(output, { output: join(folder, 'out') });
    expect((await readFile(join(folder, 'out', 'things.npy'))).equals(bytes)).toBe(true);
    await using flat = await Codec.make([1, HEIGHT, WIDTH], randomSpec(1, HEIGHT, WIDTH));
    await expect(openArchive(output, { model: flat })).rejects.toMatchObject({ code: 'ERR_VAE_REPRODUCIBILITY' });
  });
});

/** The formula of native/coder/dense.h, as docs/archive-format.md gives it. */
function run(layer: IntegerLayer, input: ArrayLike<number>): Int32Array {
  return Int32Array.from({ length: layer.outputs }, (_, o) => {
    const shift = layer.shift[o]!;
    let sum = layer.bias[o]! + (shift === 0 ? 0 : 2 ** (shift - 1));
    for (let i = 0; i < layer.inputs; i += 1) sum += layer.weights[o * layer.inputs + i]! * input[i]!;
    return Math.min(Math.max(sum >> shift, layer.low), layer.high);
  });
}
