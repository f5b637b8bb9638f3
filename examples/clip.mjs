// Makes a clip of two balls that bounce in a box, learns it with three-dimensional convolutions, and writes what the
// model makes of it as a video that blends its overlapping clips. Needs no ffmpeg.
//
//   node examples/clip.mjs [--out clip-output] [--epochs 20] [--frames 1200]
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readVideo, writeRows } from 'node-vae';
import { trainAndReport } from './lib/data-example.mjs';

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'clip-output' },
    epochs: { type: 'string', default: '20' },
    frames: { type: 'string', default: '1200' },
  },
});
const { out } = options;
const SIDE = 32;

/** Where a ball is that runs to and fro between 4 and 28. */
const bounce = (start, speed, time) => 4 + Math.abs(((start + speed * time) % 48) - 24);

function frames(count) {
  const pixels = new Float32Array(3 * count * SIDE * SIDE).fill(0.08);
  const balls = [
    { x: [3, 1.3], y: [11, 0.7], colour: [1, 0.55, 0.1] },
    { x: [20, 0.9], y: [30, 1.1], colour: [0.2, 0.55, 0.9] },
  ];
  for (let time = 0; time < count; time += 1) {
    for (const { x, y, colour } of balls) {
      const [left, top] = [bounce(...x, time), bounce(...y, time)];
      for (let at = 0; at < SIDE * SIDE; at += 1) {
        const distance = Math.hypot((at % SIDE) - left, Math.floor(at / SIDE) - top);
        const cover = Math.min(1, Math.max(0, 4.5 - distance));
        for (let channel = 0; channel < 3; channel += 1) {
          const place = (channel * count + time) * SIDE * SIDE + at;
          pixels[place] += (colour[channel] - pixels[place]) * cover;
        }
      }
    }
  }
  return pixels;
}

await mkdir(out, { recursive: true });
const clip = join(out, 'balls.y4m');
const count = Number(options.frames);
const recipe = { kind: 'video', height: SIDE, width: SIDE, colour: 'rgb', frames: count, hop: count, rate: [20, 1] };
await writeRows(clip, { data: frames(count), shape: [1, 3, count, SIDE, SIDE] }, recipe);

await trainAndReport({
  title: 'Bouncing balls',
  data: await readVideo(clip, { overlap: 4 }),
  out,
  epochs: Number(options.epochs),
  batchSize: 8,
  learningRate: 0.003,
  extra: async (vae) => {
    const rebuilt = join(out, 'rebuilt.y4m');
    const { frames: written, psnr } = await vae.reconstructFile(clip, rebuilt);
    return [['Rebuilt', `${written} frames, PSNR ${psnr.toFixed(1)} dB, in ${rebuilt}`]];
  },
});
