/** Our side of the training benches: epochs through the real training loop. */
import { type Dataset, toDataset } from '../../src/data/index.js';
import type { History } from '../../src/training/progress.js';

/** Rows of bytes as a dataset. */
export function byteRows(data: Uint8Array, rowShape: readonly number[]): Promise<Dataset> {
  const width = rowShape.reduce((product, dim) => product * dim, 1);
  return toDataset({ data, shape: [data.length / width, ...rowShape] });
}

/** Milliseconds of the mean step of the last epoch: the first also makes the session and touches its memory. */
export function lastEpochStepMs(history: History, steps: number): number {
  return (history.epochs.at(-1)!.seconds * 1000) / steps;
}

/** Where a step's time went, as rows of a table. */
export function breakdownTable(history: History, steps: number): string[][] {
  const { breakdown, seconds } = history;
  const parts: [string, number][] = [
    ['assemble the batch', breakdown.assemble],
    ['graph (forward and backward)', breakdown.graph],
    ['optimizer', breakdown.optimizer],
    ['everything else (JavaScript, hand-over)', seconds - breakdown.assemble - breakdown.graph - breakdown.optimizer],
  ];
  const rows = parts.map(([name, value]) => [
    name,
    ((value * 1000) / steps).toFixed(3),
    `${((100 * value) / seconds).toFixed(1)}%`,
  ]);
  return [['part of a step', 'ms', 'share'], ...rows];
}
