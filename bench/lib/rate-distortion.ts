/** Curves of quality against bits, drawn and compared. */
import { axis, drawChart, type EChartsOption } from '../../src/report/drawing/chart.js';
import type { Figure } from '../../src/report/index.js';
import { LIGHT, PALETTE } from '../../src/report/theme.js';

export interface CurvePoint {
  readonly bitsPerPixel: number;
  /** Decibels. */
  readonly psnr: number;
  readonly msSsim: number;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

/** MS-SSIM near 1 in decibels, as curves of it are commonly drawn. */
function decibels(msSsim: number): number {
  return -10 * Math.log10(1 - msSsim);
}

/**
 * How many times the bits of `own` the other curve takes at equal quality: the mean of the logarithm
 * over the qualities that both reach, after Bjøntegaard (VCEG-M33, 2001), with straight lines between
 * the points. NaN where they have no quality in common.
 */
export function rateRatio(other: readonly CurvePoint[], own: readonly CurvePoint[], by: 'psnr' | 'msSsim'): number {
  const quality = (point: CurvePoint): number => (by === 'psnr' ? point.psnr : decibels(point.msSsim));
  const sorted = (points: readonly CurvePoint[]) =>
    points.map((point) => [quality(point), Math.log(point.bitsPerPixel)] as const).sort(([a], [b]) => a - b);
  const [left, right] = [sorted(other), sorted(own)];
  const from = Math.max(left[0]![0], right[0]![0]);
  const to = Math.min(left[left.length - 1]![0], right[right.length - 1]![0]);
  if (!(from < to)) return Number.NaN;
  const at = (points: readonly (readonly [number, number])[], x: number): number => {
    const above = Math.max(
      1,
      points.findIndex(([value]) => value >= x),
    );
    const [[x0, y0], [x1, y1]] = [points[above - 1]!, points[above]!];
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  };
  const steps = 200;
  let sum = 0;
  for (let step = 0; step < steps; step += 1) {
    const x = from + ((to - from) * (step + 0.5)) / steps;
    sum += at(left, x) - at(right, x);
  }
  return Math.exp(sum / steps);
}

const PANELS = [
  ['PSNR', 'decibels', (point: CurvePoint) => point.psnr],
  ['MS-SSIM', '−10 log₁₀(1 − MS-SSIM), decibels', (point: CurvePoint) => decibels(point.msSsim)],
] as const;
/** Beyond this nobody compresses photographs with loss. */
const MOST_BITS = 2.5;
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond'];

export function rateDistortion(id: string, title: string, curves: readonly Curve[]): Figure {
  return {
    id,
    title,
    caption: 'Quality against bits for each pixel, means over the pictures. Higher and further left is better.',
    description: `Line charts of ${curves.map(({ name }) => name).join(', ')}.`,
    draw: ({ width }) => drawChart(build(title, curves, width), width, 440),
  };
}

function build(title: string, curves: readonly Curve[], width: number): EChartsOption {
  const half = width / PANELS.length;
  return {
    legend: {
      ...{ top: 28, left: 'center', itemWidth: 32, itemGap: 24 },
      data: curves.map(({ name }) => name),
      textStyle: { color: LIGHT.ink, fontSize: 13 },
    },
    title: [
      { text: title, left: 'center', top: 0, textStyle: { color: LIGHT.ink, fontSize: 15 } },
      ...PANELS.map(([text, subtext], index) => ({
        ...{ text, subtext, left: 8 + index * half, top: 60, itemGap: 2, padding: 0 },
        textStyle: { color: LIGHT.ink, fontSize: 14, fontWeight: 'bold' as const },
        subtextStyle: { color: LIGHT.muted, fontSize: 12 },
      })),
    ],
    grid: PANELS.map((_, index) => ({ left: index * half + 42, top: 110, width: half - 70, height: 270 })),
    xAxis: PANELS.map((_, gridIndex) =>
      axis('bits for each pixel', { type: 'value', gridIndex, min: 0, max: MOST_BITS, splitLine: { show: false } }),
    ) as EChartsOption['xAxis'] & object,
    yAxis: PANELS.map((_, gridIndex) =>
      axis('', { type: 'value', gridIndex, scale: true, axisLine: { show: false } }),
    ) as EChartsOption['yAxis'] & object,
    series: PANELS.flatMap(([, , quality], index) =>
      curves.map(({ name, points }, which) => ({
        ...{ name, type: 'line' as const, xAxisIndex: index, yAxisIndex: index, silent: true },
        ...{ color: PALETTE[[0, 1, 2, 4][which]!]!, symbol: SYMBOLS[which]!, symbolSize: 7, showSymbol: true },
        lineStyle: { width: which === 0 ? 3 : 1.5 },
        data: points
          .filter(({ bitsPerPixel }) => bitsPerPixel <= MOST_BITS)
          .map((point) => [point.bitsPerPixel, quality(point)]),
      })),
    ),
  };
}
