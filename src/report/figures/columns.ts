import type { TableRow } from '../../data/table/rows.js';
import { axis, drawChart } from '../drawing/chart.js';
import type { Figure, Layout } from '../figure.js';
import { LIGHT, PALETTE } from '../theme.js';

const MOST_COLUMNS = 9;
const BINS = 20;
const PANEL = 210;

/** How the columns of a table are spread, in the data and in rows that the model made. */
export function columnDistributions(real: readonly TableRow[], made: readonly TableRow[]): Figure {
  const names = Object.keys(real[0] ?? {}).slice(0, MOST_COLUMNS);
  const panels = names.map((name) => panelOf(name, real, made));
  return {
    id: 'columns',
    title: 'Real and synthetic rows',
    caption:
      `The spread of each column in ${real.length} rows of data and in ${made.length} rows drawn from the model: the closer the two, the better ` +
      'the model knows the column. It says nothing of how columns hang together.',
    description: `${panels.length} bar charts that compare the data with synthetic rows.`,
    draw: (layout) => {
      const perRow = layout.narrow ? 1 : Math.min(3, panels.length);
      const rows = Math.ceil(panels.length / perRow);
      const place = (index: number) => gridOf(index, perRow, layout);
      return drawChart(
        {
          legend: { top: 0, left: 'center', data: ['data', 'synthetic'], textStyle: { color: LIGHT.ink } },
          title: panels.map(({ name }, index) => ({
            text: name,
            left: place(index).left - 30,
            top: place(index).top - 24,
            padding: 0,
            textStyle: { color: LIGHT.ink, fontSize: 13 },
          })),
          grid: panels.map((_, index) => place(index)),
          xAxis: panels.map(({ labels }, gridIndex) =>
            axis('', { type: 'category', gridIndex, data: labels, splitLine: { show: false } }),
          ) as object[],
          yAxis: panels.map((_, gridIndex) =>
            axis(gridIndex % perRow === 0 ? '% of rows' : '', {
              type: 'value',
              gridIndex,
              splitNumber: 3,
              nameGap: 28,
            }),
          ) as object[],
          series: panels.flatMap(({ shares }, index) =>
            (['data', 'synthetic'] as const).map((name, which) => ({
              name,
              type: 'bar' as const,
              xAxisIndex: index,
              yAxisIndex: index,
              silent: true,
              barGap: '0%',
              barCategoryGap: '15%',
              itemStyle: { color: PALETTE[which === 0 ? 0 : 1] },
              data: [...shares[which]!],
            })),
          ),
        },
        layout.width,
        30 + rows * PANEL,
      );
    },
  };
}

function gridOf(
  index: number,
  perRow: number,
  layout: Layout,
): { left: number; top: number; width: number; height: number } {
  const width = layout.width / perRow;
  return {
    left: (index % perRow) * width + 46,
    top: 60 + Math.floor(index / perRow) * PANEL,
    width: width - 60,
    height: PANEL - 80,
  };
}

interface Panel {
  readonly name: string;
  readonly labels: readonly string[];
  /** Percent of rows, in the data and of the model. */
  readonly shares: readonly (readonly number[])[];
}

function panelOf(name: string, real: readonly TableRow[], made: readonly TableRow[]): Panel {
  const known = (rows: readonly TableRow[]) => rows.map((row) => row[name]).filter((value) => value !== null);
  const all = [known(real), known(made)];
  const percent = (counts: readonly number[], total: number): number[] =>
    counts.map((count) => (100 * count) / Math.max(total, 1));
  if (typeof all[0]![0] === 'string') {
    const labels = [...new Set(all[0] as string[])].sort();
    return {
      name,
      labels,
      shares: all.map((values) =>
        percent(
          labels.map((label) => values.filter((value) => value === label).length),
          values.length,
        ),
      ),
    };
  }
  const numbers = all as number[][];
  const low = numbers[0]!.reduce((a, b) => Math.min(a, b));
  const high = numbers[0]!.reduce((a, b) => Math.max(a, b));
  const step = (high - low || 1) / BINS;
  const labels = Array.from({ length: BINS }, (_, bin) => String(Number((low + (bin + 0.5) * step).toPrecision(3))));
  return {
    name,
    labels,
    shares: numbers.map((values) => {
      const counts = new Array<number>(BINS).fill(0);
      for (const value of values) {
        const bin = Math.floor((value - low) / step);
        // What lies beyond the data counts with the outermost bars.
        counts[Math.min(BINS - 1, Math.max(0, bin))]! += 1;
      }
      return percent(counts, values.length);
    }),
  };
}
