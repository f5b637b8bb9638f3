/** A chart of ECharts, drawn as SVG without a browser. `option`: https://echarts.apache.org/en/option.html */
export function renderChart(option: object, size: { readonly width: number; readonly height: number }): string;

/**
 * SVG as a PNG file, with DejaVu Sans for its text: every machine draws the same.
 *
 * @param options scale: pixels of the picture for one CSS pixel; background: a CSS colour.
 */
export function renderPng(
  svg: string,
  options: { readonly scale: number; readonly background: string },
): Promise<Uint8Array>;
