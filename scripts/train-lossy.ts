/**
 * Trains the model for lossy compression: `npx tsx scripts/train-lossy.ts FOLDER… [--hold-out A,B] [--steps N] [--out DIR]`.
 * Takes every photograph in the folders, halved at least, so that what JPEG did to it is gone. Pictures
 * whose names contain a word of --hold-out are left out: bench/lossy.ts measures on such. --checkpoints DIR keeps
 * where training stands every few minutes, and the same command with --resume goes on from there. --minutes N ends
 * after that time.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { lossyConfigSchema } from '../src/codecs/pictures/config.js';
import type { Picture } from '../src/codecs/pictures/picture.js';
import { trainLossy } from '../src/codecs/pictures/train.js';
import { findFiles } from '../src/data/find-files.js';
import { PICTURES } from '../src/data/image/formats.js';
import { readPictureHeader } from '../src/data/image/pixels.js';
import { shrunk } from './photographs/shrunk.js';

const MINUTES_BETWEEN_CHECKPOINTS = 5;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'models/photo-lossy' },
    steps: { type: 'string', default: '4000' },
    batch: { type: 'string', default: '8' },
    crop: { type: 'string', default: '128' },
    rate: { type: 'string', default: '0.001' },
    minutes: { type: 'string' },
    threads: { type: 'string', default: '2' },
    'hold-out': { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    prior: { type: 'string', default: 'hyperprior' },
    config: { type: 'string', default: '{}' },
    checkpoints: { type: 'string' },
    resume: { type: 'boolean', default: false },
    description: { type: 'string', default: '' },
  },
});
if (positionals.length === 0) throw new Error('Usage: train-lossy.ts FOLDER…');
const words = (text: string) => text.split(',').filter((word) => word !== '');
const heldOut = words(values['hold-out']);
const only = words(values.only);

const pictures: Picture[] = [];
let photographs = 0;
for (const file of await findFiles(positionals, PICTURES)) {
  const { name } = file;
  if (heldOut.some((word) => name.includes(word)) || (only.length > 0 && !only.some((word) => name.includes(word))))
    continue;
  const sizes = await shrunk(file, await readPictureHeader(file));
  if (sizes.length > 0) photographs += 1;
  pictures.push(...sizes);
}
console.log(`${photographs} photographs, ${pictures.length} pictures`);

const config = lossyConfigSchema.parse({ ...JSON.parse(values.config), prior: values.prior });
const started = performance.now();
const { codec, steps: stepsDone } = await trainLossy(pictures, {
  steps: Number(values.steps),
  batchSize: Number(values.batch),
  cropSize: Number(values.crop),
  learningRate: Number(values.rate),
  ...(values.minutes && { maxSeconds: 60 * Number(values.minutes) }),
  threads: Number(values.threads),
  config,
  seed: 1,
  ...(values.checkpoints && {
    checkpoint: { directory: values.checkpoints, everyMinutes: MINUTES_BETWEEN_CHECKPOINTS },
    resume: values.resume,
  }),
  onProgress: ({ step, steps, loss, bitsPerPixel, squaredError }) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    const psnr = (10 * Math.log10(255 ** 2 / squaredError)).toFixed(2);
    console.log(
      `${seconds} s, step ${step}/${steps}: loss ${loss.toFixed(3)}, ${bitsPerPixel.toFixed(3)} bits/pixel, ${psnr} dB`,
    );
  },
});
const trainSeconds = Math.round((performance.now() - started) / 1000);
await mkdir(values.out, { recursive: true });
await codec.save(values.out);
const card = {
  name: basename(values.out),
  data: values.description || `${photographs} photographs`,
  commands: [
    `npx tsx scripts/train-lossy.ts PHOTOGRAPHS --steps ${values.steps} --batch ${values.batch} --rate ${values.rate} ` +
      `--config '${values.config}'`,
  ],
  heldOut,
  seed: 1,
  trainSeconds,
  steps: stepsDone,
  lambdas: config.lambdas,
  files: {
    'lossy.safetensors': {
      sha256: createHash('sha256').update(codec.file).digest('hex'),
      byteLength: codec.file.length,
    },
  },
};
await writeFile(join(values.out, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
console.log(JSON.stringify(card, null, 2));
await codec.close();
