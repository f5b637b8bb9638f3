/** Tables and arrays from files into numbers in memory, ours beside what people read them with. */
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNpy, readTable } from '../src/data/index.js';
import { writeNpyHeader } from '../src/data/npy/header.js';
import { writeArray } from '../src/data/table/write-array.js';
import { findPython, startPython } from './lib/python-peer.js';
import { median } from './lib/stats.js';
import type { Bench, BenchCase, BenchResult, Metrics } from './lib/types.js';

const ROWS = 500_000;
const EMBEDDINGS = 20_000;
const WIDTH = 384;
const SIDE = 6000;

interface Contender {
  readonly name: string;
  /** Seconds of one read. */
  read(path: string): Promise<number>;
}

interface Case {
  readonly name: string;
  /** What the Python peer calls it. */
  readonly kind: string;
  make(path: string): Promise<void>;
  readonly ending: string;
  ours(path: string): Promise<unknown>;
  readonly npm: readonly (readonly [string, (path: string) => Promise<unknown>])[];
}

const CASES: readonly Case[] = [
  {
    name: `CSV, ${ROWS} rows of 9 numbers and a city`,
    kind: 'csv',
    ending: '.csv',
    make: makeCsv,
    ours: (path) => readTable(path),
    npm: [
      ['csv-parse', withCsvParse],
      ['papaparse', withPapaparse],
      ['udsv', withUdsv],
    ],
  },
  {
    name: `JSON lines, ${EMBEDDINGS} embeddings of ${WIDTH}`,
    kind: 'jsonLines',
    ending: '.jsonl',
    make: makeJsonLines,
    ours: (path) => readTable(path),
    npm: [['JSON.parse', withJsonParse]],
  },
  {
    name: `.npy in Fortran order, ${SIDE} × ${SIDE} float32`,
    kind: 'npy',
    ending: '.npy',
    make: makeFortran,
    ours: (path) => readNpy(path),
    npm: [],
  },
  {
    name: `Parquet, ${ROWS / 5} rows of 10`,
    kind: 'parquet',
    ending: '.parquet',
    make: (path) =>
      writeArray(path, { data: Float32Array.from({ length: ROWS * 2 }, () => Math.random()), shape: [ROWS / 5, 10] }),
    ours: (path) => readTable(path),
    npm: [],
  },
];

export const bench: Bench = {
  question: 'How fast do files become numbers in memory, beside pandas, numpy and the parsers of npm?',
  packages: ['csv-parse', 'papaparse', 'udsv'],
  async run({ rounds, log }): Promise<BenchResult> {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-reading-'));
    const missing: Record<string, string> = {};
    const python = findPython('pandas');
    const started = python.python ? await startPython(python.python, 'reading', {}) : undefined;
    if (python.python === undefined) missing['pandas, numpy'] = python.missing;
    const cases: BenchCase[] = [];
    try {
      for (const one of CASES) {
        const path = join(folder, `data${one.ending}`);
        log(`${one.name}: writing the file`);
        await one.make(path);
        const megabytes = (await stat(path)).size / 1e6;
        const contenders: Contender[] = [{ name: 'node-vae', read: (file) => timed(() => one.ours(file)) }];
        if (started) {
          const ask = async (file: string): Promise<number> =>
            (await started.peer.ask({ do: one.kind, path: file }))['seconds'] as number;
          contenders.push({ name: one.kind === 'npy' ? 'numpy' : 'pandas', read: ask });
        }
        for (const [name, read] of one.npm) contenders.push({ name, read: (file) => timed(() => read(file)) });
        const seconds = await alternate(contenders, path, rounds, missing);
        const metrics = new Map<string, Metrics>();
        for (const [name, times] of seconds) {
          metrics.set(name, { seconds: median(times), mbPerSecond: megabytes / median(times) });
        }
        const { 'node-vae': ours, ...peers } = Object.fromEntries(metrics) as Record<string, Metrics>;
        const ratios = Object.fromEntries(
          Object.entries(peers).map(([name, peer]) => [
            name,
            (peer['seconds'] as number) / (ours!['seconds'] as number),
          ]),
        );
        cases.push({ name: one.name, ours: ours!, peers, ratios });
        await rm(path);
      }
    } finally {
      await started?.peer.close();
      await rm(folder, { recursive: true, force: true });
    }
    return { cases, missing, sections: [] };
  },
};

