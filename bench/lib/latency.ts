/** Latency of single calls: contenders take turns, in blocks of calls one after another. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Disturbance } from './disturbance.js';
import { median, quantile } from './stats.js';

export interface Callee {
  readonly name: string;
  call(): Promise<unknown>;
}

export interface Latency {
  /** Microseconds a call. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Blocks kept although other processes were busy. */
  readonly disturbed: number;
}

const BLOCK_MS = 150;
const SETTLE_MS = 60;
const FOREIGN_CORES = 0.15;
const TRIES = 4;

/** The median over blocks of each block's quantiles. */
export async function measureLatency(callees: readonly Callee[], blocks: number): Promise<Record<string, Latency>> {
  const found = callees.map(() => ({ p50: [] as number[], p99: [] as number[], disturbed: 0 }));
  const calls: number[] = [];
  for (const callee of callees) calls.push(await callsPerBlock(callee));
  for (let block = 0; block < blocks; block += 1) {
    for (const [index, callee] of callees.entries()) {
      const entry = found[index]!;
      const { times, disturbed } = await quietBlock(callee, calls[index]!);
      entry.p50.push(quantile(times, 0.5));
      entry.p99.push(quantile(times, 0.99));
      if (disturbed) entry.disturbed += 1;
    }
  }
  return Object.fromEntries(
    callees.map(({ name }, index) => {
      const { p50, p99, disturbed } = found[index]!;
      return [name, { p50Us: median(p50), p99Us: median(p99), disturbed }];
    }),
  );
}

/** Warms up, and finds how many calls fill a block. */
async function callsPerBlock({ call }: Callee): Promise<number> {
  for (let i = 0; i < 20; i += 1) await call();
  let calls = 0;
  for (const start = performance.now(); performance.now() - start < BLOCK_MS; calls += 1) await call();
  return Math.max(10, calls);
}

/** An undisturbed block, or of all tries the one with the lowest median. */
async function quietBlock(callee: Callee, calls: number): Promise<{ times: number[]; disturbed: boolean }> {
  let best: number[] = [];
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    await sleep(SETTLE_MS * (attempt + 1));
    const disturbance = new Disturbance();
    const times = await block(callee, calls);
    if ((disturbance.foreignCores() ?? 0) <= FOREIGN_CORES) return { times, disturbed: false };
    if (best.length === 0 || median(times) < median(best)) best = times;
  }
  return { times: best, disturbed: true };
}

async function block({ call }: Callee, calls: number): Promise<number[]> {
  const times = new Array<number>(calls);
  for (let i = 0; i < calls; i += 1) {
    const start = performance.now();
    await call();
    times[i] = (performance.now() - start) * 1000;
  }
  return times;
}
