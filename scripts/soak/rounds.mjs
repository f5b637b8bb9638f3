// One life of a model after another in one process: load, train, encode, compress, save, close.
//   node scripts/soak/rounds.mjs ROUNDS
// Prints one JSON object: resident bytes and open files after rounds, and what keeps the process at the end.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compress, decompress, Vae } from 'node-vae';

const rounds = Number(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), 'node-vae-soak-'));
const pictures = { data: Uint8Array.from({ length: 64 * 784 }, (_, i) => (i * 7) % 256), shape: [64, 1, 28, 28] };
const samples = [];
const openFiles = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

const made = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 4, seed: 1 });
await made.fit(pictures, { epochs: 1, batchSize: 32 });
await made.save(join(folder, 'model'), { training: true });
await made.close();
const { archive } = await compress(
  { data: pictures.data.subarray(0, 8 * 784), shape: [8, 28, 28] },
  { model: 'mnist-codec' },
);

for (let round = 0; round < rounds; round += 1) {
  const vae = await Vae.load(join(folder, 'model'));
  await vae.fit(pictures, { epochs: 1, batchSize: 32 });
  const { mean } = await vae.encode(pictures);
  await vae.decode(mean);
  const stop = new AbortController();
  const stopped = vae.fit(pictures, { epochs: 1000, batchSize: 32, signal: stop.signal }).catch(() => {});
  setTimeout(() => stop.abort(), round % 7);
  await stopped;
  if (round % 5 === 0) await vae.save(join(folder, 'model'), { training: true });
  await vae.close();
  if (round % 5 === 0) {
    await compress({ data: pictures.data.subarray(0, 8 * 784), shape: [8, 28, 28] }, { model: 'mnist-codec' });
    await decompress(archive, { output: join(folder, 'out') });
    rmSync(join(folder, 'out'), { recursive: true });
  }
  globalThis.gc?.();
  samples.push({ resident: process.memoryUsage.rss(), openFiles: openFiles() });
}
rmSync(folder, { recursive: true });
await new Promise((resolve) => setImmediate(resolve));
const held = process.getActiveResourcesInfo().filter((kind) => !/^(TTYWrap|PipeWrap|FSReqPromise)$/.test(kind));
console.log(JSON.stringify({ samples, held }));
