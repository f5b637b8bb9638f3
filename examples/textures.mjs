// A convolutional model without a dense bottleneck learns textures from 64×64 crops, and then encodes and decodes
// whole pictures of any size: its own textures and something it never saw. The report says what it does well and where
// it fails.
//
//   node examples/textures.mjs [--pictures FOLDER] [--other PICTURE] [--out textures-output] [--epochs 40]
//
// Without a folder it takes the photographs of brick, grass and gravel that come with scikit-image (Debian:
// python3-skimage) where they are, and otherwise draws textures itself.
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readImages } from 'node-vae';
import { pictureDetails, pictureSpectra, residuals } from 'node-vae/report';
import sharp from 'sharp';
import { trainAndReport } from './lib/data-example.mjs';
import { drawTextures } from './lib/textures.mjs';

const { values: options } = parseArgs({
  options: {
    pictures: { type: 'string' },
    other: { type: 'string' },
    out: { type: 'string', default: 'textures-output' },
    epochs: { type: 'string', default: '40' },
    crops: { type: 'string', default: '150' },
    size: { type: 'string', default: '64' },
  },
});
const { out } = options;
const size = Number(options.size);

/** Where the textures are, and a picture of something else. */
async function findTextures() {
  if (options.pictures) return { pictures: options.pictures, other: options.other };
  const folder = join(out, 'textures');
  await mkdir(folder, { recursive: true });
  const installed = '/usr/lib/python3/dist-packages/skimage/data';
  try {
    for (const name of ['brick.png', 'grass.png', 'gravel.png']) {
      await copyFile(join(installed, name), join(folder, name));
    }
    return { pictures: folder, other: options.other ?? join(installed, 'camera.png') };
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    console.log('No photographs of textures here (Debian: python3-skimage): drawing some.');
    const drawn = await drawTextures(folder);
    return { ...drawn, other: options.other ?? drawn.other };
  }
}

const { pictures, other } = await findTextures();
const data = await readImages(pictures, { size, crops: Number(options.crops), seed: 1 });
const { colour } = data.recipe;
/** @type {import('node-vae/report').WholePicture[]} */
const whole = [];

/** A picture file as [channels, height, width]. */
async function readPlanes(path) {
  const picture = sharp(path).flatten({ background: '#ffffff' });
  const { data: pixels, info } = await (colour === 'grey' ? picture.greyscale() : picture.toColourspace('srgb'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const plane = info.width * info.height;
  const planes = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 1) {
    planes[(at % info.channels) * plane + Math.floor(at / info.channels)] = pixels[at];
  }
  return { data: planes, shape: [info.channels, info.height, info.width] };
}

const decibels = (error) => `${(-10 * Math.log10(error)).toFixed(1)} dB`;

/** Mean squared error of crops, of values from 0 to 1. */
async function errorOfCrops(vae) {
  const rows = await data.shuffle(1).take(Math.min(200, data.length)).toMemory();
  const rebuilt = await vae.reconstruct(rows);
  return rows.memory.reduce((sum, value, at) => sum + (value / 255 - rebuilt.data[at]) ** 2, 0) / rows.memory.length;
}

/** Squares of the pictures that the model was trained on, those that come back worst first. */
function worstPatches(count) {
  const patches = [];
  for (const { original, rebuilt } of whole.filter(({ seen }) => seen)) {
    const [channels, height, width] = original.shape;
    for (let top = 0; top + size <= height; top += size) {
      for (let left = 0; left + size <= width; left += size) {
        const cut = (planes) =>
          Uint8Array.from({ length: channels * size * size }, (_, at) => {
            const y = top + (Math.floor(at / size) % size);
            return planes[(Math.floor(at / size / size) * height + y) * width + left + (at % size)];
          });
        const [before, after] = [cut(original.data), cut(rebuilt.data)];
        const error = before.reduce((sum, value, at) => sum + ((value - after[at]) / 255) ** 2, 0) / before.length;
        patches.push({ before, after, error });
      }
    }
  }
  patches.sort((a, b) => b.error - a.error);
  const worst = patches.slice(0, count);
  const shape = [worst.length, data.rowShape[0], size, size];
  const joined = (name) => ({ data: Uint8Array.from(worst.flatMap((patch) => [...patch[name]])), shape });
  return { before: joined('before'), after: joined('after'), worst: worst[0].error, best: patches.at(-1).error };
}

await trainAndReport({
  title: 'Textures',
  data,
  out,
  epochs: Number(options.epochs),
  batchSize: 32,
  extra: async (vae) => {
    const crops = await errorOfCrops(vae);
    const found = [];
    const errors = [];
    const subjects = [...new Set(data.names)].slice(0, 5).map((path) => ({ path, seen: true }));
    if (other) subjects.push({ path: other, seen: false });
    for (const { path, seen } of subjects) {
      const name = basename(path).replace(/\.\w+$/, '');
      const to = join(out, `${name}-rebuilt.png`);
      const { width, height, psnr } = await vae.reconstructFile(path, to);
      if (seen) errors.push(10 ** (-psnr / 10));
      whole.push({
        name: `${name}${seen ? '' : ' (never seen)'}, ${psnr.toFixed(1)} dB`,
        seen,
        original: await readPlanes(path),
        rebuilt: await readPlanes(to),
      });
      found.push([
        seen ? `Whole ${name}` : `Another picture, ${name}`,
        `${width}×${height}, PSNR ${psnr.toFixed(1)} dB, in ${to}`,
      ]);
    }
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    return [['PSNR of crops', decibels(crops)], ['PSNR of whole pictures', decibels(mean)], ...found];
  },
  figures: async () => {
    const { before, after, worst, best } = worstPatches(12);
    return [
      pictureDetails(whole),
      pictureSpectra(whole),
      {
        ...residuals(before, after),
        id: 'worst-patches',
        title: 'Where it fails',
        caption:
          `The ${size}×${size} squares of the whole pictures that come back worst, from ${decibels(worst)}, with reconstructions and ` +
          `absolute differences; the best square of all has ${decibels(best)}. Fine, hard-edged or irregular detail is lost first.`,
      },
    ];
  },
});
