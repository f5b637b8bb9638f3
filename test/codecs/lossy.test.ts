import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressPictures, decompress, LossyCodec, openArchive, openPictures } from '../../src/codecs/index.js';
import { decodeLossyModel } from '../../src/codecs/pictures/model-file.js';
import { tilesOf } from '../../src/codecs/pictures/tiles.js';
import { trainLossy } from '../../src/codecs/pictures/train.js';
import { Transforms } from '../../src/codecs/pictures/transforms.js';
import { VaeError } from '../../src/core/errors.js';
import { readMetrics } from '../../src/training/log/read-metrics.js';
import { temporaryFolder } from '../support/temporary.js';
import { drawing } from './drawing.js';
import { randomNumbers } from './random-spec.js';

const config = {
  widths: [8, 12, 16] as [number, number, number],
  latents: 12,
  hyperWidth: 8,
  hyperLatents: 6,
  lambdas: [0.002, 0.02],
};

let codec: LossyCodec;
const folder = temporaryFolder('lossy');
const picture = drawing(7, 200, 170);

beforeAll(async () => {
  const pictures = [1, 2, 3, 4].map((seed) => drawing(seed, 160, 128));
  ({ codec } = await trainLossy(pictures, {
    config,
    steps: 300,
    batchSize: 4,
    cropSize: 64,
    learningRate: 3e-3,
    seed: 1,
  }));
});
afterAll(async () => {
  await codec?.close();
});

function squaredError(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, index) => sum + (value - b[index]!) ** 2, 0) / a.length;
}

