/** Saves what a view shows, as SVG or PNG: its elements with their styles, canvases as pictures. */
import type { ReadCanvas } from './plot.js';

const PROPERTIES = [
  'align-items',
  'aspect-ratio',
  'background',
  'background-color',
  'border',
  'border-collapse',
  'border-radius',
  'box-sizing',
  'color',
  'column-gap',
  'display',
  'fill',
  'fill-opacity',
  'flex',
  'flex-direction',
  'flex-wrap',
  'font',
  'font-variant-numeric',
  'gap',
  'grid-template-columns',
  'height',
  'image-rendering',
  'justify-content',
  'left',
  'letter-spacing',
  'line-height',
  'list-style',
  'margin',
  'max-height',
  'max-width',
  'min-height',
  'min-width',
  'opacity',
  'overflow',
  'padding',
  'position',
  'right',
  'row-gap',
  'stroke',
  'stroke-dasharray',
  'stroke-width',
  'text-align',
  'text-anchor',
  'text-overflow',
  'top',
  'bottom',
  'transform',
  'vertical-align',
  'white-space',
  'width',
  'z-index',
];

export async function saveView(element: HTMLElement, name: string, type: 'svg' | 'png'): Promise<void> {
  const { width, height } = element.getBoundingClientRect();
  const full = Math.max(height, element.scrollHeight);
  const svg = svgOf(element, Math.ceil(width), Math.ceil(full), type === 'svg');
  if (type === 'svg') return download(new Blob([svg], { type: 'image/svg+xml' }), `${name}.svg`);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const scale = Math.min(2, Math.max(1, devicePixelRatio), 16_000 / Math.max(width, full));
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(full * scale);
  const context = canvas.getContext('2d')!;
  context.scale(scale, scale);
  context.drawImage(image, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('The picture is too large for this browser; save it as SVG.');
  download(blob, `${name}.png`);
}

/** @param vector points of the map as circles, rather than as a picture. */
function svgOf(element: HTMLElement, width: number, height: number, vector: boolean): string {
  const copy = element.cloneNode(true) as HTMLElement;
  const [from, to] = [
    [element, ...element.querySelectorAll('*')],
    [copy, ...copy.querySelectorAll('*')],
  ];
  for (const [index, original] of from.entries()) {
    const target = to[index] as HTMLElement;
    const style = getComputedStyle(original);
    target.setAttribute(
      'style',
      PROPERTIES.map((property) => `${property}:${style.getPropertyValue(property)}`).join(';'),
    );
    if (original instanceof HTMLInputElement) target.setAttribute('value', original.value);
    if (original instanceof HTMLCanvasElement) {
      const read: ReadCanvas = {};
      original.dispatchEvent(new CustomEvent<ReadCanvas>('read', { detail: read }));
      if (vector && read.circles !== undefined) {
        const { clientWidth, clientHeight } = original;
        const points = new DOMParser().parseFromString(
          `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${clientWidth} ${clientHeight}">${read.circles}</svg>`,
          'image/svg+xml',
        ).documentElement;
        points.setAttribute('style', target.getAttribute('style')!);
        target.replaceWith(document.importNode(points, true));
        continue;
      }
      const picture = document.createElement('img');
      picture.setAttribute('src', original.toDataURL('image/png'));
      picture.setAttribute('style', target.getAttribute('style')!);
      target.replaceWith(picture);
    }
  }
  copy.style.margin = '0';
  copy.style.height = `${height}px`;
  copy.style.maxHeight = 'none';
  copy.style.background = getComputedStyle(document.body).backgroundColor;
  for (const hidden of copy.querySelectorAll('.tip, .catch')) hidden.remove();
  const markup = new XMLSerializer().serializeToString(copy);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><foreignObject width="100%" height="100%">${markup}</foreignObject></svg>`;
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
