/**
 * Trains the model for photographs without loss:
 * `npx tsx scripts/train-photographs.ts FOLDER… [--hold-out A,B] [--steps N] [--every N] [--out DIR]`.
 * Takes every photograph in the folders, halved at least, so that what JPEG did to it is gone. Pictures whose names
 * contain a word of --hold-out are left out: bench/photographs.ts measures on such. --checkpoints DIR keeps where training
 * stands every few minutes, and the same command with --resume goes on from there. Of pictures that lie in a folder in
 * several sizes (1280x800.jpg) the largest is taken.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { photoConfigSchema } from '../src/codecs/photographs/network/config.js';
import { trainPhotoCodec } from '../src/codecs/photographs/network/train.js';
import { trainingPictures } from './photographs/pictures.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'models/photo-lossless' },
    steps: { type: 'string', default: '20000' },
    batch: { type: 'string', default: '2048' },
    rate: { type: 'string', default: '0.003' },
    every: { type: 'string', default: '40' },
    threads: { type: 'string', default: '2' },
    'hold-out': { type: 'string', default: '' },
    config: { type: 'string', default: '{}' },
    checkpoints: { type: 'string' },
    resume: { type: 'boolean', default: false },
    description: { type: 'string', default: '' },
  },
});
if (positionals.length === 0) throw new Error('Usage: train-photographs.ts FOLDER…');
const heldOut = values['hold-out'].split(',').filter((word) => word !== '');

const { photographs, pictures } = await trainingPictures(positionals, heldOut);
console.log(`${photographs} photographs, ${pictures.length} pictures`);

const config = photoConfigSchema.parse(JSON.parse(values.config));
const started = performance.now();
const codec = await trainPhotoCodec(pictures, {
  config,
  steps: Number(values.steps),
  batchSize: Number(values.batch),
  learningRate: Number(values.rate),
  every: Number(values.every),
  threads: Number(values.threads),
  seed: 1,
  ...(values.checkpoints && { checkpoints: values.checkpoints, resume: values.resume }),
  onProgress: ({ role, effort, step, steps, bitsPerSample }) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.log(
      `${seconds} s, plane ${role}, effort ${effort}, step ${step}/${steps}: ${bitsPerSample.toFixed(4)} bits a sample`,
    );
  },
});
const trainSeconds = Math.round((performance.now() - started) / 1000);
await mkdir(values.out, { recursive: true });
await codec.save(values.out);
// What was measured of latents (photographs/latents/run.ts) does not depend on the weights.
const before = await readFile(join(values.out, 'card.json'), 'utf8').catch(() => '{}');
const { latents } = JSON.parse(before) as { latents?: unknown };
const card = {
  name: basename(values.out),
  data: values.description || `${photographs} photographs`,
  commands: [
    `npx tsx scripts/train-photographs.ts PHOTOGRAPHS --hold-out ${values['hold-out']} --steps ${values.steps} ` +
      `--batch ${values.batch} --rate ${values.rate} --every ${values.every} --config '${JSON.stringify(config)}'`,
  ],
  heldOut,
  seed: 1,
  trainSeconds,
  steps: Number(values.steps),
  ...(latents !== undefined && { latents }),
  files: {
    'photo.safetensors': {
      sha256: createHash('sha256').update(codec.file).digest('hex'),
      byteLength: codec.file.length,
    },
  },
};
await writeFile(join(values.out, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
console.log(JSON.stringify(card, null, 2));
await codec.close();
