import { setTimeout as sleep } from 'node:timers/promises';
import { Tensor } from 'onnxruntime-common';

import type { Vae } from '../src/index.js';
import { clientRound } from './lib/clients.js';
import { collectGarbage } from './lib/collect-garbage.js';
import { eventLoopDelay } from './lib/event-loop.js';
import { type Latency, measureLatency } from './lib/latency.js';
import { readDigits } from './lib/mnist.js';
import { alternate } from './lib/rounds.js';
import { type ServedModel, servedModels } from './lib/served-models.js';
import { slopeOf } from './lib/stats.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const PEER = 'onnxruntime-node';
const CLIENTS = 64;
const ROUND_MS = 1000;
const LARGE = 1024;
const INT8_BATCH = 128;
const MEMORY_ROWS = 3_000_000;
const MEMORY_SAMPLES = 12;

/**
 * What a server gets: 64 concurrent clients with single images, single calls, large batches, the event
 * loop meanwhile, 8-bit integers, and memory over a million encodes and decodes.
 */
export const bench: Bench = {
  question: 'How many requests does a server answer, and how free does its event loop stay?',
  packages: [PEER],
  async run(context): Promise<BenchResult> {
    const cases: BenchCase[] = [];
    const sections: BenchResult['sections'][number][] = [];
    for (const served of await servedModels(context.log)) {
      try {
        cases.push(await concurrentClients(served, context));
        cases.push(...(await singleCallers(served, context)));
        cases.push(await freeEventLoop(served, context));
        if (served.name !== 'mnist-mlp') continue;
        const { entry, section } = await integers(served, context);
        cases.push(entry);
        sections.push(section, await memory(served, context));
      } finally {
        await served.close();
      }
    }
    return { cases, missing: {}, sections };
  },
};

function batchOf({ vae }: ServedModel, rows: number): Tensor {
  const width = vae.dataShape.reduce((product, dim) => product * dim, 1);
  const digits = readDigits(rows);
  const data = Float32Array.from({ length: rows * width }, (_, index) => digits[index]! / 255);
  return new Tensor('float32', data, [rows, ...vae.dataShape]);
}

/** Each client sends its next image when it has the answer to the last. */
async function concurrentClients(served: ServedModel, context: BenchContext): Promise<BenchCase> {
  const { vae, encoder, name } = served;
  const images = Array.from({ length: CLIENTS }, (_, client) => {
    const all = batchOf(served, CLIENTS);
    const width = all.size / CLIENTS;
    const data = (all.data as Float32Array).slice(client * width, (client + 1) * width);
    return new Tensor('float32', data, [1, ...vae.dataShape]);
  });
  const batcher = vae.batcher({ maxBatch: CLIENTS });
  const latencies: Record<string, number[]> = { ours: [], peer: [] };
  const contender = (who: 'ours' | 'peer', request: (client: number) => Promise<unknown>) => ({
    name: who === 'ours' ? 'node-vae' : PEER,
    round: async () => {
      const { perSecond, p99Ms } = await clientRound(CLIENTS, ROUND_MS, request);
      latencies[who]!.push(p99Ms);
      // Rounds are compared by time: lower is better.
      return 1e6 / perSecond;
    },
  });
  try {
    const timings = await alternate(
      [
        contender('ours', (client) => batcher.encode(images[client]!)),
        contender('peer', (client) => encoder.run({ [served.input]: images[client]! })),
      ],
      context,
    );
    const metrics = (who: 'node-vae' | typeof PEER, p99: readonly number[]) => ({
      figure: 1e6 / timings[who]!.median,
      unit: 'requests/s',
      p99Ms: [...p99].sort((a, b) => a - b)[p99.length >> 1]!,
      disturbed: timings[who]!.disturbed,
    });
    return {
      name: `${name} ${CLIENTS} clients`,
      ours: metrics('node-vae', latencies['ours']!),
      peers: { [PEER]: metrics(PEER, latencies['peer']!) },
      ratios: { [PEER]: timings[PEER]!.median / timings['node-vae']!.median },
    };
  } finally {
    await batcher.close();
  }
}

/** One caller that awaits each call. */
async function singleCallers(served: ServedModel, { rounds }: BenchContext): Promise<BenchCase[]> {
  const cases: BenchCase[] = [];
  for (const rows of [1, LARGE]) {
    const batch = batchOf(served, rows);
    const latency = await measureLatency(
      [
        { name: 'ours', call: () => served.vae.encode(batch) },
        { name: PEER, call: () => served.encoder.run({ [served.input]: batch }) },
      ],
      rounds,
    );
    cases.push({
      name: `${served.name} encode ${rows}`,
      ours: latencyMetrics(latency['ours']!),
      peers: { [PEER]: latencyMetrics(latency[PEER]!) },
      ratios: { [PEER]: latency[PEER]!.p50Us / latency['ours']!.p50Us },
    });
  }
  return cases;
}

