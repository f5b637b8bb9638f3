import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { formatNpy } from '../src/data/npy/write.js';
import { httpRound, requestOf } from './lib/http-load.js';
import { readDigits } from './lib/mnist.js';
import { alternate } from './lib/rounds.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const PEER = 'fastify + sharp + onnxruntime-node';
const CONNECTIONS = 64;
const ROUND_MS = 2000;
const PICTURES = 64;
/** Both measure the time from tick to tick, of a timer that ticks so often. */
const TICK_MS = 1;
const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * `node-vae serve` beside the service that one writes first, by clients of this process; and the example service, which
 * encodes, decodes and scores each picture, beside that of an earlier release where NODE_VAE_EARLIER names its folder.
 */
export const bench: Bench = {
  question: 'How many pictures a second does a service reconstruct for 64 connections, from PNG to PNG?',
  packages: ['fastify', 'sharp', 'onnxruntime-node'],
  async run(context): Promise<BenchResult> {
    const digits = readDigits(PICTURES);
    const pngs = await Promise.all(
      Array.from({ length: PICTURES }, (_, at) => {
        const pixels = Buffer.from(digits.slice(at * 784, (at + 1) * 784));
        return sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
          .png()
          .toBuffer();
      }),
    );
    const requests = pngs.map((png) => requestOf('/reconstruct', 'image/png', png));
    const services = {
      'node-vae': await start(['dist/cli/main.js', 'serve', 'mnist-mlp', '--port', '0']),
      [PEER]: await start(['bench/peers/http-service.mjs', join(root, 'models', 'mnist-mlp')]),
    };
    const p99: Record<string, number[]> = { 'node-vae': [], [PEER]: [] };
    try {
      const timings = await alternate(
        Object.entries(services).map(([name, { port }]) => ({
          name,
          round: async () => {
            const { perSecond, p99Ms, refused } = await httpRound(port, CONNECTIONS, ROUND_MS, requests);
            if (refused > 0) throw new Error(`${name} refused ${refused} requests`);
            p99[name]!.push(p99Ms);
            return 1e6 / perSecond;
          },
        })),
        context,
      );
      const delays = {
        'node-vae': await delayOfOurs(services['node-vae'].port),
        [PEER]: await delayOfPeer(services[PEER]!.port),
      };
      const metrics = (name: string) => ({
        figure: 1e6 / timings[name]!.median,
        unit: 'requests/s',
        p99Ms: [...p99[name]!].sort((a, b) => a - b)[p99[name]!.length >> 1]!,
        disturbed: timings[name]!.disturbed,
      });
      const earlier = await exampleBesideEarlier(pngs, context);
      return {
        cases: [
          ...earlier,
          {
            name: `reconstruct, ${CONNECTIONS} connections`,
            ours: metrics('node-vae'),
            peers: { [PEER]: metrics(PEER) },
            ratios: { [PEER]: timings[PEER]!.median / timings['node-vae']!.median },
          },
          {
            name: 'event loop of the service',
            ours: { figure: delays['node-vae'], unit: 'ms delay p99' },
            peers: { [PEER]: { figure: delays[PEER]!, unit: 'ms delay p99' } },
            ratios: { [PEER]: delays[PEER]! / delays['node-vae'] },
          },
        ],
        missing: {},
        sections: [],
      };
    } finally {
      for (const { child } of Object.values(services)) child.kill('SIGTERM');
    }
  },
};

/** The example service of an earlier release, on the same pictures. */
async function exampleBesideEarlier(pngs: readonly Buffer[], context: BenchContext): Promise<BenchCase[]> {
  const earlier = process.env['NODE_VAE_EARLIER'];
  if (earlier === undefined) return [];
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-http-'));
  const normal = join(folder, 'normal.npy');
  const examples = Float32Array.from(readDigits(500), (value) => value / 255);
  await writeFile(normal, formatNpy({ data: examples, shape: [500, 1, 28, 28] }));
  const args = ['examples/http-service.mjs', '--model', 'mnist-mlp', '--normal', normal, '--port', '0'];
  const services = { now: await start(args), earlier: await start(args, earlier) };
  try {
    const requests = pngs.map((png) => requestOf('/pictures', 'image/png', png));
    const timings = await alternate(
      Object.entries(services).map(([name, { port }]) => ({
        name,
        round: async () => 1e6 / (await httpRound(port, CONNECTIONS, ROUND_MS, requests)).perSecond,
      })),
      context,
    );
    const figure = (name: string) => ({ figure: 1e6 / timings[name]!.median, unit: 'requests/s' });
    return [
      {
        name: `the example service, ${CONNECTIONS} connections`,
        ours: figure('now'),
        peers: { 'earlier release': figure('earlier') },
        ratios: { 'earlier release': timings['earlier']!.median / timings['now']!.median },
      },
    ];
  } finally {
    for (const { child } of Object.values(services)) child.kill('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  }
}

async function start(
  args: readonly string[],
  cwd = root,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const env = { ...process.env, NODE_VAE_LOG_LEVEL: 'silent' };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    const listen = (text: Buffer) => {
      said += text;
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${said}`)));
  });
  return { child, port };
}

async function delayOfOurs(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Math.max(0, 1000 * Number(/^nodejs_eventloop_lag_p99_seconds\S* (\S+)/m.exec(text)?.[1]) - TICK_MS);
}

async function delayOfPeer(port: number): Promise<number> {
  const { p99Ms } = (await (await fetch(`http://127.0.0.1:${port}/delay`)).json()) as { p99Ms: number };
  return Math.max(0, p99Ms - TICK_MS);
}
