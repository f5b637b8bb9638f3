/**
 * What a job does to its items, each stage by itself: reading, decoding, encoding. Also a program, of which several measure
 * their shares at the same time: `job-parts.ts MODEL INPUT SIDE ITEMS SHARE SHARES` says "ready", and on a line of its
 * standard input the seconds that its share took.
 */
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { decodePicture } from '../../src/data/image/decode.js';
import { inParallel } from '../../src/data/parallel.js';
import { Vae } from '../../src/index.js';

export interface Items {
  /** A folder of pictures, or a .npy file of bytes. */
  readonly input: string;
  readonly side: number;
  /** Numbers of the items, from and to. */
  readonly from: number;
  readonly to: number;
}

export interface Parts<T = number> {
  readonly read: T;
  readonly decode: T;
  readonly encode: T;
}

/** As jobs choose it where nothing is said. */
function batchFor(side: number): number {
  return Math.max(1, Math.min(1024, Math.floor((1 << 21) / (side * side * 3))));
}

/** @param timed what is taken of a stage. */
export async function partsAlone(
  { input, side, from, to }: Items,
  vae: Vae,
  timed: (work: () => Promise<unknown>) => Promise<number>,
): Promise<Parts> {
  const row = side * side * 3;
  const items = to - from;
  let rows: Uint8Array = new Uint8Array(0);
  let [read, decode] = [0, 0];
  if (input.endsWith('.npy')) {
    read = await timed(async () => {
      const file = await open(input);
      const { size } = await file.stat();
      rows = new Uint8Array(items * row);
      // The header stands before all rows, which end with the file.
      const start = size - Math.floor(size / row) * row;
      await file.read(rows, 0, rows.length, start + from * row);
      await file.close();
    });
  } else {
    const names = (await readdir(input)).sort().slice(from, to);
    let bytes: Buffer[] = [];
    read = await timed(async () => {
      bytes = await inParallel(names, (name) => readFile(join(input, name)));
    });
    rows = new Uint8Array(items * row);
    const form = { colour: 'rgb', depth: 8, values: 'stored', range: undefined, clip: undefined } as const;
    decode = await timed(() =>
      inParallel(bytes, async (one, index) => {
        const { data } = await decodePicture({ bytes: one, name: 'a picture' }, form);
        rows.set(data, index * row);
      }),
    );
  }
  const batch = batchFor(side);
  const encode = await timed(async () => {
    for (let at = 0; at < items; at += batch) {
      const end = Math.min(items, at + batch);
      await vae.encode({ data: rows.subarray(at * row, end * row), shape: [end - at, 3, side, side] });
    }
  });
  return { read, decode, encode };
}

async function wallTime(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function main([model, input, ...numbers]: string[]): Promise<void> {
  const [side, items, share, shares] = numbers.map(Number) as [number, number, number, number];
  const [from, to] = [share, share + 1].map((part) => Math.floor((items * part) / shares)) as [number, number];
  await using vae = await Vae.load(model!, { threads: 1 });
  // Compilers and the shapes of runs: not what is measured.
  await partsAlone({ input: input!, side, from, to: Math.min(to, from + 4 * batchFor(side)) }, vae, wallTime);
  process.stdout.write('ready\n');
  await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
  const parts = await partsAlone({ input: input!, side, from, to }, vae, wallTime);
  process.stdout.write(`${JSON.stringify(parts)}\n`);
  process.stdin.destroy();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
