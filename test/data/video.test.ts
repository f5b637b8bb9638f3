import { execFileSync } from 'node:child_process';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fileAt } from '../../src/data/find-files.js';
import { type Dataset, readDataset, readVideo, type VideoRecipe } from '../../src/data/index.js';
import { rebuildVideo, writeVideo } from '../../src/data/video/rebuild.js';
import { Y4mFile, Y4mWriter } from '../../src/data/video/y4m.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('video');
const at = (...names: string[]) => join(folder, ...names);
const hasFfmpeg = (() => {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** A disc that moves to the right, on a ground that grows lighter downwards. */
function frame(index: number, size = 16, channels: 1 | 3 = 3): Uint8Array {
  const out = new Uint8Array(channels * size * size);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const disc = (x - (index % size)) ** 2 + (y - size / 2) ** 2 < 9;
      const colour = disc ? [220, 60, 30] : [20, 40 + 8 * y, 90];
      for (let c = 0; c < channels; c += 1) out[(c * size + y) * size + x] = colour[c]!;
    }
  }
  return out;
}

async function clip(path: string, frames: number, { size = 16, grey = false } = {}): Promise<void> {
  const writer = await Y4mWriter.create(path, { width: size, height: size, rate: [12, 1], grey });
  for (let index = 0; index < frames; index += 1) await writer.write(frame(index, size, grey ? 1 : 3));
  await writer.close();
}

beforeAll(async () => {
  await mkdir(at('clips/a'), { recursive: true });
  await mkdir(at('clips/b'));
  await clip(at('clips/a/one.y4m'), 20);
  await clip(at('clips/b/two.y4m'), 5);
});

describe('.y4m files', () => {
  it.each([
    [false, 3],
    [true, 1],
  ])('give back what was written (grey: %s), but for the rounding of colours', async (grey, channels) => {
    await clip(at('back.y4m'), 3, { grey });
    const video = await Y4mFile.open(at('back.y4m'));
    expect(video.info).toEqual({ width: 16, height: 16, rate: [12, 1], frames: 3, grey });
    const found = await video.read(2);
    await video.close();
    for (const [i, value] of frame(2, 16, channels as 1 | 3).entries())
      expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(2);
  });

  it('are read with planes of colour of a quarter, parameters of frames, and full range', async () => {
    const y = [0, 255, 128, 64];
    const header = Buffer.from('YUV4MPEG2 W2 H2 F30000:1001 C420jpeg XCOLORRANGE=FULL\nFRAME Ip\n');
    await writeFile(at('small.y4m'), Buffer.concat([header, Buffer.from([...y, 128, 128])]));
    const video = await Y4mFile.open(at('small.y4m'));
    expect(video.info).toMatchObject({ rate: [30000, 1001], frames: 1 });
    expect(Array.from(await video.read(0))).toEqual([...y, ...y, ...y]);
    await video.close();
  });

  it.each([
    ['an empty file', '', /empty \(0 bytes\)/],
    ['a text file', 'hello, this is text\n', /does not begin with YUV4MPEG2/],
    ['ten bits', 'YUV4MPEG2 W2 H2 C420p10\n', /kind 420p10; known are 420, .*mono/],
    ['impossible sides', 'YUV4MPEG2 W0 H2\n', /its sides are 0 and 2/],
    ['no frames', 'YUV4MPEG2 W2 H2\n', /has no frames/],
    ['a damaged frame', 'YUV4MPEG2 W2 H2 Cmono\nFRAME\n....XXXXX\n....', /frame 1 does not begin with FRAME/],
  ])('of %s are refused', async (_, text, message) => {
    await writeFile(at('bad.y4m'), text);
    await expect(Y4mFile.open(at('bad.y4m'))).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringMatching(message),
    });
  });

  it('that end within a frame are refused, and it is said how much is whole', async () => {
    await clip(at('cut.y4m'), 4);
    await truncate(at('cut.y4m'), 3000);
    await expect(Y4mFile.open(at('cut.y4m'))).rejects.toThrow(
      /truncated: frame 3 needs 768 bytes, \d+ are there\. The 3 frames before it are whole/,
    );
  });
});

