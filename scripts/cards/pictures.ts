/** Originals, reconstructions and draws as PNG files: pictures, clips as strips of frames, waves as lines. */
import { encodePng } from '../../src/data/image/encode.js';
import { decodePixels } from '../../src/data/image/pixels.js';
import type { ArrayWithShape } from '../../src/index.js';
import { type Figure, figureToPng, priorSamples, reconstructions } from '../../src/report/index.js';

export type Kind = 'images' | 'clips' | 'waves';

/** Leading rows of an array. */
export function firstRows({ data, shape }: ArrayWithShape, count: number): ArrayWithShape {
  const [rows = 1, ...rest] = shape;
  const size = rest.reduce((product, dim) => product * dim, 1);
  return { data: data.slice(0, Math.min(rows, count) * size) as typeof data, shape: [Math.min(rows, count), ...rest] };
}

export async function drawBoth(
  kind: Kind,
  originals: ArrayWithShape,
  reconstructed: ArrayWithShape,
): Promise<Uint8Array> {
  if (kind === 'waves') return small(waves(originals, reconstructed));
  const shown = kind === 'clips' ? strips : (array: ArrayWithShape) => array;
  return small(reconstructions(shown(originals), shown(reconstructed)));
}

export async function drawSamples(kind: Kind, samples: ArrayWithShape): Promise<Uint8Array> {
  if (kind === 'waves') return small(waves(samples));
  return small(priorSamples(kind === 'clips' ? strips(samples) : samples));
}

/** 64 colours are enough for these, and a repository need not hold more. */
async function small(figure: Figure): Promise<Uint8Array> {
  const bytes = await figureToPng(figure);
  const pixels = await decodePixels({ bytes, name: figure.id }, { longestSide: 892 });
  return encodePng(
    { ...pixels, channels: pixels.channels as 3 | 4, data: pixels.data as Uint8Array },
    { colours: 64, compressionLevel: 9 },
  );
}

/** Clips [N, 1, frames, height, width] as pictures [N * frames, 1, height, width]. */
function strips({ data, shape }: ArrayWithShape): ArrayWithShape {
  const [clips, channels, frames, height, width] = shape as [number, number, number, number, number];
  return { data, shape: [clips * frames, channels, height, width] };
}

const WAVE = { width: 204, height: 84, columns: 4 } as const;

/** Waves [N, 1, length], each in a small panel of its own scale; a second one over it in another colour. */
function waves(one: ArrayWithShape, other?: ArrayWithShape): Figure {
  const [count, , length] = one.shape as [number, number, number];
  const line = ({ data }: ArrayWithShape, row: number, scale: number): string =>
    Array.from({ length }, (_, at) => {
      const y = WAVE.height / 2 - (Number(data[row * length + at]) * scale * WAVE.height) / 2;
      return `${((at / length) * (WAVE.width - 8)).toFixed(1)},${y.toFixed(1)}`;
    }).join(' ');
  return {
    id: 'waves',
    title: 'Waves',
    caption: '',
    description: `${count} waves.`,
    draw: async ({ width }) => {
      const rows = Math.ceil(count / WAVE.columns);
      const parts = Array.from({ length: count }, (_, row) => {
        const values = Array.from({ length }, (_, at) => Math.abs(Number(one.data[row * length + at])));
        const scale = 0.95 / Math.max(...values, 1e-3);
        const x = (row % WAVE.columns) * WAVE.width;
        const y = Math.floor(row / WAVE.columns) * WAVE.height;
        const polyline = (array: ArrayWithShape, colour: string) =>
          `<polyline fill="none" stroke="${colour}" stroke-width="1" points="${line(array, row, scale)}"/>`;
        const over = other === undefined ? '' : polyline(other, '#d55e00');
        return `<g transform="translate(${x} ${y})"><line x1="0" x2="${WAVE.width - 8}" y1="${WAVE.height / 2}" y2="${WAVE.height / 2}" stroke="#ddd"/>${polyline(one, '#0072b2')}${over}</g>`;
      });
      const height = rows * WAVE.height;
      return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${parts.join('')}</svg>`;
    },
  };
}
