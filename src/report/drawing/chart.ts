/** Charts by ECharts, drawn on the server as SVG: no browser, no canvas. */
import type { EChartsOption } from 'echarts';
import { FONT_FAMILY, LIGHT, PALETTE } from '../theme.js';
import { drawingEngine } from './engine.js';

export type { EChartsOption };

/**
 * Draws a chart.
 *
 * @throws VaeError ERR_VAE_PACKAGE where node-vae-report is not installed.
 */
export async function drawChart(option: EChartsOption, width: number, height: number): Promise<string> {
  const { renderChart } = await drawingEngine();
  const drawn = renderChart(
    {
      animation: false,
      backgroundColor: 'transparent',
      color: [...PALETTE],
      textStyle: { fontFamily: FONT_FAMILY, fontSize: 13, color: LIGHT.ink },
      ...option,
    },
    { width, height },
  );
  return tidy(drawn);
}

/** A legend of lines, wide enough to tell solid from dashed. */
export const LINE_LEGEND = {
  top: 0,
  left: 'center',
  itemWidth: 32,
  itemGap: 24,
  textStyle: { color: LIGHT.ink, fontSize: 13 },
};

/** What every axis has in common: a name, thin lines, a quiet grid. */
export function axis(name: string, options: object = {}): object {
  return {
    name,
    nameLocation: 'middle',
    nameGap: 32,
    nameTextStyle: { color: LIGHT.muted, fontSize: 13 },
    axisLabel: { color: LIGHT.muted, fontSize: 12, hideOverlap: true },
    axisLine: { show: true, onZero: false, lineStyle: { color: LIGHT.line } },
    axisTick: { lineStyle: { color: LIGHT.line } },
    splitLine: { lineStyle: { color: LIGHT.grid } },
    ...options,
  };
}

const CIRCLE =
  /<path d="M1 0A1 1 0 1 1 1 -0\.1A1 1 0 0 1 1 0" transform="matrix\(([\d.]+),0,0,[\d.]+,([-\d.]+),([-\d.]+)\)"([^>]*?)(?:\/>|><\/path>)/g;

/** Leaves out what only matters to a page with scripts, and writes circles as circles: a third of the size. */
function tidy(svg: string): string {
  return svg
    .replace(/<style >[\s\S]*?<\/style>/g, '')
    .replace(/ (?:ecmeta_[a-z_]+|class|pointer-events|xmlns:xlink|baseProfile|version)="[^"]*"/g, '')
    .replace(CIRCLE, (_, radius, x, y, rest) => `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}"${rest}/>`)
    .replace(/ stroke-width="0\.[0-9]{5,}"/g, ' stroke-width="0.7"')
    .replace(/\n+/g, '\n');
}

function round(text: string): string {
  return Number(text).toFixed(1).replace(/\.0$/, '');
}
