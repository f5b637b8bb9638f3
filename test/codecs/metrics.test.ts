/** PSNR and MS-SSIM of the addon beside the equations of Wang, Simoncelli and Bovik 2003 as they are written. */
import { describe, expect, it } from 'vitest';
import { type Picture, PictureMetrics } from '../../src/codecs/index.js';

const WINDOW = Array.from({ length: 11 }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * 1.5 ** 2)));
const TOTAL = WINDOW.reduce((sum, weight) => sum + weight, 0);
const EXPONENTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
const [C1, C2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];

interface Plane {
  readonly width: number;
  readonly height: number;
  readonly data: Float64Array;
}

/** Each place's mean under the window of 11 by 11, in one sum of 121. */
function blur({ width, height, data }: Plane): Plane {
  const [w, h] = [width - 10, height - 10];
  const out = new Float64Array(w * h);
  for (let y = 0; y < h; y += 1) {
    for (let x = 0; x < w; x += 1) {
      let sum = 0;
      for (let i = 0; i < 121; i += 1) {
        const [dy, dx] = [Math.floor(i / 11), i % 11];
        sum += WINDOW[dy]! * WINDOW[dx]! * data[(y + dy) * width + x + dx]!;
      }
      out[y * w + x] = sum / TOTAL ** 2;
    }
  }
  return { width: w, height: h, data: out };
}

function product(a: Plane, b: Plane): Plane {
  return { ...a, data: a.data.map((value, at) => value * b.data[at]!) };
}

function halve({ width, height, data }: Plane): Plane {
  const [w, h] = [width >> 1, height >> 1];
  const at = (x: number, y: number): number => data[y * width + x]!;
  const out = Float64Array.from({ length: w * h }, (_, i) => {
    const [x, y] = [2 * (i % w), 2 * Math.floor(i / w)];
    return (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4;
  });
  return { width: w, height: h, data: out };
}

function msSsim(one: Plane, other: Plane): number {
  let [a, b] = [one, other];
  let result = 1;
  for (const [scale, exponent] of EXPONENTS.entries()) {
    const [ma, mb] = [blur(a).data, blur(b).data];
    const [aa, bb, ab] = [blur(product(a, a)).data, blur(product(b, b)).data, blur(product(a, b)).data];
    let sum = 0;
    for (let i = 0; i < ma.length; i += 1) {
      const contrast = (2 * (ab[i]! - ma[i]! * mb[i]!) + C2) / (aa[i]! - ma[i]! ** 2 + (bb[i]! - mb[i]! ** 2) + C2);
      const luminance = (2 * ma[i]! * mb[i]! + C1) / (ma[i]! ** 2 + mb[i]! ** 2 + C1);
      sum += scale === EXPONENTS.length - 1 ? contrast * luminance : contrast;
    }
    result *= Math.max(0, sum / ma.length) ** exponent;
    [a, b] = [halve(a), halve(b)];
  }
  return result;
}

function planeOf({ width, height, channels, data }: Picture, channel: number): Plane {
  return {
    ...{ width, height },
    data: Float64Array.from({ length: width * height }, (_, at) => data[at * channels + channel]!),
  };
}

/** A smooth picture, and the same with noise of some strength. */
function pair(width: number, height: number, channels: 1 | 3, noise: number): [Picture, Picture] {
  const a = new Uint8Array(width * height * channels);
  const b = new Uint8Array(a.length);
  let state = 7;
  for (let i = 0; i < a.length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    a[i] = 128 + 90 * Math.sin(i / 37) + 30 * ((i % width) / width);
    b[i] = Math.min(255, Math.max(0, a[i]! + ((state >>> 16) / 65536 - 0.5) * noise));
  }
  const size = { width, height, channels };
  return [
    { ...size, data: a },
    { ...size, data: b },
  ];
}

describe('how near pictures are', () => {
  it.each([
    [176, 176, 1, 20],
    [201, 180, 3, 60],
    [200, 191, 1, 500],
  ] as const)(
    'MS-SSIM of %i × %i × %i with noise %i is that of the equations',
    async (width, height, channels, noise) => {
      await using metrics = new PictureMetrics();
      const [a, b] = pair(width, height, channels, noise);
      let expected = 0;
      for (let channel = 0; channel < channels; channel += 1)
        expected += msSsim(planeOf(a, channel), planeOf(b, channel)) / channels;
      let squares = 0;
      for (let i = 0; i < a.data.length; i += 1) squares += (a.data[i]! - b.data[i]!) ** 2;
      const found = await metrics.compare(a, b);
      expect(Math.abs(found.msSsim! - expected)).toBeLessThan(1e-9);
      expect(found.psnr).toBeCloseTo(10 * Math.log10(255 ** 2 / (squares / a.data.length)), 10);
    },
  );

  // Of earlier releases, which computed in single precision.
  it.each([
    [301, 222, 3, 40, 0.9933684468269348, 26.90293233008788],
    [200, 180, 3, 400, 0.366910845041275, 8.98149789669681],
  ] as const)('%i × %i × %i is what it was before', async (width, height, channels, noise, similarity, psnr) => {
    await using metrics = new PictureMetrics();
    const found = await metrics.compare(...pair(width, height, channels, noise));
    expect(Math.abs(found.msSsim! - similarity)).toBeLessThan(5e-6);
    expect(found.psnr).toBeCloseTo(psnr, 10);
  });

  it('small pictures have no MS-SSIM, equal ones have 1, others are refused', async () => {
    await using metrics = new PictureMetrics();
    expect((await metrics.compare(...pair(175, 400, 1, 9))).msSsim).toBeUndefined();
    const [a] = pair(200, 200, 3, 0);
    expect(await metrics.compare(a, a)).toEqual({ psnr: Number.POSITIVE_INFINITY, msSsim: expect.closeTo(1, 12) });
    await expect(metrics.compare(a, pair(201, 200, 3, 0)[0])).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
    const short = { ...a, data: a.data.subarray(1) };
    await expect(metrics.compare(a, short)).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
  });

  it('takes little memory however large pictures are', async () => {
    await using metrics = new PictureMetrics();
    const [a, b] = pair(3840, 2400, 3, 10);
    const before = process.memoryUsage().rss;
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    await metrics.compare(a, b);
    clearInterval(timer);
    expect(Math.max(most, process.memoryUsage().rss) - before).toBeLessThan(64 << 20);
  });
});
