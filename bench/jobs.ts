/** Jobs beside their parts: reading, decoding and encoding, each measured alone over the same items; and what a plan takes. */
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { encodePng } from '../src/data/image/encode.js';
import { inParallel } from '../src/data/parallel.js';
import { Vae, type VaeOptions, writeNpy } from '../src/index.js';
import { runJob } from '../src/jobs/index.js';
import { type Parts, partsAlone } from './lib/job-parts.js';
import { median } from './lib/stats.js';
import type { Bench, BenchCase, BenchResult } from './lib/types.js';

/** Items of the plan whose memory is measured; NODE_VAE_BENCH_PLAN=10000000 for the figure of the guide. */
const PLANNED = Number(process.env['NODE_VAE_BENCH_PLAN'] ?? 200_000);

interface Case {
  readonly name: string;
  readonly items: number;
  readonly side: number;
  readonly files: boolean;
  readonly model: VaeOptions;
  /** Of the run with all processors: many shards, of some thousand items where those are small. */
  readonly wall: { readonly items: number; readonly shard: number };
}

const conv = (side: number): VaeOptions => ({
  input: { kind: 'image', height: side, width: side, channels: 3 },
  architecture: { type: 'conv' },
  latentDim: 32,
});

const CASES: readonly Case[] = [
  {
    name: '4,000 PNG of 64 × 64, conv',
    ...{ items: 4000, side: 64, files: true, model: conv(64) },
    wall: { items: 20_000, shard: 2000 },
  },
  {
    name: '500 PNG of 256 × 256, conv',
    ...{ items: 500, side: 256, files: true, model: conv(256) },
    wall: { items: 2400, shard: 200 },
  },
  {
    name: '80,000 rows of .npy of 28 × 28, mlp',
    ...{ items: 80_000, side: 28, files: false },
    model: { input: { kind: 'image', height: 28, width: 28, channels: 3 }, latentDim: 20 },
    wall: { items: 240_000, shard: 10_000 },
  },
];

export const bench: Bench = {
  question: 'How near does a job come to what reading, decoding and encoding take when each is measured alone?',
  packages: ['sharp', 'onnxruntime-node', 'hyparquet-writer'],
  async run({ rounds, log }): Promise<BenchResult> {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-jobs-'));
    const cases: BenchCase[] = [];
    const walls: string[][] = [['', 'items', 'items/s', 'of the parts, as many at once', 'job / parts (bar 0.9)']];
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
        const parts: Parts[] = [];
        // The first round warms up file cache and compilers.
        for (let round = 0; round <= rounds; round += 1) {
          const output = join(folder, 'out');
          const job = { operation: 'encode', model, input: items, output, shardSize: one.items } as const;
          const run = async (from: string): Promise<number> => {
            const taken = await processorTime(() => runJob({ ...job, input: from, processes: 1, threads: 1 }));
            await rm(output, { recursive: true });
            return taken;
          };
          let taken = 0;
          let alone: Parts = { read: 0, decode: 0, encode: 0 };
          const both = [
            // What a job takes whatever its size, loading the model above all, is taken off: jobs are long.
            async () => {
              taken = ((await run(items)) - (await run(few))) / 0.9;
            },
            async () => {
              alone = await partsAlone({ input: items, side: one.side, from: 0, to: one.items }, loaded, processorTime);
            },
          ];
          for (const measure of round % 2 === 0 ? both : both.reverse()) await measure();
          if (round === 0) continue;
          ours.push(taken);
          parts.push(alone);
        }
        const sum = median(parts.map(({ read, decode, encode }) => read + decode + encode));
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
        const many = await write({ ...one, items: one.wall.items }, `${input}-many`);
        const rates: { job: number; parts: number }[] = [];
        for (let round = 0; round < rounds; round += 1) {
          let job = 0;
          let together = 0;
          const both = [
            async () => {
              job = await jobAlone(many, model, join(folder, 'all'), one.wall.shard);
            },
            async () => {
              together = await partsAtOnce(many, model, one);
            },
          ];
          for (const measure of round % 2 === 0 ? both : both.reverse()) await measure();
          rates.push({ job, parts: together });
        }
        const rate = median(rates.map(({ job }) => job));
        const allowed = median(rates.map((both) => both.parts));
        const part = median(rates.map((both) => both.job / both.parts));
        const shards = `${one.wall.items} in shards of ${one.wall.shard}`;
        walls.push([one.name, shards, ...[rate, allowed].map((each) => String(Math.round(each))), part.toFixed(2)]);
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
    // No row twice: latents that repeat are written otherwise.
    const data = randomFillSync(new Uint8Array(items * row));
    const base = Array.from({ length: 50 }, (_, item) => pixelsOf(side, item));
    for (let at = 0; at < data.length; at += 1) {
      data[at] = (base[Math.floor(at / row) % 50]![at % row]! & 0xe0) | (data[at]! & 0x1f);
    }
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

/** Items a second of the command, between its first shard and its last. */
async function jobAlone(input: string, model: string, output: string, shard: number): Promise<number> {
  const program = ['dist/cli/main.js', 'jobs', 'run', 'encode', '-m', model, '-i', input, '-o', output, '--json'];
  const child = spawn(process.execPath, [...program, '--shard-size', String(shard)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let first: { at: number; done: number } | undefined;
  let last: { at: number; done: number } = { at: 0, done: 0 };
  let running = true;
  const watching = (async () => {
    while (running) {
      const done = (await readdir(join(output, '.job', 'done')).catch(() => [])).filter((name) =>
        /^\d+\.json$/.test(name),
      ).length;
      const now = performance.now();
      if (done > 0 && first === undefined) first = { at: now, done };
      if (done > last.done) last = { at: now, done };
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await once(child, 'exit');
  running = false;
  await watching;
  await rm(output, { recursive: true });
  return first === undefined ? Number.NaN : ((last.done - first.done) * shard * 1000) / (last.at - first.at);
}

/** Items a second of the parts: as many processes as a job has, each with its share of the items at the same time. */
async function partsAtOnce(input: string, model: string, { side, wall }: Case): Promise<number> {
  const shares = availableParallelism();
  const children = Array.from({ length: shares }, (_, share) => {
    const args = [model, input, side, wall.items, share, shares].map(String);
    return spawn(process.execPath, ['--import', 'tsx', 'bench/lib/job-parts.ts', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  });
  const lines = children.map(({ stdout }) => createInterface({ input: stdout })[Symbol.asyncIterator]());
  await Promise.all(lines.map((line) => line.next()));
  for (const { stdin } of children) stdin.write('go\n');
  const seconds = await Promise.all(
    lines.map(async (line) => {
      const { read, decode, encode } = JSON.parse((await line.next()).value as string) as Parts;
      return read + decode + encode;
    }),
  );
  return wall.items / Math.max(...seconds);
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
