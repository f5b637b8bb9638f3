import type { ArrayWithShape } from '../../core/tensor.js';
import { heatColours } from '../colour-map.js';
import { axis, drawChart, LINE_LEGEND } from '../drawing/chart.js';
import { escapeXml } from '../drawing/xml.js';
import type { Figure, Layout } from '../figure.js';
import { toPictures } from '../images/pixels.js';
import { pictureToPng } from '../images/png.js';
import { FONT_FAMILY, LIGHT, PALETTE } from '../theme.js';

const PANEL = 150;

/**
 * Rows of sound as curves over time, each with its reconstruction.
 *
 * @param originals [N, channels, samples], −1 to 1; the first channel is drawn.
 * @param sampleRate samples a second.
 */
export function waveforms(originals: ArrayWithShape, reconstructed: ArrayWithShape, sampleRate: number): Figure {
  const [count, channels, length] = originals.shape as [number, number, number];
  const line = ({ data }: ArrayWithShape, row: number): [number, number][] =>
    Array.from({ length }, (_, index) => [(1000 * index) / sampleRate, Number(data[row * channels * length + index])]);
  return {
    id: 'waveforms',
    title: 'Waveforms',
    caption: 'Pieces of sound (solid) and what the decoder makes of their posterior means (dashed).',
    description: `${count} line charts of sound over time with reconstructions.`,
    draw: (layout) =>
      drawChart(
        {
          legend: { ...LINE_LEGEND, data: ['original', 'reconstruction'] },
          grid: Array.from({ length: count }, (_, row) => ({
            left: 60,
            right: 12,
            top: 34 + row * PANEL,
            height: PANEL - 48,
          })),
          xAxis: Array.from({ length: count }, (_, row) =>
            axis(row === count - 1 ? 'time (ms)' : '', {
              type: 'value',
              gridIndex: row,
              max: (1000 * length) / sampleRate,
              nameGap: 26,
              splitLine: { show: false },
            }),
          ) as object[],
          yAxis: Array.from({ length: count }, (_, row) =>
            axis('amplitude', { type: 'value', gridIndex: row, splitNumber: 3, nameGap: 44 }),
          ) as object[],
          series: Array.from({ length: count }, (_, row) => [
            { name: 'original', data: line(originals, row), color: PALETTE[0], type: 'solid' as const },
            { name: 'reconstruction', data: line(reconstructed, row), color: PALETTE[6], type: 'dashed' as const },
          ])
            .flat()
            .map(({ name, data, color, type }, index) => ({
              name,
              type: 'line' as const,
              xAxisIndex: Math.floor(index / 2),
              yAxisIndex: Math.floor(index / 2),
              showSymbol: false,
              silent: true,
              color,
              lineStyle: { width: 1.2, type, color },
              data,
            })),
        },
        layout.width,
        40 + count * PANEL,
      ),
  };
}

export interface SpectrogramsOptions {
  readonly sampleRate: number;
  /** Samples from one step to the next. */
  readonly fftHop: number;
}

/**
 * Log-mel spectrograms, each above its reconstruction, on one scale of decibels.
 *
 * @param originals [N, channels, bands, steps], decibels; the first channel is drawn.
 */
export function spectrograms(
  originals: ArrayWithShape,
  reconstructed: ArrayWithShape,
  { sampleRate, fftHop }: SpectrogramsOptions,
): Figure {
  const [count, channels, bands, steps] = originals.shape as [number, number, number, number];
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < originals.data.length; at += 1) {
    low = Math.min(low, Number(originals.data[at]));
    high = Math.max(high, Number(originals.data[at]));
  }
  const seconds = (steps * fftHop) / sampleRate;
  return {
    id: 'spectrograms',
    title: 'Spectrograms',
    caption:
      `Pieces of sound as the model sees them, and their reconstructions: time to the right, ${bands} mel bands upwards from 0 to ` +
      `${sampleRate / 2000} kHz, from ${low.toFixed(0)} dB (dark) to ${high.toFixed(0)} dB (light).`,
    description: `${count} spectrograms of ${seconds.toFixed(2)} seconds, each beside its reconstruction.`,
    async draw(layout) {
      const parts: string[] = [];
      const gap = layout.narrow ? 10 : 24;
      const left = 52;
      const width = (layout.width - left - gap) / 2;
      const height = Math.min(170, (width * bands) / steps + 40);
      for (let row = 0; row < count; row += 1) {
        for (const [column, source] of [originals, reconstructed].entries()) {
          const png = await heatPng(source, row, channels, bands, steps, low, high);
          const x = left + column * (width + gap);
          const y = 18 + row * (height + 34);
          parts.push(
            `<image x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none" href="data:image/png;base64,${png}"/>`,
          );
          if (row === 0) parts.push(words(column === 0 ? 'original' : 'reconstruction', x, y - 5, 'start'));
          parts.push(
            words('0', x, y + height + 14, 'start'),
            words('time (s)', x + width / 2, y + height + 14, 'middle'),
            words(seconds.toFixed(2), x + width, y + height + 14, 'end'),
          );
        }
        const top = 18 + row * (height + 34);
        parts.push(words('frequency (kHz)', 0, 0, 'middle', `translate(12 ${top + height / 2}) rotate(-90)`));
        for (const part of [0, 0.5, 1]) {
          const y = top + height * (1 - part) + (part === 1 ? 10 : part === 0 ? 0 : 4);
          parts.push(words(kilohertzAt(part, sampleRate), left - 6, y, 'end'));
        }
      }
      return wrap(parts, layout, 18 + count * (height + 34) - 12);
    },
  };
}

/** The frequency at a part of the way up the mel bands, which reach from 0 to half of the sample rate. */
function kilohertzAt(part: number, sampleRate: number): string {
  const mels = Math.log1p(sampleRate / 2 / 700);
  return ((700 * Math.expm1(part * mels)) / 1000).toPrecision(2).replace(/\.?0+$/, '') || '0';
}

async function heatPng(
  { data }: ArrayWithShape,
  row: number,
  channels: number,
  bands: number,
  steps: number,
  low: number,
  high: number,
): Promise<string> {
  const values = new Float32Array(bands * steps);
  // The lowest band stands at the bottom.
  for (let band = 0; band < bands; band += 1) {
    for (let step = 0; step < steps; step += 1) {
      values[(bands - 1 - band) * steps + step] = Number(data[(row * channels * bands + band) * steps + step]);
    }
  }
  const colours = heatColours(values, low, high);
  const planar = new Uint8Array(colours.length);
  for (let at = 0; at < values.length; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) planar[channel * values.length + at] = colours[3 * at + channel]!;
  }
  const png = await pictureToPng(toPictures({ data: planar, shape: [1, 3, bands, steps] }, 'spectrograms()'), 0);
  return Buffer.from(png).toString('base64');
}

function words(text: string, x: number, y: number, anchor: string, transform?: string): string {
  const place = transform ? `transform="${transform}"` : `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  return `<text ${place} text-anchor="${anchor}" font-family="${escapeXml(FONT_FAMILY)}" font-size="12" fill="${LIGHT.muted}">${escapeXml(text)}</text>`;
}

function wrap(parts: readonly string[], layout: Layout, height: number): string {
  const total = Math.ceil(height);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${total}" viewBox="0 0 ${layout.width} ${total}">\n` +
    `${parts.join('\n')}\n</svg>`
  );
}
