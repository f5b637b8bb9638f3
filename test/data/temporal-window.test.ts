/** Models of single frames over video, with the latents of neighbours. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readVideo } from '../../src/data/index.js';
import { temporalWindow } from '../../src/data/video/temporal-window.js';
import { Y4mFile, Y4mWriter } from '../../src/data/video/y4m.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('window');

describe('temporalWindow', () => {
  /** Frames of one value that pass unchanged, in batches of these sizes. */
  async function pass(window: number, values: readonly number[], batches: readonly number[]): Promise<number[]> {
    let most = 0;
    const { rebuild, finish } = temporalWindow(window, {
      encode: async (frames) => frames,
      decode: async (latents, count) => {
        most = Math.max(most, count);
        return latents;
      },
    });
    const out: number[] = [];
    let at = 0;
    for (const count of batches) {
      out.push(...(await rebuild(Float32Array.from(values.slice(at, at + count)), count)));
      at += count;
    }
    out.push(...(await finish()));
    expect(most).toBeLessThanOrEqual(Math.max(...batches) + window);
    return out;
  }

  it('with one frame leaves everything as it is', async () => {
    expect(await pass(1, [1, 5, 2, 8], [3, 1])).toEqual([1, 5, 2, 8]);
  });

  it('takes weighted means, of the frames there are at the ends, however they are cut in batches', async () => {
    const values = Array.from({ length: 11 }, (_, at) => (at * 7) % 5);
    const weights = [1, 2, 3, 2, 1].map((_, at) => Math.sin((Math.PI * (at + 1)) / 6) ** 2);
    const expected = values.map((_, frame) => {
      let [sum, total] = [0, 0];
      for (let offset = -2; offset <= 2; offset += 1) {
        const value = values[frame + offset];
        if (value === undefined) continue;
        sum += weights[offset + 2]! * value;
        total += weights[offset + 2]!;
      }
      return sum / total;
    });
    for (const batches of [[11], [4, 4, 3], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [8, 3]]) {
      const out = await pass(5, values, batches);
      expect(out).toHaveLength(11);
      for (const [at, value] of out.entries()) expect(value).toBeCloseTo(expected[at]!, 5);
    }
  });

  it('takes a window longer than the video', async () => {
    const out = await pass(9, [3, 3], [2]);
    expect(out.map((value) => Math.round(value * 1e5) / 1e5)).toEqual([3, 3]);
  });
});

describe('reconstructFile with a window', () => {
  const SIDE = 16;
  const FRAMES = 20;
  let clip: string;
  let vae: Vae;
  beforeAll(async () => {
    clip = join(folder, 'noisy.y4m');
    let state = 5;
    const noise = () => {
      state = (state * 48271) % 2147483647;
      return 60 * (state / 2147483647 - 0.5);
    };
    const writer = await Y4mWriter.create(clip, { width: SIDE, height: SIDE, rate: [10, 1], grey: true });
    for (let frame = 0; frame < FRAMES; frame += 1) {
      const still = (at: number) => (at % SIDE < SIDE / 2 ? 80 : 170);
      await writer.write(Uint8Array.from({ length: SIDE * SIDE }, (_, at) => still(at) + noise()));
    }
    await writer.close();
    const data = await readVideo(clip, { frames: 1 });
    vae = await Vae.create({
      input: { kind: 'image', height: SIDE, width: SIDE, channels: 1 },
      latentDim: 8,
      seed: 1,
      likelihood: { type: 'gaussian', variance: 0.001 },
    });
    await vae.fit(data, { epochs: 60, batchSize: 10, learningRate: 3e-3 });
  });
  afterAll(() => vae.close());

  /** Mean squared difference of each frame and the next. */
  async function flicker(path: string): Promise<number> {
    const video = await Y4mFile.open(path);
    try {
      expect(video.info.frames).toBe(FRAMES);
      let sum = 0;
      let before = await video.read(0);
      for (let at = 1; at < FRAMES; at += 1) {
        const frame = await video.read(at);
        sum += frame.reduce((total, value, i) => total + (value - before[i]!) ** 2, 0) / frame.length;
        before = frame;
      }
      return sum / (FRAMES - 1);
    } finally {
      await video.close();
    }
  }

  it('flickers less, and writes every frame', async () => {
    const [alone, blended] = [join(folder, 'alone.y4m'), join(folder, 'blended.y4m')];
    expect(await vae.reconstructFile(clip, alone)).toMatchObject({ kind: 'video', frames: FRAMES });
    expect(await vae.reconstructFile(clip, blended, { window: 5 })).toMatchObject({ kind: 'video', frames: FRAMES });
    expect(await flicker(alone)).toBeGreaterThan(1);
    expect(await flicker(blended)).toBeLessThan(0.4 * (await flicker(alone)));
  });

  it('refuses windows that have no middle, and models of clips', async () => {
    await expect(vae.reconstructFile(clip, join(folder, 'x.y4m'), { window: 4 })).rejects.toThrow(
      /odd number of frames/,
    );
    await using clips = await Vae.create({
      input: { kind: 'video', frames: 4, height: SIDE, width: SIDE, channels: 1 },
      architecture: 'conv3d',
      latentDim: 2,
    });
    await clips.fit(await readVideo(clip, { frames: 4 }), { epochs: 1 });
    await expect(clips.reconstructFile(clip, join(folder, 'x.y4m'), { window: 3 })).rejects.toThrow(
      /clips of 4 frames/,
    );
  });
});
