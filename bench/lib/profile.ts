/** ONNX Runtime's profile as a table of time by operator. */
import { readFileSync } from 'node:fs';

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

/** Reads the trace that a session wrote. */
export function readProfile(path: string): TraceEvent[] {
  return JSON.parse(readFileSync(path, 'utf8')) as TraceEvent[];
}

/** Milliseconds a run by operator, largest first, and the most expensive single nodes. */
export function profileTables(events: readonly TraceEvent[], runs: number, mostNodes = 20): [string[][], string[][]] {
  const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'));
  const operators = sumBy(kernels, ({ args }) => args?.op_name ?? 'unknown');
  const nodes = sumBy(kernels, ({ name, args }) => `${args?.op_name ?? ''} ${name.replace(/_kernel_time$/, '')}`);
  const total = kernels.reduce((sum, { dur }) => sum + dur, 0);
  const rows = (sums: Map<string, { dur: number; count: number }>, most: number): string[][] =>
    [...sums]
      .sort(([, a], [, b]) => b.dur - a.dur)
      .slice(0, most)
      .map(([name, { dur, count }]) => [
        name,
        (count / runs).toFixed(count % runs === 0 ? 0 : 1),
        (dur / runs / 1000).toFixed(3),
        `${((100 * dur) / total).toFixed(1)}%`,
      ]);
  return [
    [['operator', 'nodes', 'ms a step', 'share'], ...rows(operators, Number.POSITIVE_INFINITY)],
    [['node', 'times', 'ms a step', 'share'], ...rows(nodes, mostNodes)],
  ];
}

function sumBy(events: readonly TraceEvent[], key: (event: TraceEvent) => string) {
  const sums = new Map<string, { dur: number; count: number }>();
  for (const event of events) {
    const sum = sums.get(key(event)) ?? { dur: 0, count: 0 };
    sums.set(key(event), { dur: sum.dur + event.dur, count: sum.count + 1 });
  }
  return sums;
}
