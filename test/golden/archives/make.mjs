/**
 * Makes the archives of this folder, one of each kind that a release writes, and expected.json with the
 * SHA-256 of every file that comes out of them:
 *
 *     node test/golden/archives/make.mjs PACKAGE FOLDER
 *
 * PACKAGE is the built package of the release whose archives are to be kept. Never run it for archives
 * that are kept already: they stand for what that release wrote.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const [packagePath, target] = process.argv.slice(2).map((path) => resolve(path));
const vae = await import(join(packagePath, 'dist/index.js'));
const sharp = createRequire(join(packagePath, 'package.json'))('sharp');
const { compress, compressPictures, decompress, Vae } = vae;
const work = await mkdtemp(join(tmpdir(), 'node-vae-golden-'));
const at = (...parts) => join(work, ...parts);
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** 0 to 1, the same every time. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Blobs, one an item: data that a model codes, or general compressors do. */
function items(count, height, width, seed) {
  const next = random(seed);
  const data = new Uint8Array(count * height * width);
  for (let item = 0; item < count; item += 1) {
    const [cy, cx, r] = [next() * height, next() * width, 1 + next() * 4];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const d = Math.hypot(y - cy, x - cx) / r;
        data[(item * height + y) * width + x] = d < 1 ? Math.round(255 * (1 - d) + 6 * next()) & 255 : 0;
      }
    }
  }
  return data;
}

function idx(shape, data) {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.writeUInt8(8, 2);
  head.writeUInt8(shape.length, 3);
  for (const [axis, dim] of shape.entries()) head.writeUInt32BE(dim, 4 + 4 * axis);
  return Buffer.concat([head, data]);
}

