import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GraphTrainer, TrainedSteps } from './lib/graph-trainer.js';
import { IDX_HEADER, mnistPath, readDigits } from './lib/mnist.js';
import { openNet } from './lib/net-trainer.js';
import type { NetName } from './lib/nets.js';
import { profileTables, readProfile } from './lib/profile.js';
import { type PyTorchOptions, PyTorchTraining, pytorchPeakBytes, timingMetrics } from './lib/pytorch.js';
import { figure } from './lib/report.js';
import { alternate } from './lib/rounds.js';
import { ourPeakBytes } from './lib/step-memory.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

interface NetBench {
  readonly net: NetName;
  readonly title: string;
  readonly batch: number;
  readonly latent: number;
  readonly shape: readonly number[];
  /** Steps of one round: about a second. */
  readonly steps: number;
  /** Rows of bytes, and where a peer reads the same. */
  data(folder: string): Promise<{ rows: Uint8Array; file: string; skip: number }>;
}

const NET_BENCHES: readonly NetBench[] = [
  {
    net: 'conv',
    title: 'conv 1x28x28, batch 128',
    batch: 128,
    latent: 32,
    shape: [1, 28, 28],
    steps: 20,
    data: async () => ({ rows: readDigits(12_800), file: mnistPath(), skip: IDX_HEADER }),
  },
  {
    net: 'residual',
    title: 'residual 3x32x32, batch 32',
    batch: 32,
    latent: 64,
    shape: [3, 32, 32],
    steps: 3,
    async data(folder) {
      const rows = smoothPictures(512);
      const file = join(folder, 'pictures');
      await writeFile(file, rows);
      return { rows, file, skip: 0 };
    },
  },
];

/**
 * One training step of two convolutional VAEs with Adam, as a native training session runs it: gather, scale,
 * noise, forward, backward, update. Memory is the peak of a fresh process over what it held before.
 */
export const bench: Bench = {
  question: 'How long does a training step of a convolutional VAE take, and how much memory, beside PyTorch?',
  async run(context): Promise<BenchResult> {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
    try {
      const results: BenchResult[] = [];
      for (const each of NET_BENCHES) results.push(await runNet(each, folder, context));
      return {
        cases: results.flatMap(({ cases }) => cases),
        missing: Object.assign({}, ...results.map(({ missing }) => missing)),
        sections: results.flatMap(({ sections }) => sections),
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function runNet(each: NetBench, folder: string, context: BenchContext): Promise<BenchResult> {
  const { net, title, batch, latent, shape, steps } = each;
  const { threads, log } = context;
  const { rows, file, skip } = await each.data(folder);
  const options: PyTorchOptions = { net, data: file, skip, shape, latent, batch };
  log(title);
  const torch = await PyTorchTraining.start('training_conv', options, 2, context);
  const trainer = await openNet(net, { data: rows, batch, threads });
  try {
    await trainer.train(steps);
    let last: TrainedSteps | undefined;
    const round = async (): Promise<number> => {
      last = await trainer.train(steps);
      return last.stepMs;
    };
    const timings = await alternate([{ name: 'node-vae', round }, ...torch.contenders(steps)], context);
    const peers = torch.peers(timings);
    const memory = await peaks(each, options, peers, threads);
    const ours = timings['node-vae']!;
    const entry: BenchCase = {
      name: title,
      ours: { ...timingMetrics(ours, 'training session'), ...memory['node-vae'] },
      peers: Object.fromEntries(
        Object.entries(peers).map(([name, metrics]) => [name, { ...metrics, ...memory[name] }]),
      ),
      ratios: Object.fromEntries(
        Object.entries(peers).map(([name, { stepMs }]) => [name, (stepMs as number) / ours.median]),
      ),
    };
    return {
      cases: [entry],
      missing: Object.fromEntries(Object.entries(torch.missing).map(([name, why]) => [`${name} (${net})`, why])),
      sections: [
        { title: `${title}: where the time goes (last round)`, table: breakdown(last!, steps) },
        ...(Object.keys(peers).length > 0 ? [{ title: `${title}: all variants`, table: torch.table(timings) }] : []),
        ...(context.profile ? await profile(each, rows, folder, threads) : []),
      ],
    };
  } finally {
    await torch.close();
    await trainer.close();
  }
}

/** Peak memory in MB of each contender's own best variant, each in a fresh process. */
async function peaks(
  { net, batch }: NetBench,
  options: PyTorchOptions,
  peers: Readonly<Record<string, { readonly variant?: unknown }>>,
  threads: number,
): Promise<Record<string, { peakMb: number }>> {
  const steps = 3;
  const found: Record<string, { peakMb: number }> = {};
  const note = (name: string, bytes: number | undefined): void => {
    if (bytes !== undefined) found[name] = { peakMb: Math.round(bytes / 1e6) };
  };
  note('node-vae', await ourPeakBytes({ net, batch, threads, steps }));
  if (process.platform !== 'linux') return found;
  for (const [name, { variant }] of Object.entries(peers)) {
    note(name, await pytorchPeakBytes('training_conv', options, variant as string, steps, threads));
  }
  return found;
}

function breakdown({ seconds }: TrainedSteps, steps: number): string[][] {
  const { assemble, graph, optimizer, total } = seconds;
  const parts: [string, number][] = [
    ['assemble the batch', assemble],
    ['graph (forward and backward)', graph],
    ['optimizer', optimizer],
    ['everything else', total - assemble - graph - optimizer],
  ];
  const rows = parts.map(([name, value]) => [
    name,
    figure((value * 1000) / steps),
    `${((100 * value) / total).toFixed(1)}%`,
  ]);
  return [['part of a step', 'ms', 'share'], ...rows];
}

async function profile(
  { net, title, batch, steps }: NetBench,
  data: Uint8Array,
  folder: string,
  threads: number,
): Promise<BenchResult['sections']> {
  const trainer: GraphTrainer = await openNet(net, { data, batch, threads, profilePrefix: join(folder, net) });
  await trainer.train(steps);
  const [operators, nodes] = profileTables(readProfile(trainer.endProfiling()), steps);
  await trainer.close();
  return [
    { title: `${title}: by operator, from ONNX Runtime’s profile`, table: operators },
    { title: `${title}: the most expensive nodes`, table: nodes },
  ];
}

/** Pictures of soft waves: what they show does not change how long a step takes. */
function smoothPictures(count: number): Uint8Array {
  const pictures = new Uint8Array(count * 3 * 32 * 32);
  for (let at = 0; at < pictures.length; at += 1) {
    const x = at % 32;
    const y = Math.floor(at / 32) % 32;
    const channel = Math.floor(at / 1024) % 3;
    const picture = Math.floor(at / 3072);
    pictures[at] = 128 + 100 * Math.sin((x * (1 + (picture % 5)) + y * (picture % 3) + 7 * channel + picture) / 9);
  }
  return pictures;
}
