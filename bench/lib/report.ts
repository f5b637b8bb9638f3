/** The outcome of a bench, on the terminal and as JSON. */
import type { Machine } from './machine.js';
import type { BenchCase, BenchResult, Metrics } from './types.js';

/** Fills columns with spaces; every column but the first is flush right. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((sum, row) => row.map((cell, i) => Math.max(sum[i] ?? 0, cell.length)), []);
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  const [head, ...body] = rows;
  return [line(head!), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

/** Four significant digits. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
}

export function renderReport(name: string, question: string, machine: Machine, result: BenchResult): string {
  const { cpu, cores, memoryGb, os, node, versions, load } = machine;
  const packages = Object.entries(versions).map(([key, version]) => `${key} ${version}`);
  const parts = [
    `${name}: ${question}`,
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${os}; Node ${node}, ${packages.join(', ')}; load ${load} at the start`,
    ...(result.cases.length > 3 ? [renderCases(result.cases)] : result.cases.map(renderCase)),
    ...result.sections.map(({ title, table }) => `${title}\n${renderTable(table)}`),
    ...Object.entries(result.missing).map(([peer, why]) => `${peer} is left out: ${why}.`),
    'A ratio above 1 means node-vae is better. disturbed: rounds in which other processes used the processor too.',
  ];
  return `${parts.join('\n\n')}\n`;
}

function renderCase({ name, ours, peers, ratios }: BenchCase): string {
  const contenders: [string, Metrics][] = [['node-vae', ours], ...Object.entries(peers)];
  const columns = [...new Set(contenders.flatMap(([, metrics]) => Object.keys(metrics)))];
  const rows = contenders.map(([contender, metrics]) => [
    contender,
    ...columns.map((column) => cell(metrics[column])),
    ratios[contender] === undefined ? '' : ratios[contender].toFixed(2),
  ]);
  return renderTable([[name, ...columns, 'ratio'], ...rows]);
}

/** One line for each case, for benches with many. */
function renderCases(cases: readonly BenchCase[]): string {
  const columns = [...new Set(cases.flatMap(({ ours }) => Object.keys(ours)))];
  const names = [...new Set(cases.flatMap(({ peers }) => Object.keys(peers)))];
  const head = ['node-vae', ...names].flatMap((who) => columns.map((column) => `${who} ${column}`));
  const rows = cases.map(({ name, ours, peers, ratios }) => [
    name,
    ...[ours, ...names.map((peer) => peers[peer])].flatMap((metrics) => columns.map((key) => cell(metrics?.[key]))),
    ...names.map((peer) => (ratios[peer] === undefined ? '' : ratios[peer].toFixed(2))),
  ]);
  return renderTable([
    ['', ...head, ...names.map((peer) => (names.length > 1 ? `ratio to ${peer}` : 'ratio'))],
    ...rows,
  ]);
}

function cell(value: number | string | undefined): string {
  return value === undefined ? '' : typeof value === 'number' ? figure(value) : value;
}

/**
 * `ours`, `peers` and `ratios` of a bench with several cases: figures are named `CASE FIGURE`, and a
 * peer's ratio is the worst of its cases; each case is under `cases`.
 */
export function toJson(name: string, question: string, machine: Machine, result: BenchResult): unknown {
  const { cases, missing, sections } = result;
  const single = cases.length === 1;
  const flatten = (pick: (entry: BenchCase) => Metrics | undefined): Metrics =>
    Object.fromEntries(
      cases.flatMap((entry) =>
        Object.entries(pick(entry) ?? {}).map(([key, value]) => [single ? key : `${entry.name} ${key}`, value]),
      ),
    );
  const names = [...new Set(cases.flatMap(({ peers }) => Object.keys(peers)))];
  const worst = (peer: string): number =>
    Math.min(...cases.map(({ ratios }) => ratios[peer] ?? Number.POSITIVE_INFINITY));
  return {
    bench: name,
    question,
    machine,
    ours: flatten(({ ours }) => ours),
    peers: Object.fromEntries(names.map((peer) => [peer, flatten(({ peers }) => peers[peer])])),
    ratios: Object.fromEntries(names.map((peer) => [peer, worst(peer)])),
    cases,
    missing,
    sections,
  };
}
