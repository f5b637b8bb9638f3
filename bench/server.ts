import { execFile } from 'node:child_process';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packInto, projectWith } from '../scripts/package/packed.js';
import { alternate } from './lib/rounds.js';
import { median } from './lib/stats.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const SCRIPT = fileURLToPath(new URL('./lib/start-up.mjs', import.meta.url));
const ENTRY = pathToFileURL(fileURLToPath(new URL('../dist/main/index.js', import.meta.url))).href;
const INFERENCE = pathToFileURL(fileURLToPath(new URL('../dist/vae/inference.js', import.meta.url))).href;
const PEER = 'onnxruntime-node';

type Sample = Readonly<Record<string, number>>;

/**
 * What a server pays before its first answer: importing, loading mnist-mlp and encoding one picture, in processes of
 * their own; sixteen workers that import; and what an install takes on disk. Throughput over HTTP: the bench `http`.
 */
export const bench: Bench = {
  question: 'What does a server pay before its first answer: time, memory, disk?',
  packages: [PEER, 'sharp'],
  async run(context): Promise<BenchResult> {
    return {
      cases: [...(await startUp(context)), await workers(context), ...(await installs(context))],
      missing: {},
      sections: [],
    };
  },
};

async function once(who: string, what: string): Promise<Sample> {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, who, what]);
  return JSON.parse(stdout) as Sample;
}

async function startUp(context: BenchContext): Promise<BenchCase[]> {
  const samples = new Map<string, Sample[]>();
  const contender = (name: string, who: string) => ({
    name,
    round: async () => {
      const sample = await once(who, 'encode');
      samples.set(name, [...(samples.get(name) ?? []), sample]);
      return sample['totalMs']!;
    },
  });
  await alternate(
    [contender('node-vae', ENTRY), contender('node-vae/inference', INFERENCE), contender(PEER, PEER)],
    context,
  );
  const middle = (name: string, figure: string): number =>
    median(samples.get(name)!.map((sample) => sample[figure] as number));
  const cases: BenchCase[] = [];
  for (const [stage, title] of [
    ['import', 'import'],
    ['encode', 'load mnist-mlp and encode once'],
    ['total', 'both'],
  ] as const) {
    const figures = (name: string): Record<string, number> => {
      const found: Record<string, number> = { ms: middle(name, `${stage}Ms`), mb: middle(name, `${stage}Mb`) };
      if (stage !== 'total') found['cpuMs'] = middle(name, `${stage}CpuMs`);
      return found;
    };
    const peer = figures(PEER);
    for (const name of ['node-vae', 'node-vae/inference']) {
      const ours = figures(name);
      cases.push({
        name: `${name}: ${title}`,
        ours,
        peers: { [PEER]: peer },
        ratios: { [PEER]: peer['ms']! / ours['ms']! },
      });
    }
  }
  return cases;
}

async function workers(context: BenchContext): Promise<BenchCase> {
  const contender = (name: string, who: string) => ({
    name,
    round: async () => (await once(who, 'workers'))['ms']!,
  });
  const timings = await alternate([contender('node-vae', ENTRY), contender(PEER, PEER)], context);
  const [ours, peer] = [timings['node-vae']!.median, timings[PEER]!.median];
  return {
    name: 'import in 16 workers',
    ours: { ms: ours },
    peers: { [PEER]: { ms: peer } },
    ratios: { [PEER]: peer / ours },
  };
}

/** Installs from the registry into empty folders; what onnxruntime-node carries for other systems is counted apart. */
async function installs({ log }: BenchContext): Promise<BenchCase[]> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-install-'));
  try {
    log('installing into empty folders');
    const { tarball } = await packInto(folder);
    const measure = async (name: string, packages: readonly string[]) => {
      const project = join(folder, name);
      await projectWith(project, packages);
      const modules = join(project, 'node_modules');
      const runtime = join(modules, 'onnxruntime-node');
      const systems = await sizeOf(join(runtime, 'bin'));
      const here = await ownLibraries(join(runtime, 'bin'));
      const all = await sizeOf(modules);
      return {
        mb: all / 1e6,
        packages: await countPackages(modules),
        prunedMb: (all - systems + here) / 1e6,
        overRuntimeMb: (all - (await sizeOf(runtime))) / 1e6,
      };
    };
    const ours = await measure('ours', [tarball]);
    const runtime = await measure('runtime', [PEER]);
    const withPictures = await measure('pictures', [PEER, 'sharp']);
    return [
      {
        name: 'installed, beside the runtime and sharp',
        ours,
        peers: { [PEER]: runtime, [`${PEER} and sharp`]: withPictures },
        ratios: {
          [PEER]: runtime.prunedMb / ours.prunedMb,
          [`${PEER} and sharp`]: withPictures.prunedMb / ours.prunedMb,
        },
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function ownLibraries(bin: string): Promise<number> {
  let sum = 0;
  for (const version of await readdir(bin).catch(() => [] as string[])) {
    sum += await sizeOf(join(bin, version, process.platform, process.arch));
  }
  return sum;
}

async function sizeOf(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.size;
  const names = await readdir(path);
  const sizes = await Promise.all(names.map((name) => sizeOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function countPackages(modules: string): Promise<number> {
  const names = (await readdir(modules)).filter((name) => !name.startsWith('.'));
  const counts = await Promise.all(
    names.map(async (name) => (name.startsWith('@') ? (await readdir(join(modules, name))).length : 1)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