/** Rounds in turn, so that all meet the same disturbances; who fails in the first is left out. */
async function alternate(
  contenders: readonly Contender[],
  path: string,
  rounds: number,
  missing: Record<string, string>,
): Promise<Map<string, number[]>> {
  const seconds = new Map<string, number[]>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, read } of contenders) {
      if (missing[name] !== undefined) continue;
      try {
        const taken = await read(path);
        // The first round warms up file cache and compilers.
        if (round > 0) seconds.set(name, [...(seconds.get(name) ?? []), taken]);
      } catch (error) {
        if (name === 'node-vae') throw error;
        missing[name] = (error as Error).message;
      }
    }
  }
  return seconds;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

async function writeLines(path: string, rows: number, line: (row: number) => string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let from = 0; from < rows; from += 5000) {
      let text = '';
      for (let row = from; row < Math.min(rows, from + 5000); row += 1) text += `${line(row)}\n`;
      await file.write(text);
    }
  } finally {
    await file.close();
  }
}

const CITIES = ['Bern', 'Oslo', 'Paris', 'New York'];

async function makeCsv(path: string): Promise<void> {
  await writeLines(path, ROWS + 1, (row) => {
    if (row === 0) return 'a,b,c,d,e,f,g,h,i,city';
    const reals = Array.from({ length: 6 }, () => (Math.random() * 20 - 10).toFixed(4));
    const wholes = Array.from({ length: 3 }, () => Math.floor(Math.random() * 1e5));
    return [...reals, ...wholes, CITIES[row % 4]].join(',');
  });
}

async function makeJsonLines(path: string): Promise<void> {
  await writeLines(path, EMBEDDINGS, () =>
    JSON.stringify({ e: Array.from({ length: WIDTH }, () => Number((Math.random() * 2 - 1).toPrecision(8))) }),
  );
}

async function makeFortran(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.write(writeNpyHeader({ descr: '<f4', fortranOrder: true, shape: [SIDE, SIDE] }));
    const values = Float32Array.from({ length: SIDE * 100 }, (_, index) => index);
    for (let column = 0; column < SIDE; column += 100) await file.write(new Uint8Array(values.buffer));
  } finally {
    await file.close();
  }
}

async function withCsvParse(path: string): Promise<void> {
  const { parse } = await import('csv-parse');
  let rows = 0;
  for await (const _ of createReadStream(path).pipe(parse({ cast: true, columns: false }))) rows += 1;
  if (rows !== ROWS + 1) throw new Error(`${rows} rows`);
}

async function withPapaparse(path: string): Promise<void> {
  const name = 'papaparse';
  const { default: papa } = (await import(name)) as { default: { parse(text: string, options: object): unknown } };
  papa.parse(await readFile(path, 'utf8'), { dynamicTyping: true, header: false });
}

async function withUdsv(path: string): Promise<void> {
  const name = 'udsv';
  const { inferSchema, initParser } = (await import(name)) as {
    inferSchema(text: string): unknown;
    initParser(schema: unknown): { typedCols(text: string): unknown };
  };
  const text = await readFile(path, 'utf8');
  initParser(inferSchema(text)).typedCols(text);
}

async function withJsonParse(path: string): Promise<void> {
  const out = new Float32Array(EMBEDDINGS * WIDTH);
  for (const [row, line] of (await readFile(path, 'utf8')).split('\n').entries()) {
    if (line !== '') out.set((JSON.parse(line) as { e: number[] }).e, row * WIDTH);
  }
}