function latencyMetrics({ p50Us, p99Us, disturbed }: Latency) {
  return { figure: p50Us, unit: 'µs p50', p99Ms: p99Us / 1000, disturbed };
}

/** Large batches as fast as possible, while the loop's delay is watched. */
async function freeEventLoop(served: ServedModel, _context: BenchContext): Promise<BenchCase> {
  const batch = batchOf(served, LARGE);
  const ours = await eventLoopDelay(ROUND_MS, () => served.vae.encode(batch));
  await sleep(200);
  const peer = await eventLoopDelay(ROUND_MS, () => served.encoder.run({ [served.input]: batch }));
  return {
    name: `${served.name} event loop`,
    ours: { figure: ours, unit: 'ms delay p99' },
    peers: { [PEER]: { figure: peer, unit: 'ms delay p99' } },
    ratios: { [PEER]: peer / ours },
  };
}

/** The model in 8-bit integers beside itself in float32, and what that costs. */
async function integers(
  served: ServedModel,
  context: BenchContext,
): Promise<{ entry: BenchCase; section: BenchResult['sections'][number] }> {
  const examples = batchOf(served, 1000);
  const { vae: int8, report } = await served.vae.quantize(examples);
  try {
    const batch = batchOf(served, INT8_BATCH);
    const latents = (await served.vae.encode(batch)).mean;
    const calls = 200;
    const contender = (name: string, vae: Vae) => ({
      name,
      round: async () => {
        const start = performance.now();
        for (let call = 0; call < calls; call += 1) {
          await vae.encode(batch);
          await vae.decode(latents);
        }
        return ((performance.now() - start) * 1000) / (calls * INT8_BATCH);
      },
    });
    const timings = await alternate([contender('int8', int8), contender('float32', served.vae)], context);
    const metrics = (name: string) => ({
      figure: 1e6 / timings[name]!.median,
      unit: 'images/s',
      disturbed: timings[name]!.disturbed,
    });
    const nats = (value: number): string => value.toFixed(3);
    return {
      entry: {
        name: `${served.name} int8 ${INT8_BATCH}`,
        ours: metrics('int8'),
        peers: { float32: metrics('float32') },
        ratios: { float32: timings['float32']!.median / timings['int8']!.median },
      },
      section: {
        title: 'What 8-bit integers lose, in nats for each of 1,000 digits',
        table: [
          ['', 'float32', 'int8'],
          ['reconstruction', nats(report.reconstruction.float32), nats(report.reconstruction.int8)],
          ['KL divergence', nats(report.kl.float32), nats(report.kl.int8)],
          ['bytes of both networks', String(report.bytes.float32), String(report.bytes.int8)],
        ],
      },
    };
  } finally {
    await int8.close();
  }
}

/**
 * Resident memory over millions of encodes and decodes, and its slope once a quarter of them has warmed up
 * allocators and compiled code.
 */
async function memory({ vae }: ServedModel, { log }: BenchContext): Promise<BenchResult['sections'][number]> {
  const rows = 100;
  const batch = batchOf({ vae } as ServedModel, rows);
  const table: string[][] = [['rows', 'resident MB']];
  const millions: number[] = [];
  const megabytes: number[] = [];
  for (let done = 0; done <= MEMORY_ROWS; done += rows) {
    if (done % (MEMORY_ROWS / MEMORY_SAMPLES) === 0) {
      collectGarbage();
      const resident = process.memoryUsage.rss() / 1e6;
      table.push([String(done), resident.toFixed(1)]);
      if (done >= MEMORY_ROWS / 4) {
        millions.push(done / 1e6);
        megabytes.push(resident);
      }
    }
    const { mean } = await vae.encode(batch);
    await vae.decode(mean);
  }
  const slope = slopeOf(millions, megabytes).toFixed(2);
  table.push(['slope, MB per million', slope]);
  log(`memory: ${table.at(1)![1]} MB before, ${megabytes.at(-1)!.toFixed(1)} MB after, ${slope} MB per million rows`);
  return { title: `Resident memory over ${MEMORY_ROWS / 1e6} million encodes and decodes`, table };
}
