/** Timed rounds of several contenders, taking turns. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Disturbance } from './disturbance.js';
import { median } from './stats.js';
import type { BenchContext } from './types.js';

export interface Contender {
  readonly name: string;
  /** One timed round; returns the figure that is compared, such as milliseconds a step. */
  round(): Promise<number>;
}

export interface Timing {
  readonly median: number;
  readonly best: number;
  readonly samples: readonly number[];
  /** Rounds kept although other processes were busy, because quiet ones did not come. */
  readonly disturbed: number;
}

export interface AlternateOptions {
  /** Idle time before each round: threads of the contender before it stop spinning. Default 300 ms. */
  readonly settleMs?: number;
}

/** Others may use this much of one core before a round counts as disturbed. */
const FOREIGN_CORES = 0.1;
const TRIES = 4;
/** Once this much time went into rounds that had to be done again, the machine is taken as it is. */
const RETRY_BUDGET_MS = 60_000;

/** Every contender once in each round, in turn; a round in which other processes were busy is done again. */
export async function alternate(
  contenders: readonly Contender[],
  { rounds, log }: BenchContext,
  { settleMs = 300 }: AlternateOptions = {},
): Promise<Record<string, Timing>> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  const disturbed = new Map<string, number>();
  const budget = { ms: RETRY_BUDGET_MS };
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) {
      const sample = await quietRound(contender, settleMs, budget);
      samples.get(contender.name)!.push(sample.value);
      if (sample.disturbed) disturbed.set(contender.name, (disturbed.get(contender.name) ?? 0) + 1);
    }
    const latest = contenders.map(({ name }) => `${name} ${samples.get(name)!.at(-1)!.toPrecision(4)}`);
    log(`round ${round + 1} of ${rounds}: ${latest.join(', ')}`);
  }
  return Object.fromEntries(
    contenders.map(({ name }) => {
      const values = samples.get(name)!;
      const timing: Timing = {
        median: median(values),
        best: Math.min(...values),
        samples: values,
        disturbed: disturbed.get(name) ?? 0,
      };
      return [name, timing];
    }),
  );
}

/** The first undisturbed try, or the quickest of them all. */
async function quietRound(
  contender: Contender,
  settleMs: number,
  budget: { ms: number },
): Promise<{ value: number; disturbed: boolean }> {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < TRIES && (attempt === 0 || budget.ms > 0); attempt += 1) {
    const started = performance.now();
    await sleep(settleMs * (attempt + 1));
    const disturbance = new Disturbance();
    const value = await contender.round();
    if ((disturbance.foreignCores() ?? 0) <= FOREIGN_CORES) return { value, disturbed: false };
    best = Math.min(best, value);
    budget.ms -= performance.now() - started;
  }
  return { value: best, disturbed: true };
}
