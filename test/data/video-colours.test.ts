/** Colours, range and times of video beside what its files say. What is not .y4m is made and read by ffmpeg. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileAt, findFiles } from '../../src/data/find-files.js';
import { readVideo } from '../../src/data/index.js';
import { openVideo } from '../../src/data/video/open.js';
import { Y4mWriter } from '../../src/data/video/y4m.js';
import { hasFfmpeg } from '../support/ffmpeg.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('colours');
const at = (...names: string[]) => join(folder, ...names);
const ffmpeg = (...args: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args]);

async function firstPixel(path: string): Promise<number[]> {
  const video = await openVideo(fileAt(path), { longestSide: 4096 });
  const { width, height } = video.info;
  const frame = await video.use((frames) => frames.read(0));
  return [0, 1, 2].map((channel) => frame[channel * width * height + 5]!);
}

/** One frame of one colour as a .y4m file of 4:4:4. */
async function y4m(path: string, [y, u, v]: readonly number[], header: string, width = 16, height = 16): Promise<void> {
  const planes = [y, u, v].map((level) => Buffer.alloc(width * height, level));
  await writeFile(
    path,
    Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F25:1 ${header}\nFRAME\n`), ...planes]),
  );
}

describe('.y4m files', () => {
  it('are BT.601 below 720 lines and BT.709 from there on, and it is told', async () => {
    await y4m(at('small.y4m'), [122, 94, 75], 'C444');
    // 1.164 (122 − 16) + 1.596 (75 − 128) and so on.
    expect(await firstPixel(at('small.y4m'))).toEqual([39, 180, 55]);
    await y4m(at('tall.y4m'), [122, 94, 75], 'C444', 4, 720);
    expect(await firstPixel(at('tall.y4m'))).toEqual([28, 159, 52]);
    const { notes } = await readVideo(at('small.y4m'), { frames: 1 });
    expect(notes).toEqual([
      expect.stringMatching(/small\.y4m are taken as BT\.601, by its 16 lines: \.y4m does not say/),
    ]);
  });

  it('say their range, and grey is full where they do not', async () => {
    await y4m(at('full.y4m'), [122, 94, 75], 'C444 XCOLORRANGE=FULL');
    expect(await firstPixel(at('full.y4m'))).toEqual([48, 172, 62]);
    await writeFile(
      at('grey.y4m'),
      Buffer.concat([Buffer.from('YUV4MPEG2 W4 H4 F25:1 Cmono\nFRAME\n'), Buffer.alloc(16, 5)]),
    );
    const video = await openVideo(fileAt(at('grey.y4m')), { longestSide: 99 });
    expect((await video.use((frames) => frames.read(0)))[0]).toBe(5);
  });

  it('come back as they were written, at both heights, grey or not', async () => {
    for (const [height, grey] of [
      [16, false],
      [720, false],
      [16, true],
    ] as const) {
      const writer = await Y4mWriter.create(at('back.y4m'), { width: 16, height, rate: [25, 1], grey });
      const frame = new Uint8Array(16 * height * (grey ? 1 : 3));
      for (const [channel, level] of [200, 90, 30].entries())
        frame.fill(level, channel * 16 * height, (channel + 1) * 16 * height);
      await writer.write(frame);
      await writer.close();
      const video = await openVideo(fileAt(at('back.y4m')), { longestSide: 4096 });
      const read = await video.use((frames) => frames.read(0));
      for (const index of [0, read.length - 1])
        expect(Math.abs(read[index]! - frame[index]!)).toBeLessThanOrEqual(grey ? 0 : 2);
    }
  });
});

// Where ffmpeg is missing these formats are refused by name, as audio.test.ts and video.test.ts hold; .ci/run installs it.
describe.skipIf(!hasFfmpeg)('through ffmpeg', () => {
  const flat = ['-f', 'lavfi', '-i', 'color=0x20C040:size=64x48:rate=10:duration=1'];

  it.each([
    ['bt709', 'bt709'],
    ['smpte170m', 'smpte170m'],
  ])('the matrix is that of the stream: %s', async (matrix, named) => {
    const path = at(`${matrix}.mp4`);
    const filter = `scale=out_color_matrix=${matrix === 'bt709' ? 'bt709' : 'bt601'}:flags=accurate_rnd`;
    ffmpeg(...flat, '-vf', filter, '-colorspace', named, '-pix_fmt', 'yuv444p', '-qp', '0', path);
    const [red, green, blue] = await firstPixel(path);
    expect(Math.abs(red! - 0x20)).toBeLessThanOrEqual(3);
    expect(Math.abs(green! - 0xc0)).toBeLessThanOrEqual(3);
    expect(Math.abs(blue! - 0x40)).toBeLessThanOrEqual(3);
    expect((await readVideo(path, { frames: 1 })).notes).toEqual([]);
  });

  it('full range is that of the stream', async () => {
    ffmpeg(...flat, '-pix_fmt', 'yuvj420p', '-q:v', '1', at('full.avi'));
    const [red, green, blue] = await firstPixel(at('full.avi'));
    expect([red! - 0x20, green! - 0xc0, blue! - 0x40].every((difference) => Math.abs(difference) <= 3)).toBe(true);
  });

  it('every frame is taken once, whatever its time, and resampled when asked', async () => {
    // Ten frames whose times are 0, 1, 4, 9 … hundredths of a second.
    const times = ['-vf', 'setpts=N*N/(100*TB)', '-fps_mode', 'vfr', '-enc_time_base', '1/1000'];
    ffmpeg(...flat, ...times, '-c:v', 'libvpx', at('irregular.webm'));
    const data = await readVideo(at('irregular.webm'), { frames: 1 });
    expect(data.length).toBe(10);
    expect(data.notes.join()).toMatch(
      /irregular\.webm come at irregular times; each is taken once \(--fps N resamples\)/,
    );
    const resampled = await readVideo(at('irregular.webm'), { frames: 1, fps: 20 });
    expect(resampled.length).toBeGreaterThan(14);
    expect(resampled.recipe).toMatchObject({ fps: 20, rate: [20, 1] });
  });

  it.each(['yuv420p10le', 'yuv411p'])('.y4m of %s is read', async (format) => {
    ffmpeg(...flat, '-pix_fmt', format, '-strict', '-1', at(`${format}.y4m`));
    const [red, green, blue] = await firstPixel(at(`${format}.y4m`));
    expect([red! - 0x20, green! - 0xc0, blue! - 0x40].every((difference) => Math.abs(difference) <= 3)).toBe(true);
    const { notes } = await readVideo(at(`${format}.y4m`), { frames: 1 });
    expect(notes.some((note) => note.includes('10 bits'))).toBe(format === 'yuv420p10le');
  });

  it('names with colons, and of bytes that are no text, are no obstacle', async () => {
    ffmpeg(...flat, at('plain.mp4'));
    const { readFile, mkdir } = await import('node:fs/promises');
    await mkdir(at('names'));
    const bytes = await readFile(at('plain.mp4'));
    await writeFile(at('names', 'at 12:30.mp4'), bytes);
    await writeFile(
      Buffer.concat([Buffer.from(`${at('names')}/caf`), Buffer.from([0xe9]), Buffer.from('.mp4')]),
      bytes,
    );
    expect(await findFiles([at('names')], { plural: 'videos', endings: ['.mp4'] })).toHaveLength(2);
    expect((await readVideo(at('names'), { frames: 1 })).length).toBe(20);
  });

  it('odd sides stay what they are', async () => {
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=63x47:rate=10:duration=1', '-pix_fmt', 'yuv444p', at('odd.mp4'));
    const { info } = await openVideo(fileAt(at('odd.mp4')), { longestSide: 640 });
    expect([info.width, info.height, info.frames]).toEqual([63, 47, 10]);
  });
});
