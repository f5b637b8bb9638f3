import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compress, decompress } from '../src/codecs/index.js';
import { figure } from './lib/report.js';
import type { Bench, BenchCase, BenchResult, Metrics } from './lib/types.js';

const run = promisify(execFile);
/** Spoken words and noise of Debian's alsa-utils, which the model was not trained on. */
const FOLDERS = ['/usr/share/sounds/alsa'];

/** Files go in and out of a codec, one after another. */
interface Contender {
  readonly name: string;
  readonly programs: readonly string[];
  pack(path: string, packed: string): Promise<void>;
  unpack(packed: string, folder: string): Promise<string>;
}

const program = (name: string, pack: string[], unpack: string[]): Contender => ({
  name,
  programs: [pack[0]!],
  async pack(path, packed) {
    await run(pack[0]!, [...pack.slice(1).map((word) => word.replace('OUT', packed)), path]);
  },
  async unpack(packed, folder) {
    const out = join(folder, 'out.wav');
    await run(unpack[0]!, [...unpack.slice(1).map((word) => word.replace('OUT', out)), packed]);
    return out;
  },
});

const piped = (name: string, pack: string[], unpack: string[]): Contender => ({
  name,
  programs: [pack[0]!],
  async pack(path, packed) {
    await run('sh', ['-c', `exec "$@" < "$IN" > "$OUT"`, 'sh', ...pack], {
      env: { ...process.env, IN: path, OUT: packed },
    });
  },
  async unpack(packed, folder) {
    const out = join(folder, 'out.wav');
    await run('sh', ['-c', `exec "$@" < "$IN" > "$OUT"`, 'sh', ...unpack], {
      env: { ...process.env, IN: packed, OUT: out },
    });
    return out;
  },
});

const OURS: Contender = {
  name: 'node-vae',
  programs: [],
  async pack(path, packed) {
    await compress(path, { model: 'sound-codec', output: packed });
  },
  async unpack(packed, folder) {
    return (await decompress(packed, { output: folder })).path;
  },
};

const PEERS: readonly Contender[] = [
  program(
    'FLAC -8',
    ['flac', '-8', '-s', '-f', '--no-padding', '--no-seektable', '-o', 'OUT'],
    ['flac', '-d', '-s', '-f', '-o', 'OUT'],
  ),
  piped('xz -9e', ['xz', '-9e', '-c'], ['xz', '-d', '-c']),
  piped('gzip -9', ['gzip', '-9', '-c'], ['gzip', '-d', '-c']),
];

/**
 * WAV files, each into an archive of its own and out again, every byte compared. NODE_VAE_SOUNDS names other
 * folders. Only the size counts in a ratio; the others run as programs, whose start is part of their time.
 */
export const bench: Bench = {
  question: 'How small does sound get without loss, beside FLAC and general compressors?',
  packages: [],
  async run({ log }): Promise<BenchResult> {
    const folders = process.env['NODE_VAE_SOUNDS']?.split(':') ?? FOLDERS;
    const missing: Record<string, string> = {};
    const contenders = [OURS];
    for (const peer of PEERS) {
      const found = await run('sh', ['-c', `command -v ${peer.programs[0]}`]).catch(() => undefined);
      if (found) contenders.push(peer);
      else missing[peer.name] = `${peer.programs[0]} is not installed`;
    }
    const cases: BenchCase[] = [];
    const table = [['', 'bytes', 'of the WAV files', 'compress MB/s', 'decompress MB/s']];
    for (const folder of folders) {
      if (!existsSync(folder)) {
        missing[folder] = 'there is no such folder';
        continue;
      }
      const files = (await readdir(folder)).filter((name) => /\.wav$/i.test(name)).sort();
      const results = new Map<string, Metrics & { bytes: number }>();
      for (const contender of contenders) {
        log(`${folder}: ${contender.name}`);
        const measured = await measure(
          contender,
          files.map((name) => join(folder, name)),
        );
        results.set(contender.name, measured);
        const { bytes, share, compressMbPerSecond, decompressMbPerSecond } = measured;
        table.push([
          `${files.length} of ${folder}: ${contender.name}`,
          ...[
            String(bytes),
            `${(100 * share).toFixed(2)} %`,
            figure(compressMbPerSecond),
            figure(decompressMbPerSecond),
          ],
        ]);
      }
      const ours = results.get(OURS.name)!;
      const peers = [...results].filter(([name]) => name !== OURS.name);
      cases.push({
        name: folder,
        ours,
        peers: Object.fromEntries(peers),
        ratios: Object.fromEntries(peers.map(([name, { bytes }]) => [name, bytes / ours.bytes])),
      });
    }
    return { cases, missing, sections: [{ title: 'Size and speed', table }] };
  },
};

async function measure(contender: Contender, files: readonly string[]) {
  const sums = { bytesIn: 0, bytes: 0, packMs: 0, unpackMs: 0 };
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
  try {
    for (const path of files) {
      const packed = join(folder, 'packed');
      const started = performance.now();
      await contender.pack(path, packed);
      const between = performance.now();
      const out = await contender.unpack(packed, folder);
      sums.unpackMs += performance.now() - between;
      sums.packMs += between - started;
      const original = await readFile(path);
      if (!original.equals(await readFile(out))) throw new Error(`${contender.name} did not give back ${path}`);
      sums.bytesIn += original.length;
      sums.bytes += (await stat(packed)).size;
      await rm(packed);
      await rm(out);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return {
    bytes: sums.bytes,
    share: sums.bytes / sums.bytesIn,
    compressMbPerSecond: sums.bytesIn / 1000 / sums.packMs,
    decompressMbPerSecond: sums.bytesIn / 1000 / sums.unpackMs,
  };
}
