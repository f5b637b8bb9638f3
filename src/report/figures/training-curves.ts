import { axis, drawChart, type EChartsOption } from '../drawing/chart.js';
import type { Figure, Layout } from '../figure.js';
import { LIGHT, PALETTE } from '../theme.js';

/** Means over the examples of an epoch, in nats. */
export interface LossTerms {
  readonly loss: number;
  readonly reconstruction: number;
  readonly kl: number;
}

export interface EpochTerms {
  readonly epoch: number;
  readonly train: LossTerms;
  readonly validation?: LossTerms | undefined;
}

export interface TrainingCurvesOptions {
  /** What one example is called on the axes. Default `example`. */
  readonly unit?: string;
}

const PANELS = [
  ['loss', 'Loss'],
  ['reconstruction', 'Reconstruction'],
  ['kl', 'KL divergence'],
] as const;

interface Line {
  readonly name: string;
  readonly key: 'train' | 'validation';
  readonly color: string;
  readonly type: 'solid' | 'dashed';
  readonly symbol: string;
}

const TRAINING: Line = { name: 'training', key: 'train', color: PALETTE[0], type: 'solid', symbol: 'circle' };
const VALIDATION: Line = { name: 'validation', key: 'validation', color: PALETTE[6], type: 'dashed', symbol: 'rect' };

const PANEL_HEIGHT = 300;

/** The loss and its terms by epoch, each on its own scale, in training and validation. */
export function trainingCurves(epochs: readonly EpochTerms[], options: TrainingCurvesOptions = {}): Figure {
  const unit = options.unit ?? 'example';
  const validated = epochs.some(({ validation }) => validation);
  const last = epochs[epochs.length - 1];
  return {
    id: 'training-curves',
    title: 'Training curves',
    caption:
      `The loss (reconstruction plus the weighted KL divergence), mean per ${unit}, after each epoch. ` +
      'Training values are averaged while the parameters move' +
      (validated ? '; validation is scored at the end of the epoch, so it may lie below.' : '.'),
    description: last
      ? `Line charts over ${epochs.length} epochs; the last training loss is ${last.train.loss.toFixed(2)} nats per ${unit}.`
      : 'No epoch was completed.',
    draw: (layout) => {
      const height = layout.narrow ? PANELS.length * (PANEL_HEIGHT - 40) + 40 : PANEL_HEIGHT + 40;
      return drawChart(build(epochs, unit, validated, layout), layout.width, height);
    },
  };
}

function build(epochs: readonly EpochTerms[], unit: string, validated: boolean, layout: Layout): EChartsOption {
  const series: readonly Line[] = validated ? [TRAINING, VALIDATION] : [TRAINING];
  const showSymbol = epochs.length <= 30;
  const first = epochs[0]?.epoch ?? 0;
  const last = epochs[epochs.length - 1]?.epoch ?? 1;
  return {
    legend: {
      top: 0,
      left: 'center',
      data: series.map(({ name }) => name),
      textStyle: { color: LIGHT.ink, fontSize: 13 },
      itemWidth: 32,
      itemGap: 24,
    },
    title: PANELS.map(([, title], index) => ({
      text: title,
      subtext: `nats per ${unit}`,
      ...place(index, layout, 36),
      itemGap: 2,
      padding: 0,
      textStyle: { color: LIGHT.ink, fontSize: 14, fontWeight: 'bold' as const },
      subtextStyle: { color: LIGHT.muted, fontSize: 12 },
    })),
    grid: PANELS.map((_, index) => gridOf(index, layout)),
    xAxis: PANELS.map((_, gridIndex) =>
      axis('epoch', {
        type: 'value',
        gridIndex,
        nameGap: 26,
        minInterval: 1,
        ...(first < last && { min: first, max: last }),
        splitLine: { show: false },
      }),
    ) as EChartsOption['xAxis'] & object,
    yAxis: PANELS.map((_, gridIndex) =>
      axis('', { type: 'value', gridIndex, scale: true, splitNumber: 4, axisLine: { show: false } }),
    ) as EChartsOption['yAxis'] & object,
    series: PANELS.flatMap(([term], index) =>
      series.map(({ name, key, color, type, symbol }) => ({
        name,
        type: 'line' as const,
        xAxisIndex: index,
        yAxisIndex: index,
        color,
        lineStyle: { width: 2, type },
        symbol,
        symbolSize: 6,
        showSymbol,
        silent: true,
        itemStyle: { color, borderColor: color },
        data: epochs.flatMap((epoch) => (epoch[key] ? [[epoch.epoch, epoch[key][term]]] : [])),
      })),
    ),
  };
}

function place(index: number, layout: Layout, top: number): { left: number; top: number } {
  if (layout.narrow) return { left: 6, top: top + index * (PANEL_HEIGHT - 40) };
  return { left: 8 + (index * layout.width) / PANELS.length, top };
}

function gridOf(index: number, layout: Layout): object {
  const { left, top } = place(index, layout, 84);
  const width = layout.narrow ? layout.width : layout.width / PANELS.length;
  return { left: left + 42, top, width: width - 74, height: layout.narrow ? 150 : 200 };
}