describe('readVideo', () => {
  it('cuts videos into clips that overlap, with labels and names', async () => {
    const data: Dataset = await readDataset(at('clips'));
    expect(data.rowShape).toEqual([3, 8, 16, 16]);
    expect(data.recipe).toEqual({
      kind: 'video',
      height: 16,
      width: 16,
      colour: 'rgb',
      frames: 8,
      hop: 6,
      rate: [12, 1],
    });
    // 20 frames need 1 + 12 / 6 clips, 5 one that holds the last frame until its end.
    expect(data.length).toBe(4);
    expect(Array.from(data.labels!.values)).toEqual([0, 0, 0, 1]);
    expect(data.names![1]).toBe(`${at('clips/a/one.y4m')} frame 6`);
    const plane = 256;
    const value = (row: number, t: number, i: number) => data.memory![(row * 3 * 8 + t) * plane + i]!;
    const expected = frame(8);
    for (let i = 0; i < plane; i += 1) {
      expect(Math.abs(value(1, 2, i) - expected[i]!)).toBeLessThanOrEqual(2);
      expect(value(3, 7, i)).toBe(value(3, 4, i));
    }
  });

  it('reads the same from memory and from the files, and takes single frames as pictures', async () => {
    const kept = await readVideo(at('clips'));
    const streamed = await readVideo(at('clips'), { memoryBytes: 0 });
    expect(await streamed.read([3, 1])).toEqual(await kept.read([3, 1]));
    const frames = await readVideo(at('clips'), { frames: 1, size: [8, 12], colour: 'grey' });
    expect(frames.rowShape).toEqual([1, 8, 12]);
    expect(frames.length).toBe(25);
  });

  it('refuses clips that overlap by more than half', async () => {
    await expect(readVideo(at('clips'), { frames: 8, overlap: 5 })).rejects.toThrow(/do not fit together/);
  });
});

describe('whole videos through a model', () => {
  const recipe: VideoRecipe = { kind: 'video', height: 16, width: 16, colour: 'rgb', frames: 8, hop: 6, rate: [12, 1] };

  it('come out as they went in where clips do', async () => {
    const result = await rebuildVideo(fileAt(at('clips/a/one.y4m')), at('out.y4m'), recipe, async (rows) => rows);
    expect(result).toMatchObject({ frames: 20, rows: 3 });
    expect(result.psnr).toBe(Number.POSITIVE_INFINITY);
    const [before, after] = [await readVideo(at('clips/a/one.y4m')), await readVideo(at('out.y4m'))];
    // Colours are rounded once more on the way out.
    for (const [i, value] of after.memory!.entries())
      expect(Math.abs(value - before.memory![i]!)).toBeLessThanOrEqual(3);
  });

  it('fade from clip to clip where neighbours disagree', async () => {
    let row = 0;
    await rebuildVideo(fileAt(at('clips/a/one.y4m')), at('fade.y4m'), recipe, async (rows, count) => {
      const out = new Float32Array(rows.length);
      for (let index = 0; index < count; index += 1, row += 1)
        out.fill(row % 2 === 0 ? 1 : 0, (index * rows.length) / count, ((index + 1) * rows.length) / count);
      return out;
    });
    const video = await Y4mFile.open(at('fade.y4m'));
    const levels = await Promise.all([5, 6, 7, 8].map(async (index) => (await video.read(index))[0]));
    await video.close();
    expect(levels).toEqual([255, 170, 85, 0]);
  });

  it('are written from decoded rows', async () => {
    const data = await readVideo(at('clips/a/one.y4m'));
    const rows = Float32Array.from(data.memory!, (value) => value / 255);
    await writeVideo(at('joined.y4m'), rows, recipe);
    await writeVideo(at('apart.y4m'), rows, recipe, { apart: true });
    for (const [name, frames] of [
      ['joined', 20],
      ['apart', 24],
    ] as const) {
      const video = await Y4mFile.open(at(`${name}.y4m`));
      await video.close();
      expect(video.info.frames).toBe(frames);
    }
  });

  it.skipIf(!hasFfmpeg)('go to and come from files that play everywhere', { timeout: 60_000 }, async () => {
    await rebuildVideo(fileAt(at('clips/a/one.y4m')), at('out.mp4'), recipe, async (rows) => rows);
    expect((await readFile(at('out.mp4'))).subarray(4, 8).toString()).toBe('ftyp');
    const back = await readVideo(at('out.mp4'));
    const original = await readVideo(at('clips/a/one.y4m'));
    expect(back.length).toBe(original.length);
    let squares = 0;
    for (const [i, value] of back.memory!.entries()) squares += (value - original.memory![i]!) ** 2;
    expect(Math.sqrt(squares / back.memory!.length)).toBeLessThan(20);
  });
});
