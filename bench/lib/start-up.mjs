// One start of one contender in a process of its own, as a server starts: prints one line of JSON.
//   node start-up.mjs WHO WHAT    WHO: a module to import, or `onnxruntime-node`; WHAT: import, encode or workers
import { createRequire } from 'node:module';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const [who, what] = isMainThread ? process.argv.slice(2) : workerData;
const models = new URL('../../models/mnist-mlp/', import.meta.url);
const WORKERS = 16;

function enter() {
  // onnxruntime-node is CommonJS; importing it adds nothing.
  return who === 'onnxruntime-node' ? createRequire(import.meta.url)(who) : import(who);
}

async function encode(library) {
  const image = new Float32Array(784).fill(0.5);
  if (who !== 'onnxruntime-node') {
    const load = library.loadModel ?? library.Vae.load;
    const model = await load('mnist-mlp');
    return (await model.encode({ data: image, shape: [1, 1, 28, 28] })).mean.data;
  }
  const { pathname } = new URL('encoder.onnx', models);
  const session = await library.InferenceSession.create(pathname);
  const { mean } = await session.run({ input: new library.Tensor('float32', image, [1, 1, 28, 28]) });
  return mean.data;
}

const resident = () => process.memoryUsage().rss / 1e6;
const processor = () => (({ user, system }) => (user + system) / 1000)(process.cpuUsage());

if (!isMainThread) {
  await enter();
} else if (what === 'workers') {
  const begun = performance.now();
  const ends = Array.from({ length: WORKERS }, () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: [who, what] });
    return new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  });
  await Promise.all(ends);
  console.log(JSON.stringify({ ms: performance.now() - begun }));
} else {
  const before = { ms: performance.now(), mb: resident(), cpu: processor() };
  const library = await enter();
  const entered = { ms: performance.now(), mb: resident(), cpu: processor() };
  const imported = {
    importMs: entered.ms - before.ms,
    importMb: entered.mb - before.mb,
    importCpuMs: entered.cpu - before.cpu,
  };
  if (what === 'import') console.log(JSON.stringify(imported));
  else {
    const mean = await encode(library);
    const after = { ms: performance.now(), mb: resident(), cpu: processor() };
    console.log(
      JSON.stringify({
        ...imported,
        encodeMs: after.ms - entered.ms,
        encodeMb: after.mb - entered.mb,
        encodeCpuMs: after.cpu - entered.cpu,
        totalMs: after.ms - before.ms,
        totalMb: after.mb - before.mb,
        check: mean[0],
      }),
    );
    process.exit(0);
  }
}
