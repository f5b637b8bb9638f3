/**
 * How much of the machine other processes used while something was timed. On a busy machine threads that
 * wait for each other lose far more time than the share that was taken, so such rounds are done again.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second of /proc on Linux. */
const TICKS = 100;

interface Usage {
  /** Seconds of processor time used by everyone, time stolen by the hypervisor included. */
  readonly all: number;
  readonly own: number;
  readonly at: number;
}

export class Disturbance {
  readonly #start = usage();

  /** Cores' worth of processor time used by others since construction; undefined off Linux. */
  foreignCores(): number | undefined {
    const end = usage();
    if (this.#start === undefined || end === undefined) return undefined;
    const others = end.all - this.#start.all - (end.own - this.#start.own);
    return Math.max(0, others / Math.max(end.at - this.#start.at, 1 / TICKS));
  }
}

function usage(): Usage | undefined {
  if (process.platform !== 'linux') return undefined;
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split(/\s+/, 9)
    .map(Number);
  const ticks = user! + nice! + system! + irq! + softirq! + steal!;
  return { all: ticks / TICKS, own: ownTicks() / TICKS, at: performance.now() / 1000 };
}

/** Processor time of this process and of everything it started. */
function ownTicks(): number {
  const parents = new Map<number, { parent: number; ticks: number }>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // The fields after the command's closing bracket: state, ppid, …, utime (12th), stime, cutime, cstime.
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!;
      parents.set(Number(entry), { parent: fields[1]!, ticks });
    } catch {
      // The process ended between listing and reading.
    }
  }
  const isOwn = (pid: number): boolean => {
    for (let at = pid; at > 1; at = parents.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  let ticks = 0;
  for (const [pid, process] of parents) if (isOwn(pid)) ticks += process.ticks;
  return ticks;
}
