import type { ArrayWithShape } from '../../core/tensor.js';
import { axis, drawChart, type EChartsOption } from '../drawing/chart.js';
import type { Figure, Layout } from '../figure.js';
import { type Projection, projectToPlane } from '../principal-axes.js';
import { LIGHT, PALETTE } from '../theme.js';

export interface LatentScatterOptions {
  /** Class number of each row, and the names of the classes. */
  readonly labels?: { readonly values: ArrayLike<number>; readonly classes: readonly string[] };
  /** Whether the model is told the label of each row. Default false. */
  readonly conditional?: boolean;
}

/** So many points are drawn at most, evenly chosen: more hide each other and make the page heavy. */
const MOST_POINTS = { wide: 3000, narrow: 1200 };

interface Group {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [number, number])[];
}

/** Posterior means in two dimensions, coloured by label. `means` is [N, latentDim]. */
export function latentScatter(means: ArrayWithShape, options: LatentScatterOptions = {}): Figure {
  const dims = means.shape[1];
  let projection: Promise<Projection> | undefined;
  return {
    id: 'latent-space',
    title: 'Latent space',
    caption:
      `The posterior mean of each example${dims! > 2 ? `, its ${dims} dimensions projected on the two principal axes` : ''}. ` +
      (options.labels
        ? `Colours and names show the label, which the model ${options.conditional ? 'was told, so that the latents need not hold it' : 'never saw'}. `
        : '') +
      `Examples that the model finds alike lie close together.`,
    description: `Scatter plot of ${means.shape[0]} latent means${options.labels ? ` in ${options.labels.classes.length} classes` : ''}.`,
    async draw(layout) {
      projection ??= projectToPlane(means, 'posterior mean');
      const { points, axes } = await projection;
      const groups = groupByLabel(points, options.labels, layout.narrow ? MOST_POINTS.narrow : MOST_POINTS.wide);
      return drawChart(build(groups, axes, layout), layout.width, layout.narrow ? 430 : 620);
    },
  };
}

function groupByLabel(points: Float64Array, labels: LatentScatterOptions['labels'], most: number): Group[] {
  const total = points.length / 2;
  const count = Math.min(total, most);
  const chosen = Array.from({ length: count }, (_, index) => Math.floor((index * total) / count));
  const at = (row: number) => [points[2 * row]!, points[2 * row + 1]!] as const;
  if (!labels) return [{ name: 'examples', color: PALETTE[0], points: chosen.map(at) }];
  const byClass = new Map<number, (readonly [number, number])[]>();
  for (const row of chosen) {
    const label = labels.values[row]!;
    const key = label >= 0 && label < PALETTE.length ? label : -1;
    byClass.set(key, [...(byClass.get(key) ?? []), at(row)]);
  }
  return [...byClass.entries()]
    .sort(([a], [b]) => (a < 0 ? 1 : b < 0 ? -1 : a - b))
    .map(([label, members]) => ({
      name: label < 0 ? 'other' : (labels.classes[label] ?? String(label)),
      color: label < 0 ? LIGHT.line : PALETTE[label]!,
      points: members,
    }));
}

function build(groups: readonly Group[], [xName, yName]: readonly [string, string], layout: Layout): EChartsOption {
  const labelled = groups.length > 1;
  const size = layout.narrow ? 4 : 5;
  return {
    legend: {
      show: labelled,
      top: 0,
      left: 'center',
      icon: 'circle',
      itemWidth: 10,
      itemGap: 12,
      textStyle: { color: LIGHT.ink, fontSize: 13 },
      data: groups.map(({ name }) => name),
    },
    grid: { left: 56, right: 16, top: labelled ? (layout.narrow ? 64 : 40) : 12, bottom: 48 },
    xAxis: axis(xName, { type: 'value', scale: true }),
    yAxis: axis(yName, { type: 'value', scale: true, nameGap: 34 }),
    series: [
      ...groups.map(({ name, color, points }) => ({
        name,
        type: 'scatter' as const,
        symbolSize: size,
        silent: true,
        itemStyle: { color, opacity: 0.75 },
        data: points.map(([x, y]) => [x, y]),
      })),
      // The name of each class at its middle, so that colour is not the only way to tell.
      ...(labelled
        ? groups
            .filter(({ name }) => name !== 'other')
            .map(({ name, points }) => ({
              type: 'scatter' as const,
              symbolSize: 0,
              silent: true,
              z: 5,
              itemStyle: { opacity: 1 },
              label: {
                show: true,
                formatter: name,
                color: LIGHT.ink,
                fontSize: 17,
                fontWeight: 'bold' as const,
                textBorderColor: LIGHT.surface,
                textBorderWidth: 4,
              },
              data: [[median(points, 0), median(points, 1)]],
            }))
        : []),
    ],
  };
}

function median(points: readonly (readonly [number, number])[], axisIndex: 0 | 1): number {
  const sorted = points.map((point) => point[axisIndex]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