describe('a trained lossy codec', () => {
  it('spends more bytes on higher qualities, and loses less', async () => {
    const results = [];
    for (const quality of [0, 50, 100]) {
      const bytes = await codec.encode(picture, { quality });
      const decoded = await codec.decode(bytes);
      expect(decoded).toMatchObject({ width: 200, height: 170, channels: 3 });
      results.push({ bytes: bytes.length, error: squaredError(picture.data, decoded.data) });
    }
    expect(results[0]!.bytes).toBeLessThan(results[1]!.bytes);
    expect(results[1]!.bytes).toBeLessThan(results[2]!.bytes);
    expect(results[2]!.error).toBeLessThan(results[0]!.error);
    // It has learned something: far fewer bytes than pixels, far less error than grey.
    expect(results[2]!.bytes).toBeLessThan(picture.data.length / 10);
    expect(results[2]!.error).toBeLessThan(
      squaredError(picture.data, new Uint8Array(picture.data.length).fill(128)) / 3,
    );
  });

  it.each([
    [1, 1, 1],
    [1, 1, 3],
    [17, 5, 1],
    [63, 65, 3],
    [16, 300, 3],
  ] as const)('takes a picture of %i × %i × %i', async (width, height, channels) => {
    const { data } = drawing(3, width, height, channels);
    const decoded = await codec.decode(await codec.encode({ width, height, channels, data }, { quality: 30 }));
    expect(decoded).toMatchObject({ width, height, channels });
    expect(decoded.data).toHaveLength(width * height * channels);
  });

  it('makes of tiles what the whole would have become', async () => {
    expect(tilesOf(33, 66)).toHaveLength(6);
    // Two tiles across; the part left of the border must be the same as in a picture without it.
    const wide = drawing(5, 1100, 48);
    const narrow = cut(wide, 900);
    const [ofWide, ofNarrow] = await Promise.all(
      [wide, narrow].map(async (each) => codec.decode(await codec.encode(each, { quality: 100 }))),
    );
    const border = 512; // hyper-latents see some 300 pixels far, and these differ at the end
    let most = 0;
    for (let y = 0; y < 48; y += 1) {
      for (let x = 0; x < 3 * border; x += 1) {
        most = Math.max(most, Math.abs(ofWide!.data[y * 3300 + x]! - ofNarrow!.data[y * 2700 + x]!));
      }
    }
    expect(most).toBeLessThanOrEqual(1);
    // And across the tiles' border the picture goes on as well as elsewhere.
    const errorOf = (from: number, to: number): number => {
      let sum = 0;
      for (let y = 0; y < 48; y += 1) {
        for (let at = y * 3300 + 3 * from; at < y * 3300 + 3 * to; at += 1)
          sum += (wide.data[at]! - ofWide!.data[at]!) ** 2;
      }
      return sum / (48 * 3 * (to - from));
    };
    expect(errorOf(1008, 1040)).toBeLessThan(4 * errorOf(100, 1000) + 20);
  });

  it('makes of large pictures more tiles, which take less memory', () => {
    expect(tilesOf(175, 175)).toHaveLength(36); // 2800 × 2800 pixels
    expect(tilesOf(180, 180)).toHaveLength(144); // 2880 × 2880
  });

  it('makes of bands of latents the hyper-latents that the whole would have become', async () => {
    const { config: own, weights } = decodeLossyModel(codec.file, 'the model');
    const transforms = await Transforms.open(own, weights, 1);
    const [rows, columns] = [80, 6];
    const random = randomNumbers(3);
    const data = Float32Array.from({ length: own.latents * rows * columns }, () => 18 * random() - 9);
    const part = (from: number, count: number) => {
      const some = new Float32Array(own.latents * count * columns);
      for (let channel = 0; channel < own.latents; channel += 1) {
        const start = (channel * rows + from) * columns;
        some.set(data.subarray(start, start + count * columns), channel * count * columns);
      }
      return transforms.hyperAnalyse({ data: some, height: count, width: columns });
    };
    const whole = await transforms.hyperAnalyse({ data, height: rows, width: columns });
    const side = 2; // of hyper-latents across
    const seen = new Set<number>();
    // Parts are not cut in bands; what lies two hyper-latents from where they were cut does not know of that.
    for (const from of [0, 8, 24, 40, 56, 48]) {
      const count = Math.min(32, rows - from);
      const some = await part(from, count);
      const [first, last] = [from === 0 ? 0 : 2, from + count === rows ? count / 4 : count / 4 - 2];
      for (let channel = 0; channel < own.hyperLatents; channel += 1) {
        for (let row = first; row < last; row += 1) {
          seen.add(from / 4 + row);
          for (let column = 0; column < side; column += 1) {
            const expected = some[(channel * (count / 4) + row) * side + column]!;
            const got = whole[(channel * (rows / 4) + from / 4 + row) * side + column]!;
            expect(Math.abs(got - expected)).toBeLessThan(1e-4 * (1 + Math.abs(expected)));
          }
        }
      }
    }
    expect(seen.size).toBe(rows / 4);
    await transforms.close();
  });

  it('is the same after saving and loading', async () => {
    await codec.save(folder);
    await using again = await LossyCodec.load(folder);
    expect(again.identity).toBe(codec.identity);
    const bytes = await codec.encode(picture, { quality: 70 });
    expect(Buffer.compare(await again.encode(picture, { quality: 70 }), bytes)).toBe(0);
    expect(Buffer.compare((await again.decode(bytes)).data, (await codec.decode(bytes)).data)).toBe(0);
  });

  it('decodes the same latents with any number of threads', async () => {
    const bytes = await codec.encode(picture, { quality: 90 });
    await using single = await LossyCodec.fromBytes(codec.file, 'it', { threads: 1 });
    const [a, b] = await Promise.all([codec, single].map((each) => each.decodeLatents(bytes)));
    expect(Buffer.compare(Buffer.from(a!.latents.data.buffer), Buffer.from(b!.latents.data.buffer))).toBe(0);
  });

  it('refuses damaged bytes, never giving another picture', async () => {
    const bytes = await codec.encode(picture, { quality: 60 });
    for (let cut = 0; cut < bytes.length; cut += 7) {
      await expect(codec.decode(bytes.subarray(0, cut))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    }
    await expect(codec.encode(picture, { quality: 101 })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    const short = { ...picture, data: picture.data.subarray(1) };
    await expect(codec.encode(short, { quality: 1 })).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
  });

  it('refuses a model file that was changed', async () => {
    const file = Uint8Array.from(codec.file);
    file[file.length - 5]! ^= 1;
    await expect(LossyCodec.fromBytes(file)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
  });
});

describe('an archive of pictures', () => {
  it('gives pictures of any size back under their names, with figures', async () => {
    const names = ['b.png', 'sub/a.png', 'grey.png'];
    const sizes = [
      [200, 180, 3],
      [90, 40, 3],
      [190, 180, 1],
    ] as const;
    for (const [index, [width, height, channels]] of sizes.entries()) {
      const { data } = drawing(index + 20, width, height, channels);
      const { mkdir } = await import('node:fs/promises');
      await mkdir(join(folder, 'in', 'sub'), { recursive: true });
      const image = sharp(data, { raw: { width, height, channels } });
      await (channels === 1 ? image.toColourspace('b-w') : image).png().toFile(join(folder, 'in', names[index]!));
    }
    const output = join(folder, 'x.vaez');
    const result = await compressPictures(join(folder, 'in'), { model: codec, quality: 80, output });
    const byName = new Map(result.pictures.map((report) => [report.name, report]));
    expect([...byName.keys()].sort()).toEqual([...names].sort());
    expect(byName.get('b.png')!.msSsim).toBeGreaterThan(0.5);
    expect(byName.get('sub/a.png')!.msSsim).toBeUndefined();
    expect(result.psnr).toBeGreaterThan(18);
    expect(result.bitsPerPixel).toBeCloseTo((8 * result.bytesOut) / result.pixels, 9);

    await using archive = await openPictures(output, { model: codec });
    expect(archive.length).toBe(3);
    const grey = await archive.read(1);
    expect(grey).toMatchObject({ name: 'grey.png', width: 190, height: 180, channels: 1 });
    const unpacked = await decompress(output, { model: codec, output: join(folder, 'out') });
    expect(unpacked).toMatchObject({ items: 3, damaged: [], complete: true });
    for (const [index, name] of names.entries()) {
      const [width, height, channels] = sizes[index]!;
      const { data, info } = await sharp(join(folder, 'out', name))
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(info).toMatchObject({ width, height, channels });
      // The figure reported is that of the file that comes out.
      const psnr = 10 * Math.log10(255 ** 2 / squaredError(drawing(index + 20, width, height, channels).data, data));
      expect(psnr).toBeCloseTo(byName.get(name)!.psnr!, 1);
    }
    await expect(openArchive(output)).rejects.toThrowError(/openPictures/);
  });

  it('needs nothing else when the model is embedded, and names damaged chunks', async () => {
    const pictures = Array.from({ length: 20 }, (_, index) => drawing(index, 64, 48));
    const { archive: bytes } = await compressPictures(pictures, {
      model: codec,
      quality: 20,
      embedModel: true,
      metrics: false,
    });
    await using archive = await openPictures(bytes!);
    expect(archive.length).toBe(20);
    expect(archive.chunkCount).toBe(2);
    expect((await archive.read(19)).name).toBe('000019.png');
    await expect(archive.read(20)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });

    const broken = Uint8Array.from(bytes!);
    const { firstItem } = archive.chunk(1);
    broken[broken.length - 400]! ^= 16; // within the second chunk, before the header's copy, index and footer
    await using open = await openPictures(broken);
    const damaged = await open.verify();
    expect(damaged.map(({ chunk }) => chunk)).toEqual([1]);
    expect(firstItem).toBe(16);
    await open.read(3);
    await expect(decompress(broken, { output: join(folder, 'no') })).rejects.toThrowError(/damaged/);
    const rescued = await decompress(broken, { output: join(folder, 'rescued'), salvage: true });
    expect(rescued.damaged).toHaveLength(1);
    expect(await readdir(join(folder, 'rescued'))).toHaveLength(16);
  });

  it('never gives another picture: hundreds of altered archives', async () => {
    const pictures = [drawing(1, 40, 30), drawing(2, 33, 20, 1)];
    const options = { model: codec, quality: 60, embedModel: false, metrics: false };
    const { archive: bytes } = await compressPictures(pictures, options);
    await using original = await openPictures(bytes!, { model: codec });
    const wanted = await original.read(0);
    const random = randomNumbers(8);
    for (let round = 0; round < 300; round += 1) {
      const broken = Uint8Array.from(bytes!);
      broken[Math.floor(random() * broken.length)]! ^= 1 << Math.floor(random() * 8);
      try {
        await using open = await openPictures(broken, { model: codec });
        const damaged = await open.verify();
        // What is not reported is what it was: the index may be lost, and chunks found without it.
        if (damaged.length === 0 && open.length > 0) expect((await open.read(0)).data).toEqual(wanted.data);
      } catch (error) {
        expect(error).toBeInstanceOf(VaeError);
      }
    }
  });

  it('refuses what it cannot keep: transparency, 16 bits, no pictures', async () => {
    const at = (name: string) => join(folder, name);
    const raw = { raw: { width: 8, height: 8, channels: 4 as const } };
    await sharp(new Uint8Array(256).fill(100), raw).png().toFile(at('clear.png'));
    await sharp(new Uint16Array(64).fill(1000), { raw: { width: 8, height: 8, channels: 1, depth: 'ushort' } as never })
      .toColourspace('grey16')
      .png()
      .toFile(at('deep.png'));
    await writeFile(at('text.png'), 'not a picture');
    const code = (path: string) =>
      compressPictures(at(path), { model: codec, quality: 5 }).then(
        () => 'none',
        (error) => error.code,
      );
    expect(await code('clear.png')).toBe('ERR_VAE_DATA');
    expect(await code('deep.png')).toBe('ERR_VAE_DATA');
    expect(await code('text.png')).toBe('ERR_VAE_FORMAT');
    expect(await code('missing.png')).toBe('ERR_VAE_IO');
    expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([]);
  });
});

it('begins as a wavelet code: a picture comes through before anything is learned', async () => {
  const options = { config: { ...config, latents: 48 }, steps: 1, learningRate: 1e-6, batchSize: 1, cropSize: 64 };
  const { codec: made } = await trainLossy([drawing(1, 64, 64)], options);
  await using fresh = made;
  const smooth = { ...picture, data: picture.data.map((_, at) => 128 + 60 * Math.sin(at / 3 / 200 / 9)) };
  const decoded = await fresh.decode(await fresh.encode(smooth, { quality: 100 }));
  const grey = squaredError(smooth.data, new Uint8Array(smooth.data.length).fill(128));
  expect(squaredError(smooth.data, decoded.data)).toBeLessThan(grey / 20);
});

describe('a codec with a factorised prior', () => {
  it('is trained and decodes likewise', async () => {
    const { codec: plain } = await trainLossy([drawing(1, 128, 128)], {
      config: { ...config, prior: 'factorised' },
      ...{ steps: 60, batchSize: 2, cropSize: 64, learningRate: 3e-3, seed: 2, relaxation: 'noise' },
    });
    await using factorised = plain;
    const small = await factorised.encode(picture, { quality: 0 });
    const large = await factorised.encode(picture, { quality: 100 });
    expect(small.length).toBeLessThan(large.length);
    expect((await factorised.decode(large)).data).toHaveLength(picture.data.length);
  });
});

it('trains to the same numbers from the same seed, with each way of rounding', async () => {
  const run = async (relaxation: 'noise' | 'straight-through' | 'mixed', seed: number) => {
    const options = { config, relaxation, seed, steps: 4, batchSize: 2, cropSize: 64, threads: 1 };
    const { codec: made } = await trainLossy([drawing(1, 96, 96)], options);
    await made.close();
    return made.identity;
  };
  expect(await run('mixed', 5)).toBe(await run('mixed', 5));
  const all = await Promise.all([run('mixed', 5), run('noise', 5), run('straight-through', 5), run('mixed', 6)]);
  expect(new Set(all).size).toBe(4);
});

function cut(from: typeof picture, width: number): typeof picture {
  const data = new Uint8Array(width * from.height * 3);
  for (let y = 0; y < from.height; y += 1) {
    data.set(from.data.subarray(y * from.width * 3, (y * from.width + width) * 3), y * width * 3);
  }
  return { ...from, width, data };
}

it('is a file that safetensors can read', async () => {
  await codec.save(join(folder, 'again'));
  expect((await readFile(join(folder, 'again', 'lossy.safetensors'))).readBigUInt64LE(0)).toBeGreaterThan(100n);
});

describe('training that is interrupted', () => {
  const options = { config, seed: 9, steps: 60, batchSize: 2, cropSize: 64, threads: 1 };
  const pictures = [drawing(1, 96, 96), drawing(2, 80, 96)];

  it('goes on from its checkpoint, and ends where it would have ended', async () => {
    const { codec: straight } = await trainLossy(pictures, options);
    const controller = new AbortController();
    const checkpoint = { directory: join(folder, 'run'), everySteps: 10 };
    const log = { jsonLines: join(folder, 'run.jsonl') };
    const stopped = trainLossy(pictures, {
      ...{ ...options, checkpoint, log, signal: controller.signal },
      onProgress: ({ step }) => step >= 50 && controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    const { codec: resumed, steps } = await trainLossy(pictures, { ...options, checkpoint, resume: true });
    expect(steps).toBe(60);
    expect(resumed.identity).toBe(straight.identity);
    await Promise.all([straight.close(), resumed.close()]);
    const events = await readMetrics(log.jsonLines);
    expect(events.filter(({ kind }) => kind === 'step').length).toBeGreaterThan(0);
    expect(events.at(-1)).toMatchObject({ kind: 'end', outcome: 'aborted' });
  });

  it('ends when its time is up, with fewer steps', async () => {
    const reports: number[] = [];
    const { codec: made, steps } = await trainLossy(pictures, {
      ...{ ...options, steps: 100_000, maxSeconds: 1 },
      onProgress: ({ step, bitsPerPixel, squaredError }) => {
        reports.push(step);
        expect(bitsPerPixel).toBeGreaterThan(0);
        expect(squaredError).toBeGreaterThan(0);
      },
    });
    await made.close();
    expect(steps).toBeLessThan(100_000);
    expect(reports.at(-1)).toBe(steps);
  });
});
