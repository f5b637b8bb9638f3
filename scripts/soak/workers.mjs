// Workers that load, train and encode without end, each terminated at a moment of its own.
//   node scripts/soak/workers.mjs COUNT
// Prints one JSON object: resident bytes and open files after each, and whether the main thread still works.
import { readdirSync, readlinkSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Vae } from 'node-vae';

const vector = { data: Float32Array.from({ length: 800 }, (_, i) => (i % 13) / 13), shape: [100, 8] };

/**
 * Open files but for the sources of modules: Node (20 to 26) leaves those open that a worker was importing when it
 * was terminated, whatever they hold; a worker of one module that reads one .json file in a loop shows it too.
 */
function openFiles() {
  if (process.platform !== 'linux') return 0;
  return readdirSync('/proc/self/fd').filter((file) => !/\.(m?js|json)$/.test(target(file))).length;
}

function target(file) {
  try {
    return readlinkSync(`/proc/self/fd/${file}`);
  } catch {
    return ''; // The folder's own descriptor, closed since.
  }
}

async function life(seed) {
  const vae = await Vae.create({ input: { kind: 'vector', length: 8 }, latentDim: 2, seed });
  await vae.fit(vector, { epochs: 2, batchSize: 10 });
  const { mean } = await vae.encode(vector);
  await vae.close();
  return mean.dims;
}

if (isMainThread) {
  const samples = [];
  let state = 1;
  for (let index = 0; index < Number(process.argv[2]); index += 1) {
    const worker = new Worker(new URL(import.meta.url));
    worker.on('error', (error) => {
      throw error;
    });
    state = (state * 48271) % 2147483647;
    // Half of them while they start or load, the others at work.
    if (state % 2 === 0) await new Promise((resolve) => worker.once('message', resolve));
    await new Promise((resolve) => setTimeout(resolve, state % 60));
    await worker.terminate();
    globalThis.gc?.();
    samples.push({ resident: process.memoryUsage.rss(), openFiles: openFiles() });
  }
  console.log(JSON.stringify({ samples, works: (await life(1)).join() === '100,2' }));
} else {
  for (let seed = 0; ; seed += 1) {
    await life(seed);
    parentPort.postMessage(seed);
  }
}
