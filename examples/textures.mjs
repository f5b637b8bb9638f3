// A convolutional model without a dense bottleneck learns a texture from 64×64 crops, and then encodes and decodes
// whole pictures of any size, its own texture and another's.
//
//   node examples/textures.mjs --pictures FOLDER [--other PICTURE] [--out textures-output] [--epochs 4] [--crops 150]
//
// Real textures: brick.png, grass.png and gravel.png in the data of scikit-image (Debian: python3-skimage).
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readImages } from 'node-vae';
import { trainAndReport } from './lib/data-example.mjs';

const { values: options } = parseArgs({
  options: {
    pictures: { type: 'string' },
    other: { type: 'string' },
    out: { type: 'string', default: 'textures-output' },
    epochs: { type: 'string', default: '4' },
    crops: { type: 'string', default: '150' },
    size: { type: 'string', default: '64' },
  },
});
if (!options.pictures) throw new Error('Say where the pictures are with --pictures FOLDER.');

const data = await readImages(options.pictures, { size: Number(options.size), crops: Number(options.crops), seed: 1 });
await trainAndReport({
  title: 'Textures',
  data,
  out: options.out,
  epochs: Number(options.epochs),
  batchSize: 32,
  extra: async (vae) => {
    const found = [];
    for (const [name, picture] of [
      ['Its own texture', data.names[0]],
      ['Another picture', options.other],
    ]) {
      if (!picture) continue;
      const to = join(options.out, `${name.replaceAll(' ', '-').toLowerCase()}.png`);
      const { width, height, psnr } = await vae.reconstructFile(picture, to);
      found.push([name, `${width}×${height}, PSNR ${psnr.toFixed(1)} dB, in ${to}`]);
    }
    return found;
  },
});
