/**
 * Whether latents make photographs without loss smaller: networks of their samples are trained with latents of each block
 * and without, on the same pixels of the same regions in the same order, and measured on pictures that they have not seen.
 * `npx tsx scripts/photographs/latents/run.ts FOLDER… --hold-out A,B --measure A [--steps N] [--every N] [--sides 8,16] [--card DIR]`
 * --card writes what was measured into the card of the model there.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readModelFile } from '../../../src/codecs/models/model-file.js';
import { decodePhotoModel } from '../../../src/codecs/photographs/network/model-file.js';
import { heldOutPictures, trainingPictures } from '../pictures.js';
import { measure } from './measure.js';
import { extraWork, type Variant } from './objective.js';
import { BLOCKS, collectRegions, type Regions } from './regions.js';
import { train } from './train.js';

/** Numbers of a block. */
const LATENTS = 4;
const HOW =
  'Bits of the networks alone. What the coder learns of a tile while it goes (calibration) is left out and tells some of the same. ' +
  'Bits-back is the bound alone: bits to begin with, which every tile would need, are not counted. Latents would ship ' +
  'where they save one percent.';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    'hold-out': { type: 'string', default: '' },
    measure: { type: 'string', default: '' },
    steps: { type: 'string', default: '4000' },
    every: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
    sides: { type: 'string', default: '8,16,32' },
    card: { type: 'string' },
  },
});
const words = (text: string) => text.split(',').filter((word) => word !== '');
const { bytes, path } = await readModelFile('models/photo-lossless', 'photo.safetensors');
const priors = decodePhotoModel(bytes, path).spec.roles.map(({ prior }) => prior);
const { pictures } = await trainingPictures(positionals, words(values['hold-out']));
const held = await heldOutPictures(positionals, words(values.measure));

const settings = { steps: Number(values.steps), threads: Number(values.threads), seed: 1 };
const results: Record<string, unknown> = {};
for (const regionSide of [16, 32] as const) {
  const sides = values.sides
    .split(',')
    .map(Number)
    .filter((side) => Math.max(side, 16) === regionSide) as (8 | 16 | 32)[];
  if (sides.length === 0) continue;
  const options = { side: regionSide, every: Number(values.every) };
  const regions = await collectRegions(pictures, priors, { ...options, seed: 1 });
  const unseen: Regions[] = [];
  for (const picture of held.values())
    unseen.push(await collectRegions([picture], priors, { ...options, every: 1, seed: 2 }));
  console.log(`${regions.count} regions of ${regionSide} × ${regionSide} of ${pictures.length} pictures`);
  const shape = { widths: regions.widths, extra: regions.extra, hidden: [64, 64] };
  const variants: Variant[] = [{ kind: 'none', blocks: BLOCKS[regionSide], latents: LATENTS }];
  for (const side of sides) {
    for (const kind of ['hyperprior', 'bits-back'] as const)
      variants.push({ kind, blocks: BLOCKS[side], latents: LATENTS });
  }
  for (const variant of variants) {
    const before = process.cpuUsage();
    const store = await train(variant, shape, regions, settings);
    const seconds = Math.round(process.cpuUsage(before).user / 1e6);
    const name = `${variant.kind} ${variant.blocks.side}`;
    const found = await measure(variant, shape, unseen, store);
    results[name] = { ...found, extraMultiplyAddsPerPixel: extraWork(variant, shape), trainSeconds: seconds };
    console.log(name, results[name]);
  }
}
const report = {
  shipped: 'none',
  how: HOW,
  command:
    `npx tsx scripts/photographs/latents/run.ts PHOTOGRAPHS --hold-out ${values['hold-out']} --measure ${values.measure} ` +
    `--steps ${values.steps} --every ${values.every} --sides ${values.sides} --card models/photo-lossless`,
  pictures: [...held.keys()].join(', '),
  latentsOfABlock: LATENTS,
  results,
};
console.log(JSON.stringify(report, null, 2));
if (values.card) {
  const path = join(values.card, 'card.json');
  const card = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, `${JSON.stringify({ ...card, latents: report }, null, 2)}\n`);
}
