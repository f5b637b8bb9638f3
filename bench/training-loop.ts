import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { type Dataset, readImages, toDataset } from '../src/data/index.js';
import { Vae, type VaeOptions } from '../src/index.js';
import { MOST_BATCHES_AHEAD } from '../src/training/loop/fit-loop.js';
import type { History } from '../src/training/progress.js';
import { readDigits } from './lib/mnist.js';
import { breakdownTable, byteRows } from './lib/ours-training.js';
import { alternate } from './lib/rounds.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const STEPS = 234;
const BATCH = 128;
/** Pictures of the folder, and the side their rows have. */
const PICTURES = 512;
const SIDE = 64;
const PICTURE_BATCH = 32;

/**
 * What the training loop itself costs: JavaScript's share of a step, and whether rows are read while the step before
 * them runs, so that a run takes as long as the slower of the two and not as long as their sum.
 */
export const bench: Bench = {
  question: 'What does the loop around a training step cost, and is reading hidden behind computing?',
  packages: ['sharp'],
  async run(context): Promise<BenchResult> {
    const share = await javascriptShare(context);
    const waiting = await readingThatWaits(context);
    const jpegs = await folderOfJpegs(context);
    return {
      cases: [share.case, waiting, jpegs],
      missing: {},
      sections: [{ title: 'Where the time of a step goes (last round)', table: share.table }],
    };
  },
};

/** Everything that is neither assembling batches, nor the graph, nor the optimizer, of a step of 784-400-20. */
async function javascriptShare(context: BenchContext): Promise<{ case: BenchCase; table: string[][] }> {
  const data = await byteRows(readDigits(STEPS * BATCH), [784]);
  const options = { input: { kind: 'vector', length: 784 }, latentDim: 20, seed: 1 } as const;
  const vae = await Vae.create({ ...options, threads: context.threads });
  try {
    let history: History | undefined;
    const round = async (): Promise<number> => {
      history = await vae.fit(data, { epochs: 3, batchSize: BATCH });
      return 100 * shareOf(history);
    };
    const { fit } = await alternate([{ name: 'fit', round }], context);
    const stepMs = (1000 * (history!.seconds - history!.breakdown.validation)) / (3 * STEPS);
    return {
      case: {
        name: 'rows in memory: share of a step outside the native session, %',
        ours: { sharePercent: fit!.median, bestPercent: fit!.best, stepMs, allowedPercent: 3 },
        peers: {},
        ratios: { allowed: 3 / fit!.median },
      },
      table: breakdownTable(history!, 3 * STEPS),
    };
  } finally {
    await vae.close();
  }
}

function shareOf({ seconds, breakdown }: History): number {
  const { assemble, graph, optimizer, validation } = breakdown;
  const training = seconds - validation;
  return (training - assemble - graph - optimizer) / training;
}

/** A source that answers after a while, as a disk or a network does: it costs no processor time. */
async function readingThatWaits(context: BenchContext): Promise<BenchCase> {
  const rows = 64 * BATCH;
  const digits = readDigits(rows);
  const memory = await byteRows(digits, [784]);
  const model = { input: { kind: 'vector', length: 784 }, latentDim: 20, seed: 1 } as const;
  const waitMs = 8;
  const source = await toDataset({
    length: rows,
    rowShape: [784],
    dtype: 'uint8',
    read: async (wanted: ArrayLike<number>) => {
      await sleep(waitMs);
      const out = new Uint8Array(wanted.length * 784);
      for (let index = 0; index < wanted.length; index += 1) {
        out.set(digits.subarray(wanted[index]! * 784, (wanted[index]! + 1) * 784), index * 784);
      }
      return out;
    },
  });
  return overlapCase(context, `rows that come after ${waitMs} ms, batches of ${BATCH}`, memory, source, model, {
    batch: BATCH,
    threads: context.threads,
  });
}

/** Decoding on one core, computing on the other. */
async function folderOfJpegs(context: BenchContext): Promise<BenchCase> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
  const concurrency = sharp.concurrency();
  try {
    await writeJpegs(folder);
    sharp.concurrency(1);
    const streamed = await readImages(folder, { size: SIDE, colour: 'rgb', memoryBytes: 0 });
    const memory = await streamed.toMemory();
    const model = {
      architecture: { type: 'conv', channels: [16, 32] },
      input: { kind: 'image', height: SIDE, width: SIDE, channels: 3 },
      latentDim: 16,
      seed: 1,
    } satisfies VaeOptions;
    const name = `a folder of ${PICTURES} JPEGs of 256×256, computing on one thread`;
    return await overlapCase(context, name, memory, streamed, model, { batch: PICTURE_BATCH, threads: 1 });
  } finally {
    sharp.concurrency(concurrency);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Soft shapes with some noise, as photographs have: flat pictures would decode too quickly. */
async function writeJpegs(folder: string): Promise<void> {
  const side = 256;
  for (let picture = 0; picture < PICTURES; picture += 1) {
    const pixels = Buffer.alloc(side * side * 3);
    for (let at = 0; at < pixels.length; at += 1) {
      const [x, y] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
      const wave = Math.sin((x * (1 + (picture % 7))) / 40) + Math.cos((y * (1 + (picture % 5))) / 30 + (at % 3));
      pixels[at] = 128 + 50 * wave + ((at * 7919 * (picture + 1)) % 23);
    }
    const raw = { width: side, height: side, channels: 3 } as const;
    await sharp(pixels, { raw })
      .jpeg({ quality: 90 })
      .toFile(join(folder, `${picture}.jpg`));
  }
}

/** An epoch of reading alone, of computing alone, and of both. */
async function overlapCase(
  context: BenchContext,
  name: string,
  memory: Dataset,
  source: Dataset,
  model: VaeOptions,
  { batch, threads }: { readonly batch: number; readonly threads: number },
): Promise<BenchCase> {
  const vae = await Vae.create({ ...model, threads });
  try {
    const epochs = 2;
    const train = async (data: Dataset): Promise<number> => {
      const { seconds, breakdown } = await vae.fit(data, { epochs, batchSize: batch });
      return (seconds - breakdown.validation) / epochs;
    };
    const read = async (): Promise<number> => {
      const started = performance.now();
      // As many batches under way at once as in training.
      const starts = Array.from({ length: Math.ceil(source.length / batch) }, (_, index) => index * batch);
      const next = async (): Promise<void> => {
        for (let from = starts.shift(); from !== undefined; from = starts.shift()) {
          const count = Math.min(batch, source.length - from);
          await source.read(Array.from({ length: count }, (_, index) => from! + index));
        }
      };
      await Promise.all(Array.from({ length: MOST_BATCHES_AHEAD }, next));
      return (performance.now() - started) / 1000;
    };
    const timings = await alternate(
      [
        { name: 'reading', round: read },
        { name: 'computing', round: () => train(memory) },
        { name: 'both', round: () => train(source) },
      ],
      context,
    );
    const [reading, computing, both] = [
      timings['reading']!.median,
      timings['computing']!.median,
      timings['both']!.median,
    ];
    const slower = Math.max(reading, computing);
    return {
      name,
      ours: { epochSeconds: both },
      peers: {
        'the slower of the two': { epochSeconds: slower },
        'their sum': { epochSeconds: reading + computing },
        'reading alone': { epochSeconds: reading },
        'computing alone': { epochSeconds: computing },
      },
      ratios: { 'the slower of the two': slower / both, 'their sum': (reading + computing) / both },
    };
  } finally {
    await vae.close();
  }
}
