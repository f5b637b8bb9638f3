import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { escapeXml } from '../../src/report/drawing/xml.js';
import { NARROW, WIDE } from '../../src/report/figure.js';
import {
  figureToPng,
  figureToSvg,
  imageGrid,
  latentScatter,
  priorSamples,
  reconstructions,
  trainingCurves,
  writeReport,
} from '../../src/report/index.js';
import { projectToPlane } from '../../src/report/principal-axes.js';
import { DARK, LIGHT } from '../../src/report/theme.js';
import { temporaryFolder } from '../support/temporary.js';

const epochs = [1, 2, 3].map((epoch) => ({
  epoch,
  train: { loss: 200 / epoch, reconstruction: 150 / epoch, kl: 10 + epoch },
  validation: { loss: 190 / epoch, reconstruction: 140 / epoch, kl: 11 + epoch },
}));

/** Picture i is grey of value i / count. */
function greys(count: number, size = 4): { data: Float32Array; shape: number[] } {
  const data = Float32Array.from({ length: count * size * size }, (_, i) => Math.floor(i / (size * size)) / count);
  return { data, shape: [count, 1, size, size] };
}

describe('trainingCurves', () => {
  it('draws one line for each term in training and validation, and names the axes with units', async () => {
    const svg = await trainingCurves(epochs, { unit: 'image' }).draw(WIDE);
    expect(svg).toMatch(/^<svg width="860"/);
    for (const text of [
      'Loss',
      'Reconstruction',
      'KL divergence',
      'nats per image',
      'epoch',
      'training',
      'validation',
    ]) {
      expect(svg).toContain(`>${text}</text>`);
    }
    // Three panels; each line is a path with width 2 in the colour of its series, and so is its legend entry.
    expect(svg.match(/stroke="#3f90da" stroke-width="2"/g)!.length).toBeGreaterThanOrEqual(3);
    expect(svg.match(/stroke="#e76300" stroke-width="2"/g)!.length).toBeGreaterThanOrEqual(3);
  });

  it('draws without validation, and with one epoch or none', async () => {
    const alone = await trainingCurves(epochs.map(({ epoch, train }) => ({ epoch, train }))).draw(NARROW);
    expect(alone).not.toContain('validation');
    expect(await trainingCurves(epochs.slice(0, 1)).draw(WIDE)).toContain('<circle');
    expect(await trainingCurves([]).draw(WIDE)).toContain('<svg');
  });
});

describe('latentScatter', () => {
  it('finds the axes along which points spread most', async () => {
    // Spread 10 along (1, 1, 0, 0), 3 along (0, 0, 1, -1), nothing else.
    const rows = 400;
    const data = new Float32Array(rows * 4);
    for (let row = 0; row < rows; row += 1) {
      const a = 10 * Math.cos(row);
      const b = 3 * Math.sin(row * 1.7);
      data.set([a, a, b, -b], row * 4);
    }
    const { points, axes } = await projectToPlane({ data, shape: [rows, 4] }, 'mean');
    const share = 100 / (100 + 9);
    expect(axes[0]).toBe(`first principal axis (${Math.round(share * 100)} % of variance)`);
    for (let row = 0; row < rows; row += 37) {
      expect(Math.abs(points[2 * row]!)).toBeCloseTo(Math.abs(data[row * 4]! * Math.SQRT2), 0);
      expect(Math.abs(points[2 * row + 1]!)).toBeCloseTo(Math.abs(data[row * 4 + 2]! * Math.SQRT2), 0);
    }
  });

  it('shows two dimensions as they are and names one and many classes', async () => {
    const data = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i));
    const labels = {
      values: Int32Array.from({ length: 20 }, (_, i) => (i === 0 ? -1 : i % 12)),
      classes: Array.from({ length: 12 }, (_, i) => `c${i}`),
    };
    const svg = await latentScatter({ data, shape: [20, 2] }, { labels }).draw(WIDE);
    expect(svg).toContain('>posterior mean, dimension 1</text>');
    expect(svg).toContain('>c9</text>');
    // Classes beyond the palette and rows without a label share one colour and one name.
    expect(svg).not.toContain('>c10</text>');
    expect(svg).toContain('>other</text>');
    expect(await latentScatter({ data, shape: [20, 2] }).draw(NARROW)).not.toContain('>c0</text>');
    expect(await latentScatter({ data, shape: [40, 1] }).draw(NARROW)).toContain('<circle');
    await expect(latentScatter({ data, shape: [40] }).draw(WIDE)).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
  });

  it('draws a bounded number of points', async () => {
    const data = Float32Array.from({ length: 20_000 * 3 }, (_, i) => Math.sin(i * 1.3));
    const svg = await latentScatter({ data, shape: [20_000, 3] }).draw(WIDE);
    expect(svg.match(/<circle/g)!.length).toBe(3000);
    expect(svg.length).toBeLessThan(400_000);
  });
});

