/** Whole pictures and what a model makes of them: details at full size, and what is lost at each fineness. */
import { VaeError } from '../../core/errors.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import { powerSpectrum } from '../../data/image/spectrum.js';
import { heatPictures } from '../colour-map.js';
import { axis, drawChart, type EChartsOption, LINE_LEGEND } from '../drawing/chart.js';
import { escapeXml } from '../drawing/xml.js';
import type { Figure, Layout } from '../figure.js';
import { toPictures } from '../images/pixels.js';
import { pictureToPng } from '../images/png.js';
import { FONT_FAMILY, LIGHT, PALETTE } from '../theme.js';

/** One picture of any size and its reconstruction. */
export interface WholePicture {
  readonly name: string;
  /** [channels, height, width], uint8 0 to 255 or floats 0 to 1; so is the other. */
  readonly original: ArrayWithShape;
  readonly rebuilt: ArrayWithShape;
}

const LABEL = 20;
const GAP = 10;

/**
 * The middle of each picture beside its reconstruction and their difference, one pixel for one.
 *
 * @throws VaeError ERR_VAE_SHAPE where original and reconstruction differ in shape.
 */
export function pictureDetails(pictures: readonly WholePicture[]): Figure {
  for (const picture of pictures) checkAlike(picture, 'pictureDetails()');
  return {
    id: 'details',
    title: 'Whole pictures, in detail',
    caption:
      'The middle of each picture at full size, what the model makes of it, and the absolute difference of both, from 0 (dark) to ' +
      'the largest of that picture (light).',
    description: `${pictures.length} pictures with reconstructions and heat maps of the difference.`,
    async draw(layout) {
      // A phone has room for two beside each other; the heat maps are left to wide windows.
      const columns = layout.narrow ? 2 : 3;
      const cell = Math.floor((layout.width - GAP * (columns - 1)) / columns);
      const parts: string[] = [];
      let top = 0;
      for (const { name, original, rebuilt } of pictures) {
        const side = Math.min(cell, ...original.shape.slice(1));
        const [before, after] = [middle(original, side), middle(rebuilt, side)];
        const heat = heatPictures(differences(before, after), [1, side, side]);
        const cells = [
          { label: name, image: before },
          { label: 'reconstruction', image: after },
          { label: `difference, at most ${heat.highest.toFixed(2)}`, image: heat },
        ].slice(0, columns);
        for (const [index, { label, image }] of cells.entries()) {
          const png = await pictureToPng(toPictures(image, 'pictureDetails()'), 0);
          const x = index * (cell + GAP);
          const href = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
          parts.push(
            `<text x="${x}" y="${top + LABEL - 6}" font-family="${escapeXml(FONT_FAMILY)}" font-size="12" fill="${LIGHT.muted}">${escapeXml(label)}</text>`,
            `<image x="${x}" y="${top + LABEL}" width="${side}" height="${side}" href="${href}"/>`,
          );
        }
        top += LABEL + side + GAP;
      }
      return (
        `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${top}" viewBox="0 0 ${layout.width} ${top}">\n` +
        `${parts.join('\n')}\n</svg>`
      );
    },
  };
}

const PANEL = { wide: 250, narrow: 230 };

/**
 * How strong each picture and its reconstruction are at each fineness, from slow changes of brightness to ones from
 * pixel to pixel.
 *
 * @throws VaeError ERR_VAE_SHAPE where original and reconstruction differ in shape, or have sides below 16.
 */
export function pictureSpectra(pictures: readonly WholePicture[]): Figure {
  const spectra = pictures.map((picture) => {
    checkAlike(picture, 'pictureSpectra()');
    return { name: picture.name, before: powerSpectrum(picture.original), after: powerSpectrum(picture.rebuilt) };
  });
  return {
    id: 'spectra',
    title: 'What is lost, by fineness',
    caption:
      'Power of the pictures (solid) and of their reconstructions (dashed) by spatial frequency: 0.5 cycles a pixel is a change from ' +
      'each pixel to the next. Where the dashed line falls away, detail is gone.',
    description: `${pictures.length} line charts of power by frequency.`,
    draw: (layout) => {
      const columns = layout.narrow ? 1 : Math.min(2, spectra.length);
      const height = layout.narrow ? PANEL.narrow : PANEL.wide;
      return drawChart(
        spectraChart(spectra, layout, columns, height),
        layout.width,
        34 + Math.ceil(spectra.length / columns) * height,
      );
    },
  };
}

