/** The most memory that a process has with one shard and with several at once, by kind of work. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { Vae, writeNpy } from '../src/index.js';
import { describeJob, type JobOptions, planJob } from '../src/jobs/index.js';
import type { Bench, BenchCase, BenchResult } from './lib/types.js';

/** Shards at once beside one. */
const SEVERAL = 3;

type Kind = Omit<JobOptions, 'output'> & { readonly name: string };

export const bench: Bench = {
  question: 'How much memory does a process take for a shard, and for each further one at once?',
  packages: ['sharp', 'onnxruntime-node'],
  async run({ log }): Promise<BenchResult> {
    if (process.platform !== 'linux') {
      return { cases: [], missing: { procfs: 'the most memory of a process is read from /proc' }, sections: [] };
    }
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-shard-memory-'));
    const cases: BenchCase[] = [];
    try {
      for (const [index, { name, ...job }] of (await kindsIn(folder)).entries()) {
        const one = await measured(job, join(folder, `one-${index}`), 1);
        const several = await measured(job, join(folder, `several-${index}`), SEVERAL);
        const made: BenchCase = {
          name,
          ours: {
            processMb: Math.round(one.empty),
            modelMb: Math.round(one.opened - one.empty),
            peakMb: Math.round(one.peak),
            shardMb: Math.round(one.peak - one.opened),
            furtherShardMb: Math.round((several.peak - one.peak) / (SEVERAL - 1)),
          },
          ...{ peers: {}, ratios: {} },
        };
        log(JSON.stringify(made));
        cases.push(made);
      }
      return { cases, missing: {}, sections: [] };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measured(job: Omit<JobOptions, 'output'>, output: string, count: number) {
  await planJob(await describeJob({ ...job, output } as JobOptions));
  const program = fileURLToPath(new URL('lib/shard-memory.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, output, String(count)]);
  await rm(output, { recursive: true });
  return JSON.parse(stdout) as { readonly empty: number; readonly opened: number; readonly peak: number };
}

async function kindsIn(folder: string): Promise<Kind[]> {
  const at = (...parts: string[]): string => join(folder, ...parts);
  const pictures = async (name: string, count: number, side: number): Promise<string> => {
    await mkdir(at(name));
    const one = await photograph(side);
    for (let index = 0; index < count; index += 1) await writeFile(at(name, `${index}.jpg`), one);
    return at(name);
  };
  await using conv = await Vae.create({
    input: { kind: 'image', height: 256, width: 256, channels: 3 },
    architecture: { type: 'conv' },
    latentDim: 32,
  });
  await conv.save(at('conv'));
  const rows = 10_000 * SEVERAL;
  await writeNpy(at('digits.npy'), { data: new Uint8Array(rows * 784).fill(90), shape: [rows, 1, 28, 28] });
  await writeNpy(at('latents.npy'), { data: new Float32Array(600 * SEVERAL * 32), shape: [600 * SEVERAL, 32] });
  const small = await pictures('small', 200 * SEVERAL, 256);
  const large = await pictures('large', 24 * SEVERAL, 4000);
  const digits = { model: 'mnist-mlp', input: at('digits.npy'), shardSize: 10_000 } as const;
  const photographs = { model: at('conv'), input: small, shardSize: 200 } as const;
  return [
    { name: 'encode 10,000 digits to Parquet', operation: 'encode', ...digits, format: 'parquet', logVariance: true },
    { name: 'score 10,000 digits, 8 draws', operation: 'score', ...digits, format: 'npy', importanceSamples: 8 },
    { name: 'encode 200 JPEG of 256 × 256', operation: 'encode', ...photographs, format: 'npy' },
    { name: 'encode 24 JPEG of 4000 × 4000', operation: 'encode', ...photographs, input: large, shardSize: 24 },
    { name: 'reconstruct 200 of 256 × 256 to .tar', operation: 'reconstruct', ...photographs, format: 'tar' },
    { name: 'reconstruct 200 of 256 × 256 to .npz', operation: 'reconstruct', ...photographs, format: 'npz' },
    {
      name: 'decode 600 to 256 × 256, Parquet',
      operation: 'decode',
      model: at('conv'),
      input: at('latents.npy'),
      shardSize: 600,
      format: 'parquet',
    },
    {
      name: 'compress 4 JPEG of 4000 × 4000, quality 50',
      operation: 'compress',
      model: 'photo-lossy',
      input: large,
      shardSize: 4,
      quality: 50,
    },
    {
      name: 'compress 200 JPEG of 256 × 256 without loss',
      operation: 'compress',
      model: 'photo-lossless',
      input: small,
      shardSize: 200,
    },
  ];
}

/** Noise over a slope: about as hard to compress as a photograph. */
async function photograph(side: number): Promise<Buffer> {
  const data = Buffer.alloc(side * side * 3);
  for (let i = 0; i < data.length; i += 1) data[i] = (i / data.length) * 200 + ((Math.imul(i, 2654435761) >>> 24) & 31);
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}
