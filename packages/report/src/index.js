// Charts as SVG without a browser or a canvas, and SVG as PNG with fonts that come along.
import { fileURLToPath } from 'node:url';
import { renderAsync } from '@resvg/resvg-js';
import { init } from 'echarts';

const FONTS = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

export function renderChart(option, { width, height }) {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption(option);
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

export async function renderPng(svg, { scale, background }) {
  const image = await renderAsync(svg, {
    background,
    fitTo: { mode: 'zoom', value: scale },
    font: {
      loadSystemFonts: false,
      fontFiles: FONTS.map((name) => fileURLToPath(new URL(`./${name}`, import.meta.url))),
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
    },
  });
  return image.asPng();
}
