import { expect, it } from 'vitest';
import { powerSpectrum } from '../../src/data/image/spectrum.js';

const SIDE = 128;
const picture = (at: (x: number, y: number) => number) => ({
  data: Float32Array.from({ length: SIDE * SIDE }, (_, i) => at(i % SIDE, Math.floor(i / SIDE))),
  shape: [1, SIDE, SIDE],
});

it('finds a wave at its frequency, whichever way it runs', () => {
  for (const [fx, fy] of [
    [0.25, 0],
    [0, 0.25],
    [0.15, 0.2],
  ] as const) {
    const spectrum = powerSpectrum(picture((x, y) => 0.5 + 0.4 * Math.sin(2 * Math.PI * (fx * x + fy * y))));
    const [frequency] = spectrum.reduce((best, entry) => (entry[1] > best[1] ? entry : best));
    expect(Math.abs(frequency - 0.25)).toBeLessThan(0.011);
  }
});

it('gives white noise its variance everywhere, for bytes as for floats', () => {
  let state = 7;
  const noise = picture(() => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  });
  const expected = 10 * Math.log10(1 / 12);
  const bytes = { data: Uint8Array.from(noise.data, (value) => Math.round(255 * value)), shape: noise.shape };
  for (const one of [noise, bytes]) {
    const spectrum = powerSpectrum(one);
    const fine = spectrum.filter(([frequency]) => frequency > 0.2);
    for (const [frequency, decibels] of fine) expect(Math.abs(decibels - expected), `at ${frequency}`).toBeLessThan(2);
    const mean = fine.reduce((sum, [, decibels]) => sum + 10 ** (decibels / 10), 0) / fine.length;
    expect(Math.abs(10 * Math.log10(mean) - expected)).toBeLessThan(0.3);
  }
});

it('refuses pictures too small to say anything', () => {
  expect(() => powerSpectrum({ data: new Float32Array(64), shape: [1, 8, 8] })).toThrow(/sides of at least 16/);
});
