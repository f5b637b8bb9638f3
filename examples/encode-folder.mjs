// Encodes every picture of a folder, however many there are: memory stays that of a few of them.
//   node examples/encode-folder.mjs --model my-model --folder pictures --out latents.npy
// Writes the means as .npy, [pictures, latents], and the names beside it, in the same order.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Vae, writeNpy } from 'node-vae';
import { readPicture } from './lib/pictures.mjs';

const { values: flags } = parseArgs({
  options: { model: { type: 'string' }, folder: { type: 'string' }, out: { type: 'string', default: 'latents.npy' } },
});
if (flags.model === undefined || flags.folder === undefined) throw new Error('--model and --folder are needed');

const PICTURE = /\.(png|jpe?g|webp|tiff?|gif|avif)$/i;
const names = (await readdir(flags.folder)).filter((name) => PICTURE.test(name)).sort();
const vae = await Vae.load(flags.model);

async function* pictures() {
  for (const name of names) yield await readPicture(join(flags.folder, name), vae.dataShape);
}

const width = vae.latentShape.reduce((product, dim) => product * dim, 1);
const latents = new Float32Array(names.length * width);
let done = 0;
for await (const { mean } of vae.stream('encode', { readAhead: 32 }).over(pictures())) {
  latents.set(mean.data, done * width);
  done += 1;
  if (done % 100 === 0) console.log(`${done} of ${names.length}`);
}
await writeNpy(flags.out, { data: latents, shape: [names.length, ...vae.latentShape] });
await writeFile(`${flags.out}.names.json`, `${JSON.stringify(names)}\n`);
console.log(`${done} pictures encoded to ${flags.out}`);
await vae.close();
