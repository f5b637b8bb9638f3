/** Jobs beside their parts: reading, decoding and encoding, each measured alone over the same items; and what a plan takes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { decodePicture } from '../src/data/image/decode.js';
import { encodePng } from '../src/data/image/encode.js';
import { inParallel } from '../src/data/parallel.js';
import { Vae, type VaeOptions, writeNpy } from '../src/index.js';
import { runJob } from '../src/jobs/index.js';
import { median } from './lib/stats.js';
import type { Bench, BenchCase, BenchResult } from './lib/types.js';

const BATCH = 128;
/** Items of the plan whose memory is measured; NODE_VAE_BENCH_PLAN=10000000 for the figure of the guide. */
const PLANNED = Number(process.env['NODE_VAE_BENCH_PLAN'] ?? 200_000);

interface Case {
  readonly name: string;
  readonly items: number;
  readonly side: number;
  readonly files: boolean;
  readonly model: VaeOptions;
}

const conv = (side: number): VaeOptions => ({
  input: { kind: 'image', height: side, width: side, channels: 3 },
  architecture: { type: 'conv' },
  latentDim: 32,
});

const CASES: readonly Case[] = [
  { name: '2,000 PNG of 64 × 64, conv', items: 2000, side: 64, files: true, model: conv(64) },
  { name: '300 PNG of 256 × 256, conv', items: 300, side: 256, files: true, model: conv(256) },
  {
    name: '40,000 rows of .npy of 28 × 28, mlp',
    ...{ items: 40_000, side: 28, files: false },
    model: { input: { kind: 'image', height: 28, width: 28, channels: 3 }, latentDim: 20 },
  },
];

