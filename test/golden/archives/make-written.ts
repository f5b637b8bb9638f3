/**
 * Writes the archives that today's format gives of the shipped models' golden items, for test/codecs/shipped.test.ts:
 * npx tsx test/golden/archives/make-written.ts
 * To be run when the format changes on purpose, and then only: earlier archives stay beside them and stay readable.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compress } from '../../../src/codecs/index.js';
import { wavOfTones } from '../../codecs/tones.mjs';
import { digits } from '../../support/digits.js';

const out = fileURLToPath(new URL('written/', import.meta.url));
const shape = [12, 1, 28, 28];
for (const model of ['mnist-codec', 'fashion-codec']) {
  const { archive } = await compress({ data: digits(12, 't10k').data, shape }, { model, chunkItems: 10 });
  await writeFile(join(out, `${model}.vaez`), archive!);
}
const folder = await mkdtemp(join(tmpdir(), 'node-vae-golden-'));
await writeFile(join(folder, 'tones.wav'), wavOfTones(3000));
const { archive } = await compress(join(folder, 'tones.wav'), { model: 'sound-codec' });
await writeFile(join(out, 'sound-codec.vaez'), archive!);
await rm(folder, { recursive: true });
