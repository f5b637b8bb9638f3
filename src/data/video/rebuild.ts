/** Whole videos through a model, with the memory of a few clips. */
import { extname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import type { RebuildRows } from '../audio/rebuild.js';
import { runFfmpeg, temporaryFile } from '../ffmpeg.js';
import type { FoundFile } from '../find-files.js';
import { OverlapAdd, piecesOf } from '../overlap.js';
import { frameOf, openVideo, videoRow } from './open.js';
import { type VideoRecipe, videoRowShape } from './recipe.js';
import { assumedMatrix, Y4mWriter } from './y4m.js';

export interface RebuiltVideo {
  readonly frames: number;
  readonly rows: number;
  /** Peak signal-to-noise ratio at the recipe's sides, in decibels; Infinity for equal videos. */
  readonly psnr: number;
}

/** Rows that go through the model at once. */
const BATCH = 8;

/**
 * Passes a video through `rebuild` clip by clip (values 0 to 1), blends where clips overlap, and writes .y4m, or
 * through ffmpeg whatever the path ends in. Where `rebuild` gives rows later than it takes them, `finish` gives the rest.
 */
export async function rebuildVideo(
  input: FoundFile,
  output: string,
  recipe: VideoRecipe,
  rebuild: RebuildRows,
  signal?: AbortSignal,
  finish?: () => Promise<Float32Array>,
): Promise<RebuiltVideo> {
  const longestSide = Math.max(640, recipe.height, recipe.width);
  const file = await openVideo(input, { longestSide, fps: recipe.fps, signal });
  return file.use(async (video) => {
    const { frames } = video.info;
    const total = piecesOf(frames, { frame: recipe.frames, hop: recipe.hop });
    const joiner = new ClipJoiner({ ...recipe, rate: [...video.info.rate] });
    let squares = 0;
    let values = 0;
    const rowSize = videoRowShape(recipe).reduce((size, dim) => size * dim, 1);
    await writeFrames(output, { ...recipe, rate: [...video.info.rate] }, async (write) => {
      let written = 0;
      const take = async (settled: readonly Uint8Array[]): Promise<void> => {
        for (const frame of settled) {
          if (written >= frames) return;
          const original = await frameOf(video, written, recipe);
          for (let at = 0; at < frame.length; at += 1) squares += (frame[at]! - original[at]!) ** 2;
          values += frame.length;
          await write(frame);
          written += 1;
        }
      };
      const join = async (rebuilt: Float32Array): Promise<void> => {
        for (let at = 0; at < rebuilt.length; at += rowSize) {
          await take(joiner.push(rebuilt.subarray(at, at + rowSize)));
        }
      };
      for (let start = 0; start < total; start += BATCH) {
        signal?.throwIfAborted();
        const count = Math.min(BATCH, total - start);
        const rows = new Float32Array(count * rowSize);
        for (let row = 0; row < count; row += 1) {
          const bytes = await videoRow(video, start + row, recipe);
          for (let at = 0; at < rowSize; at += 1) rows[row * rowSize + at] = bytes[at]! / 255;
        }
        await join(await rebuild(rows, count));
      }
      if (finish) await join(await finish());
      await take(joiner.flush());
    });
    return { frames, rows: total, psnr: 10 * Math.log10((255 * 255 * values) / squares) };
  });
}

/**
 * Rows as one video: those of one video, blended where they overlap; or, with `apart`, one after another.
 *
 * @param rows [count, ...row] from 0 to 1, as decode() and sample() give them.
 */
export async function writeVideo(
  path: string,
  rows: Float32Array,
  recipe: VideoRecipe,
  { apart = false }: { apart?: boolean } = {},
): Promise<void> {
  const rowSize = videoRowShape(recipe).reduce((size, dim) => size * dim, 1);
  if (rows.length === 0 || rows.length % rowSize !== 0) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `writeVideo(): expected rows of ${rowSize} values, received ${rows.length} values.`,
    );
  }
  const joiner = new ClipJoiner(apart ? { ...recipe, hop: recipe.frames } : recipe);
  await writeFrames(path, recipe, async (write) => {
    for (let at = 0; at < rows.length; at += rowSize) {
      for (const frame of joiner.push(rows.subarray(at, at + rowSize))) await write(frame);
    }
    for (const frame of joiner.flush()) await write(frame);
  });
}

/** Clips to frames, blended where they overlap. */
class ClipJoiner {
  readonly #overlap: OverlapAdd;
  readonly #channels: number;
  readonly #plane: number;

  constructor({ colour, frames, hop, height, width }: VideoRecipe) {
    this.#channels = colour === 'grey' ? 1 : 3;
    this.#plane = height * width;
    this.#overlap = new OverlapAdd({ lanes: this.#channels, frame: frames, hop, inner: this.#plane });
  }

  push(row: Float32Array): Uint8Array[] {
    return this.#frames(this.#overlap.push(row));
  }

  flush(): Uint8Array[] {
    return this.#frames(this.#overlap.flush());
  }

  #frames(settled: Float32Array): Uint8Array[] {
    const count = settled.length / this.#channels / this.#plane;
    return Array.from({ length: count }, (_, frame) => {
      const out = new Uint8ClampedArray(this.#channels * this.#plane);
      for (let channel = 0; channel < this.#channels; channel += 1) {
        const from = (channel * count + frame) * this.#plane;
        for (let at = 0; at < this.#plane; at += 1) out[channel * this.#plane + at] = settled[from + at]! * 255;
      }
      return new Uint8Array(out.buffer);
    });
  }
}

async function writeFrames(
  path: string,
  { width, height, rate, colour }: VideoRecipe,
  work: (write: (frame: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const raw = extname(path).toLowerCase() === '.y4m';
  const target = raw ? path : temporaryFile('.y4m');
  const writer = await Y4mWriter.create(target, { width, height, rate, grey: colour === 'grey' });
  try {
    await work((frame) => writer.write(frame));
    await writer.close();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  if (raw) return;
  // Most players want even sides and half the colours; what the file does not name, each takes in its own way.
  const matrix = assumedMatrix(height);
  const named = { bt709: 'bt709', bt601: 'smpte170m' }[matrix];
  const filter = `scale=in_color_matrix=${matrix}:out_color_matrix=${matrix},pad=ceil(iw/2)*2:ceil(ih/2)*2`;
  const colours = ['-colorspace', named, '-color_primaries', named, '-color_trc', named];
  await runFfmpeg(['-i', `file:${target}`, '-vf', filter, '-pix_fmt', 'yuv420p', ...colours, `file:${path}`], {
    what: `${path} is to be written in a format of its own`,
    remedy: 'write to a path that ends in .y4m',
  });
}