export const bench: Bench = {
  question: 'How near does a job come to what reading, decoding and encoding take when each is measured alone?',
  packages: ['sharp', 'onnxruntime-node', 'hyparquet-writer'],
  async run({ rounds, log }): Promise<BenchResult> {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-jobs-'));
    const cases: BenchCase[] = [];
    const walls: string[][] = [['', 'items/s', 'allowed by the parts', 'part of it']];
    try {
      for (const one of CASES) {
        log(`${one.name}: writing the items`);
        const input = join(folder, `in-${cases.length}`);
        const model = join(folder, `model-${cases.length}`);
        const items = await write(one, input);
        const few = await write({ ...one, items: one.items / 10 }, `${input}-few`);
        await using vae = await Vae.create({ ...one.model, threads: 1 });
        await vae.save(model);
        await using loaded = await Vae.load(model, { threads: 1 });
        const ours: number[] = [];
        const parts: { read: number; decode: number; encode: number }[] = [];
        // The first round warms up file cache and compilers.
        for (let round = 0; round <= rounds; round += 1) {
          const output = join(folder, 'out');
          const job = { operation: 'encode', model, input: items, output, batch: BATCH, shardSize: 1000 } as const;
          const run = async (from: string): Promise<number> => {
            const taken = await processorTime(() => runJob({ ...job, input: from, processes: 1, threads: 1 }));
            await rm(output, { recursive: true });
            return taken;
          };
          // What a job takes whatever its size, loading the model above all, is taken off: jobs are long.
          const taken = (await run(items)) - (await run(few));
          const alone = await partsAlone(one, items, loaded);
          if (round === 0) continue;
          ours.push(taken);
          parts.push(alone);
        }
        const sum = median(parts.map(({ read, decode, encode }) => read + decode + encode)) * 0.9;
        const own = median(ours);
        cases.push({
          name: one.name,
          ours: { cpuSeconds: own },
          peers: {
            'parts alone': {
              cpuSeconds: sum,
              read: median(parts.map(({ read }) => read)),
              decode: median(parts.map(({ decode }) => decode)),
              encode: median(parts.map(({ encode }) => encode)),
            },
          },
          ratios: { 'parts alone': sum / own },
        });
        log(`${one.name}: with a process for each processor`);
        const rate = await wholeMachine(items, model, join(folder, 'all'));
        const allowed = (one.items * 0.9 * availableParallelism()) / sum;
        walls.push([one.name, String(Math.round(rate)), String(Math.round(allowed)), (rate / allowed).toFixed(2)]);
      }
      log(`planning ${PLANNED} items`);
      const plan = await planMemory(folder);
      return {
        cases,
        missing: {},
        sections: [
          { title: `jobs run with ${availableParallelism()} processes, behind its start`, table: walls },
          { title: 'Planning a list of files', table: plan },
        ],
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function processorTime(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function pixelsOf(side: number, item: number): Uint8Array {
  return Uint8Array.from({ length: side * side * 3 }, (_, at) => {
    const [x, y, channel] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side), at % 3];
    return (x * (channel + 1) + y * 2 + item * 7 + Math.random() * 16) / 2;
  });
}

async function write({ items, side, files }: Case, folder: string): Promise<string> {
  if (!files) {
    const row = side * side * 3;
    const data = new Uint8Array(items * row);
    for (let item = 0; item < items; item += 1) data.set(pixelsOf(side, item % 50), item * row);
    await writeNpy(`${folder}.npy`, { data, shape: [items, 3, side, side] });
    return `${folder}.npy`;
  }
  await mkdir(folder);
  const numbers = Array.from({ length: items }, (_, item) => item);
  await inParallel(numbers, async (item) => {
    const png = await encodePng({ data: pixelsOf(side, item), width: side, height: side, channels: 3 });
    await writeFile(join(folder, `${String(item).padStart(6, '0')}.png`), png);
  });
  return folder;
}

/** Processor seconds of each stage by itself, over all items. */
async function partsAlone(
  { items, side, files }: Case,
  input: string,
  vae: Vae,
): Promise<{ read: number; decode: number; encode: number }> {
  const row = side * side * 3;
  let rows: Uint8Array = new Uint8Array(0);
  let [read, decode] = [0, 0];
  if (files) {
    const names = await readdir(input);
    let bytes: Buffer[] = [];
    read = await processorTime(async () => {
      bytes = await inParallel(names, (name) => readFile(join(input, name)));
    });
    rows = new Uint8Array(items * row);
    const form = { colour: 'rgb', depth: 8, values: 'stored', range: undefined, clip: undefined } as const;
    decode = await processorTime(() =>
      inParallel(bytes, async (one, index) => {
        const { data } = await decodePicture({ bytes: one, name: 'a picture' }, form);
        rows.set(data, index * row);
      }),
    );
  } else {
    read = await processorTime(async () => {
      const file = await open(input);
      rows = (await file.readFile()).subarray(-items * row);
      await file.close();
    });
  }
  const encode = await processorTime(async () => {
    for (let from = 0; from < items; from += BATCH) {
      const to = Math.min(items, from + BATCH);
      await vae.encode({ data: rows.subarray(from * row, to * row), shape: [to - from, 3, side, side] });
    }
  });
  return { read, decode, encode };
}

/** Items a second of the command, between its first shard and its last. */
async function wholeMachine(input: string, model: string, output: string): Promise<number> {
  const program = ['dist/cli/main.js', 'jobs', 'run', 'encode', '-m', model, '-i', input, '-o', output, '--json'];
  const child = spawn(process.execPath, [...program, '--shard-size', '100', '--batch', String(BATCH)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let first: { at: number; done: number } | undefined;
  let last: { at: number; done: number } = { at: 0, done: 0 };
  let running = true;
  const watching = (async () => {
    while (running) {
      const done = (await readdir(join(output, '.job', 'done')).catch(() => [])).filter((name) =>
        /^\d/.test(name),
      ).length;
      const now = performance.now();
      if (done > 1 && first === undefined) first = { at: now, done };
      if (done > last.done) last = { at: now, done };
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await once(child, 'exit');
  running = false;
  await watching;
  await rm(output, { recursive: true });
  return first === undefined ? Number.NaN : ((last.done - first.done) * 100 * 1000) / (last.at - first.at);
}

/** A list of paths to a few files again and again: what planning takes is per item, not per file. */
async function planMemory(folder: string): Promise<string[][]> {
  const list = join(folder, 'list.txt');
  const file = await open(list, 'w');
  for (let from = 0; from < PLANNED; from += 1000) {
    const lines = Array.from(
      { length: Math.min(1000, PLANNED - from) },
      (_, index) => `in-0/${String(index).padStart(6, '0')}.png\n`,
    );
    await file.write(lines.join(''));
  }
  await file.close();
  const script = `
    import { describeJob, planJob } from './src/jobs/index.ts';
    const job = await describeJob({ operation: 'encode', model: process.argv[1], input: process.argv[2], output: process.argv[3] });
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => { most = Math.max(most, process.memoryUsage.rss()); }, 50);
    const started = performance.now();
    const plan = await planJob(job);
    clearInterval(watch);
    console.log(JSON.stringify({ items: plan.items, seconds: (performance.now() - started) / 1000, before, most }));
  `;
  const args = [
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    script,
    join(folder, 'model-0'),
    list,
    join(folder, 'plan'),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (text: Buffer) => {
    out += text.toString();
  });
  await once(child, 'close');
  const { items, seconds, before, most } = JSON.parse(out) as Record<string, number>;
  return [
    ['items', 'seconds', 'items/s', 'MB before', 'MB at most'],
    [
      items!,
      seconds!.toFixed(1),
      Math.round(items! / seconds!),
      Math.round(before! / 1e6),
      Math.round(most! / 1e6),
    ].map(String),
  ];
}