describe('pictures', () => {
  it('puts every pixel of a grid in its place', async () => {
    const png = await imageGrid(
      { data: new Uint8Array([0, 50, 100, 150, 200, 250]), shape: [3, 1, 1, 2] },
      { columns: 2, gap: 1 },
    );
    const { data, info } = await sharp(png).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([5, 3, 1]);
    expect(Array.from(data)).toEqual([0, 50, 255, 100, 150, 255, 255, 255, 255, 255, 200, 250, 255, 255, 255]);
  });

  it('clips and rounds floating-point colours, channels first', async () => {
    const png = await imageGrid({ data: new Float32Array([-1, 0.5, 2]), shape: [1, 3, 1, 1] });
    expect(Array.from(await sharp(png).raw().toBuffer())).toEqual([0, 128, 255]);
  });

  it('refuses what is no picture', async () => {
    await expect(imageGrid({ data: new Float32Array(4), shape: [1, 2, 1, 2] })).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
    });
    expect(() => priorSamples({ data: new Float32Array(4), shape: [2, 2] })).toThrowError(
      expect.objectContaining({ code: 'ERR_VAE_SHAPE' }),
    );
    expect(() => reconstructions(greys(2), greys(3))).toThrowError(expect.objectContaining({ code: 'ERR_VAE_SHAPE' }));
  });

  it('draws originals above reconstructions, in the right places of the PNG', async () => {
    const bright = { data: new Float32Array(3 * 16).fill(1), shape: [3, 1, 4, 4] };
    const dark = { data: new Float32Array(3 * 16).fill(0), shape: [3, 1, 4, 4] };
    const png = await figureToPng(reconstructions(bright, dark));
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => data[(Math.round(y) * info.width + Math.round(x)) * info.channels]!;
    // Margin 16, label 18, pictures of 60, doubled.
    expect(at(2 * (16 + 30), 2 * (16 + 18 + 30))).toBe(255);
    expect(at(2 * (16 + 30), 2 * (16 + 18 + 64 + 18 + 30))).toBe(0);
  });

  it('fits wide and narrow pages', async () => {
    const count = (svg: string) => svg.match(/<image /g)!.length;
    const figure = priorSamples(greys(100, 28));
    expect(count(await figure.draw(WIDE))).toBe(98);
    expect(count(await figure.draw(NARROW))).toBe(54);
    const large = await priorSamples({ data: new Uint8Array(3 * 200 * 300), shape: [1, 3, 200, 300] }).draw(NARROW);
    expect(large).not.toContain('pixelated');
  });
});

describe('writeReport', () => {
  const folder = temporaryFolder('report');

  it('writes a page that needs nothing else, pictures and numbers', async () => {
    const written = await writeReport(join(folder, 'run'), {
      title: 'A <model> & "data"',
      highlights: [{ label: 'Test loss', value: '104.9', unit: 'nats' }],
      figures: [trainingCurves(epochs), reconstructions(greys(3), greys(3)), priorSamples(greys(9))],
      details: [['Seed', '7']],
      data: { testLoss: 104.9 },
    });
    const page = await readFile(written.page, 'utf8');
    expect(page).toContain('<h1>A &#60;model&#62; &#38; &#34;data&#34;</h1>');
    // Nothing is loaded: no script, no link, no address but XML's own name.
    expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|<link|@import|url\((?!#)/);
    for (const value of Object.values(LIGHT)) expect(page.split('</style>')[1]).not.toContain(value);
    expect(page).toContain('var(--ink)');
    expect(JSON.parse(await readFile(written.json, 'utf8'))).toEqual({ testLoss: 104.9 });
    expect(written.pictures.map((path) => path.split('/').pop())).toEqual([
      'training-curves.png',
      'reconstructions.png',
      'samples.png',
    ]);
    for (const path of written.pictures) {
      const { width, format } = await sharp(path).metadata();
      expect([width, format]).toEqual([2 * (860 + 32), 'png']);
    }
  });

  it('leaves the earlier report whole where it cannot write', async () => {
    const where = join(folder, 'run', 'report.html');
    const before = await readFile(where);
    const broken = { ...trainingCurves(epochs), draw: () => Promise.reject(new Error('no ink')) };
    await expect(writeReport(join(folder, 'run'), { title: 'x', figures: [broken], data: {} })).rejects.toThrow(
      'no ink',
    );
    await expect(writeReport(where, { title: 'x', figures: [], data: {} })).rejects.toMatchObject({
      code: 'ERR_VAE_IO',
    });
    expect(await readFile(where)).toEqual(before);
  });
});

describe('theme', () => {
  it('has colours that can be told apart in the markup, for both modes', () => {
    expect(new Set(Object.values(LIGHT)).size).toBe(Object.keys(LIGHT).length);
    expect(Object.keys(DARK)).toEqual(Object.keys(LIGHT));
  });

  it('keeps text inside XML', async () => {
    expect(escapeXml(`<a b='c'>&"`)).toBe('&#60;a b=&#39;c&#39;&#62;&#38;&#34;');
    const svg = await figureToSvg(trainingCurves(epochs, { unit: '<b>' }));
    expect(svg).not.toContain('<b>');
  });
});