interface Spectra {
  readonly name: string;
  readonly before: [number, number][];
  readonly after: [number, number][];
}

function spectraChart(spectra: readonly Spectra[], layout: Layout, columns: number, height: number): EChartsOption {
  const width = layout.width / columns;
  const place = (index: number) => ({
    left: (index % columns) * width,
    top: 34 + Math.floor(index / columns) * height,
  });
  const all = spectra.flatMap(({ before, after }) => [...before, ...after].map(([, power]) => power));
  const least = all.reduce((low, power) => Math.min(low, power), Number.POSITIVE_INFINITY);
  const most = all.reduce((high, power) => Math.max(high, power), Number.NEGATIVE_INFINITY);
  const [low, high] = [Math.floor(least / 20) * 20, Math.ceil(most / 20) * 20];
  return {
    legend: { ...LINE_LEGEND, data: ['original', 'reconstruction'] },
    title: spectra.map(({ name }, index) => ({
      text: name,
      left: place(index).left + 60,
      top: place(index).top,
      padding: 0,
      textStyle: { color: LIGHT.ink, fontSize: 13, fontWeight: 'bold' as const },
    })),
    grid: spectra.map((_, index) => ({
      left: place(index).left + 60,
      top: place(index).top + 24,
      width: width - 84,
      height: height - 78,
    })),
    xAxis: spectra.map((_, gridIndex) =>
      axis('spatial frequency (cycles/pixel)', { type: 'value', gridIndex, min: 0, max: 0.5, nameGap: 26 }),
    ) as object[],
    yAxis: spectra.map((_, gridIndex) =>
      axis('power (dB)', { type: 'value', gridIndex, min: low, max: high, interval: 20, nameGap: 42 }),
    ) as object[],
    series: spectra.flatMap(({ before, after }, index) =>
      [
        { name: 'original', data: before, color: PALETTE[0], type: 'solid' as const },
        { name: 'reconstruction', data: after, color: PALETTE[6], type: 'dashed' as const },
      ].map(({ name, data, color, type }) => ({
        name,
        type: 'line' as const,
        xAxisIndex: index,
        yAxisIndex: index,
        showSymbol: false,
        silent: true,
        color,
        lineStyle: { width: 2, type, color },
        data,
      })),
    ),
  };
}

function checkAlike({ name, original, rebuilt }: WholePicture, where: string): void {
  if (original.shape.length === 3 && original.shape.join() === rebuilt.shape.join()) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: ${name}: expected two arrays [channels, height, width] alike, received [${original.shape.join(', ')}] and [${rebuilt.shape.join(', ')}].`,
  );
}

/** The square of this side in the middle, [1, channels, side, side], floats 0 to 1. */
function middle({ data, shape }: ArrayWithShape, side: number): { data: Float32Array; shape: readonly number[] } {
  const [channels, height, width] = shape as [number, number, number];
  const scale = data instanceof Uint8Array ? 1 / 255 : 1;
  const [top, left] = [Math.floor((height - side) / 2), Math.floor((width - side) / 2)];
  const out = new Float32Array(channels * side * side);
  for (let at = 0; at < out.length; at += 1) {
    const line = Math.floor(at / side);
    const y = top + (line % side);
    out[at] = Number(data[(Math.floor(line / side) * height + y) * width + left + (at % side)]) * scale;
  }
  return { data: out, shape: [1, channels, side, side] };
}

/** Mean over channels of the absolute difference. */
function differences(a: ReturnType<typeof middle>, b: ReturnType<typeof middle>): Float32Array {
  const [, channels, height, width] = a.shape as [number, number, number, number];
  const plane = height * width;
  const out = new Float32Array(plane);
  for (let at = 0; at < a.data.length; at += 1) {
    const clipped = Math.min(1, Math.max(0, b.data[at]!));
    out[at % plane]! += Math.abs(a.data[at]! - clipped) / channels;
  }
  return out;
}
