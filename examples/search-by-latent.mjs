// Finds the pictures most like a given one, by the latents that encode-folder.mjs wrote.
//   node examples/search-by-latent.mjs --model my-model --latents latents.npy --picture query.png [--count 5]
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { LatentIndex, readNpy, Vae } from 'node-vae';
import { readPicture } from './lib/pictures.mjs';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    latents: { type: 'string', default: 'latents.npy' },
    picture: { type: 'string' },
    count: { type: 'string', default: '5' },
  },
});
if (flags.model === undefined || flags.picture === undefined) throw new Error('--model and --picture are needed');

const index = new LatentIndex();
index.add(await readNpy(flags.latents), JSON.parse(await readFile(`${flags.latents}.names.json`, 'utf8')));
const vae = await Vae.load(flags.model);
const { mean } = await vae.encode(await readPicture(flags.picture, vae.dataShape));
const [found] = await index.search(mean, { count: Number(flags.count) });
for (const { id, distance } of found) console.log(`${distance.toFixed(3)}  ${id}`);
await vae.close();
