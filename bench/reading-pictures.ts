/** Folders of small pictures into rows in memory, ours beside Pillow and plain sharp: processor time, as people have cores. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { readImages } from '../src/data/index.js';
import { findPython, startPython } from './lib/python-peer.js';
import { median } from './lib/stats.js';
import type { Bench, BenchCase, BenchResult } from './lib/types.js';

const FILES = 4000;
const SIDE = 64;
const FORMATS = ['png', 'jpeg'] as const;

export const bench: Bench = {
  question: 'How many small pictures does a core read in a second, beside Pillow and sharp?',
  packages: ['sharp'],
  async run({ rounds, log }): Promise<BenchResult> {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-reading-'));
    const missing: Record<string, string> = {};
    const python = findPython('PIL');
    const started = python.python ? await startPython(python.python, 'reading_pictures', {}) : undefined;
    if (python.python === undefined) missing['Pillow'] = python.missing;
    const cases: BenchCase[] = [];
    try {
      for (const format of FORMATS) {
        const path = join(folder, format);
        log(`${format}: writing ${FILES} files`);
        await write(path, format);
        const contenders: Record<string, () => Promise<number>> = {
          'node-vae': () => processorTime(() => readImages(path)),
          sharp: () => processorTime(() => withSharp(path)),
        };
        if (started)
          contenders['Pillow'] = async () => (await started.peer.ask({ do: 'read', path }))['seconds'] as number;
        const seconds: Record<string, number[]> = {};
        // The first round warms up file cache and compilers.
        for (let round = 0; round <= rounds; round += 1) {
          for (const [name, read] of Object.entries(contenders)) {
            const taken = await read();
            if (round > 0) seconds[name] = [...(seconds[name] ?? []), taken];
          }
        }
        const metrics = Object.fromEntries(
          Object.entries(seconds).map(([name, all]) => [
            name,
            { seconds: median(all), picturesPerSecond: FILES / median(all) },
          ]),
        );
        const { 'node-vae': ours, ...peers } = metrics;
        cases.push({
          name: `${FILES} ${format} of ${SIDE} × ${SIDE}`,
          ours: ours!,
          peers,
          ratios: Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, peer.seconds / ours!.seconds])),
        });
        await rm(path, { recursive: true });
      }
    } finally {
      await started?.peer.close();
      await rm(folder, { recursive: true, force: true });
    }
    return { cases, missing, sections: [] };
  },
};

/** Seconds of all processors. */
async function processorTime(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Slopes with noise, as photographs shrunk far have them. */
async function write(folder: string, format: (typeof FORMATS)[number]): Promise<void> {
  await mkdir(folder);
  for (let file = 0; file < FILES; file += 1) {
    const pixels = Buffer.from(
      Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, at) => {
        const [x, y, channel] = [Math.floor(at / 3) % SIDE, Math.floor(at / 3 / SIDE), at % 3];
        return (x * (channel + 1) + y * 2 + file * 7 + Math.random() * 16) / 2;
      }),
    );
    const image = sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } });
    await image.toFormat(format).toFile(join(folder, `${String(file).padStart(5, '0')}.${format}`));
  }
}

async function withSharp(folder: string): Promise<void> {
  const names = await readdir(folder);
  const out = new Uint8Array(names.length * SIDE * SIDE * 3);
  let next = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next < names.length) {
        const index = next++;
        out.set(await sharp(join(folder, names[index]!)).raw().toBuffer(), index * SIDE * SIDE * 3);
      }
    }),
  );
}