function npy(shape, data, descr = '|u1') {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const padded = `${text.padEnd(128 - 10 - 1, ' ')}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY', 'latin1');
  head.writeUInt8(1, 6);
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded), data]);
}

function wav({ channels, bytesPerSample, frames, seed }) {
  const next = random(seed);
  const data = Buffer.alloc(frames * channels * bytesPerSample);
  const top = 2 ** (8 * bytesPerSample - 1) - 1;
  for (let i = 0; i < frames * channels; i += 1) {
    const value = Math.round(top * (0.4 * Math.sin(i * 0.02) + 0.01 * (next() - 0.5)));
    if (bytesPerSample === 1) data.writeUInt8(value + 128, i);
    else data.writeIntLE(value, i * bytesPerSample, bytesPerSample);
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(8000 * channels * bytesPerSample, 28);
  head.writeUInt16LE(channels * bytesPerSample, 32);
  head.writeUInt16LE(8 * bytesPerSample, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

async function png(path, channels, height, width, seed) {
  await mkdir(join(path, '..'), { recursive: true });
  const planes = items(channels, height, width, seed);
  const data = Buffer.alloc(planes.length);
  for (let i = 0; i < height * width; i += 1) {
    for (let c = 0; c < channels; c += 1) data[i * channels + c] = planes[c * height * width + i];
  }
  const image = sharp(data, { raw: { width, height, channels } });
  await (channels === 1 ? image.toColourspace('b-w') : image).png().toFile(path);
}

async function put(name, bytes) {
  await mkdir(join(at(name), '..'), { recursive: true });
  await writeFile(at(name), bytes);
  return at(name);
}

/** A small codec of its own: untrained, which makes it no worse an example. */
async function ownCodec(rowShape) {
  const likelihood = { type: 'local-mixture', features: 2, components: 2, above: 1, beside: 1, hidden: [8] };
  const model = await Vae.create({
    input: { kind: 'image', channels: rowShape[0], height: rowShape[1], width: rowShape[2] },
    latentDim: 3,
    architecture: { type: 'mlp', hidden: [8] },
    likelihood,
    seed: 5,
  });
  const size = rowShape.reduce((product, dim) => product * dim, 1);
  const rows = items(64, rowShape.at(-2), rowShape.at(-1) * rowShape[0], 9).subarray(0, 64 * size);
  await model.fit({ data: rows, shape: [64, ...rowShape] }, { epochs: 1, batchSize: 16, seed: 1 });
  const codec = await model.toCodec({ data: rows, shape: [64, ...rowShape] });
  await model.close();
  return codec;
}

const expected = {};

/** One archive: made, unpacked by the release itself, and what came out written down. */
async function keep(name, make, options = {}) {
  const path = join(target, `${name}.vaez`);
  await rm(path, { force: true });
  await make(path);
  const out = at('out', name);
  const result = await decompress(path, { output: out, ...options.unpack });
  const files = {};
  for (const entry of (await readdir(out, { recursive: true, withFileTypes: true })).filter((each) => each.isFile())) {
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    const key = file.slice(out.length + 1);
    if (options.lossy) {
      // Machines may differ in the last bit of a few values: sizes and means are kept.
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
      files[key] = {
        width: info.width,
        height: info.height,
        channels: info.channels,
        mean: data.reduce((sum, value) => sum + value, 0) / data.length,
      };
    } else if (file.endsWith('.png')) {
      // The pixels are what is kept; another release of the PNG encoder may pack them otherwise.
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
      files[key] = { width: info.width, height: info.height, channels: info.channels, pixels: sha(data) };
    } else files[key] = { bytes: bytes.length, sha256: sha(bytes) };
  }
  expected[name] = {
    ...(options.lossy && { lossy: true }),
    ...(options.unpack?.salvage && { salvage: true }),
    complete: result.complete,
    damaged: result.damaged.map(({ chunk }) => chunk),
    files: Object.fromEntries(Object.entries(files).sort()),
  };
  console.log(name, (await stat(path)).size, Object.keys(files).length);
}

await mkdir(target, { recursive: true });
const digits = items(40, 28, 28, 1);
const mnist = { model: 'mnist-codec' };

await keep('idx', async (output) =>
  compress(await put('digits-idx3-ubyte', idx([40, 28, 28], digits)), { ...mnist, output }),
);
await keep('npy', async (output) => compress(await put('digits.npy', npy([40, 28, 28], digits)), { ...mnist, output }));
await keep('npy-channel', async (output) =>
  compress(await put('one.npy', npy([40, 1, 28, 28], digits)), { ...mnist, output, chunkItems: 16 }),
);
await keep('npy-flags', async (output) =>
  compress(await put('less.npy', npy([8, 28, 28], digits.subarray(0, 8 * 784), '<u1')), { ...mnist, output }),
);
await keep('dataset', async (output) => compress({ data: digits, shape: [40, 28, 28] }, { ...mnist, output }));
await keep('appended', async (output) => {
  await compress(await put('grow.npy', npy([20, 28, 28], digits.subarray(0, 20 * 784))), { ...mnist, output });
  for (const part of [1, 2]) {
    const more = await put(
      'more.npy',
      npy([10, 28, 28], digits.subarray(784 * (10 + 10 * part), 784 * (20 + 10 * part))),
    );
    await compress(more, { ...mnist, output, append: true });
  }
});
const noise = Uint8Array.from(
  { length: 3 * 784 },
  (
    (next) => () =>
      Math.floor(256 * next())
  )(random(3)),
);
await keep('compact-idx', async (output) =>
  compress(await put('noise-idx3-ubyte', idx([3, 28, 28], noise)), { ...mnist, output }),
);
await keep('compact-npy', async (output) =>
  compress(await put('flat.npy', npy([9, 28, 28], new Uint8Array(9 * 784).fill(7))), { ...mnist, output }),
);
for (const [index, name] of ['a.png', 'deep/b.png', 'deep/er/ü c.png', 'last.png'].entries())
  await png(at('grey', name), 1, 28, 28, 40 + index);
await keep('images-grey', async (output) => compress(at('grey'), { ...mnist, output }));
await png(at('few', 'x.png'), 1, 28, 28, 77);
await writeFile(
  at('few', 'y.png'),
  await sharp(noise.subarray(0, 784), { raw: { width: 28, height: 28, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer(),
);
await keep('compact-images', async (output) => compress(at('few', 'y.png'), { ...mnist, output }));
{
  const codec = await ownCodec([3, 8, 8]);
  for (let index = 0; index < 40; index += 1)
    await png(at('colour', `${index % 4}/c${index}.png`), 3, 8, 8, 300 + index);
  await keep('images-colour-embedded', async (output) =>
    compress(at('colour'), { model: codec, output, embedModel: true, chunkItems: 16 }),
  );
  await codec.close();
}
{
  const codec = await ownCodec([1, 6, 5]);
  const small = items(150, 6, 5, 8);
  await keep('embedded', async (output) =>
    compress({ data: small, shape: [150, 6, 5] }, { model: codec, output, embedModel: true, chunkItems: 32 }),
  );
  // Interrupted: its end is missing, and in the second a chunk is damaged as well.
  await keep(
    'interrupted',
    async (output) => {
      const { archive } = await compress(
        { data: small, shape: [150, 6, 5] },
        { model: codec, embedModel: true, chunkItems: 32 },
      );
      await writeFile(output, archive.subarray(0, archive.length - 400));
    },
    { unpack: { salvage: true } },
  );
  await keep(
    'damaged',
    async (output) => {
      const { archive } = await compress(
        { data: small, shape: [150, 6, 5] },
        { model: codec, embedModel: true, chunkItems: 32 },
      );
      archive[archive.length - 500] ^= 4;
      await writeFile(output, archive);
    },
    { unpack: { salvage: true } },
  );
  await codec.close();
}
const sound = { model: 'sound-codec' };
await put('sounds/one.wav', wav({ channels: 1, bytesPerSample: 2, frames: 4000, seed: 1 }));
await put('sounds/deep/two.WAV', wav({ channels: 2, bytesPerSample: 2, frames: 2000, seed: 2 }));
await put('sounds/deep/eight.wav', wav({ channels: 1, bytesPerSample: 1, frames: 3000, seed: 3 }));
await put('sounds/24.wav', wav({ channels: 1, bytesPerSample: 3, frames: 2000, seed: 4 }));
await put('sounds/odd.wav', Buffer.from('not a sound, but somebody called it so'));
await keep('sounds', async (output) => compress(at('sounds'), { ...sound, output }));
await put('long.wav', wav({ channels: 1, bytesPerSample: 1, frames: 300_000, seed: 5 }).fill(128, 60_000));
await keep('sound-parts', async (output) => compress(at('long.wav'), { ...sound, output }));
await keep('sounds-appended', async (output) => {
  await compress(at('sounds', 'one.wav'), { ...sound, output });
  await compress(at('sounds', '24.wav'), { ...sound, output, append: true });
});
await put('tiny.wav', wav({ channels: 1, bytesPerSample: 2, frames: 12, seed: 6 }));
await keep('compact-sound', async (output) => compress(at('tiny.wav'), { ...sound, output }));
await png(at('photos', 'a.png'), 3, 40, 56, 12);
await png(at('photos', 'deep', 'grey.png'), 1, 33, 47, 13);
await keep('pictures', async (output) => compressPictures(at('photos'), { quality: 60, output }), { lossy: true });
await writeFile(join(target, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`);
await rm(work, { recursive: true });
