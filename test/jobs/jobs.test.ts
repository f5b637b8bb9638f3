import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { ROOT } from '../binding/compiled.js';
import { randomSpec } from '../codecs/random-spec.js';
import { temporaryFolder } from '../support/temporary.js';
import { type Models, round } from './rounds.js';

// `npm run check:jobs -- MINUTES` goes on where this stops: rounds are numbered, and each number is a seed.
const SECONDS = Number(process.env.NODE_VAE_JOBS_SECONDS ?? 40);
const FIRST = Number(process.env.NODE_VAE_JOBS_SEED ?? 1);
const MOST = Number(process.env.NODE_VAE_JOBS_ROUNDS ?? 500);

const folder = temporaryFolder('jobs');
let models: Models;
beforeAll(async () => {
  const png = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
  await png.save(join(folder, 'pictures'));
  const wav = await Codec.load(join(ROOT, 'models', 'sound-codec'));
  models = { png, wav, paths: { png: join(folder, 'pictures'), wav: 'sound-codec' } };
});
afterAll(async () => {
  await Promise.all([models.png.close(), models.wav.close()]);
});

it('whatever happens to jobs, what went in comes out or is named', { timeout: (SECONDS + 120) * 1000 }, async () => {
  const until = Date.now() + SECONDS * 1000;
  const kinds: Record<string, number> = {};
  let rounds = 0;
  for (let seed = FIRST; rounds < MOST && Date.now() < until; seed += 1) {
    const kind = await round(seed, folder, models, process.platform === 'linux');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    rounds += 1;
  }
  if (process.env.NODE_VAE_JOBS_SECONDS !== undefined) console.log(JSON.stringify({ rounds, kinds }));
  expect(rounds).toBeGreaterThan(0);
});
