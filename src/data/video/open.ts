/** Video of any format, frame by frame, at the sides and in the colours of a recipe. */
import { extname } from 'node:path';
import { runFfmpeg, temporaryFile } from '../ffmpeg.js';
import type { FileKind, FoundFile } from '../find-files.js';
import { fromPlanes, resizePixels, toPlanes } from '../image/encode.js';
import type { VideoRecipe } from './recipe.js';
import { Y4mFile, type Y4mInfo } from './y4m.js';

export const VIDEOS: FileKind = {
  plural: 'videos',
  endings: ['.y4m', '.mp4', '.m4v', '.mkv', '.webm', '.mov', '.avi', '.mpg', '.mpeg', '.ogv'],
};

/** A video file, converted where it was no .y4m file. */
export interface VideoFile {
  readonly file: FoundFile;
  readonly info: Y4mInfo;
  /** Opens it for as long as `work` takes. */
  use<T>(work: (video: Y4mFile) => Promise<T>): Promise<T>;
}

/**
 * @param longestSide a converted video is made no larger than that: it lies on the disk uncompressed.
 * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_IO; also where ffmpeg is needed and not installed.
 */
export async function openVideo(file: FoundFile, longestSide: number, signal?: AbortSignal): Promise<VideoFile> {
  let { path } = file;
  if (extname(file.name).toLowerCase() !== '.y4m') {
    path = temporaryFile('.y4m');
    const scale = `scale=w='min(iw,${longestSide})':h='min(ih,${longestSide})':force_original_aspect_ratio=decrease:force_divisible_by=2`;
    await runFfmpeg(['-i', String(file.path), '-an', '-vf', scale, '-pix_fmt', 'yuv444p', '-strict', '-1', path], {
      what: `${file.name} is no .y4m file`,
      remedy: 'convert it to .y4m with 8 bits',
      signal,
    });
  }
  const first = await Y4mFile.open(path, file.name);
  await first.close();
  return {
    file,
    info: first.info,
    async use(work) {
      const video = await Y4mFile.open(path, file.name);
      try {
        return await work(video);
      } finally {
        await video.close();
      }
    },
  };
}

/** One frame at the recipe's sides, cut where they are of another shape; beyond the end, the last one. */
export async function frameOf(video: Y4mFile, frame: number, recipe: VideoRecipe): Promise<Uint8Array> {
  const { width, height, frames, grey } = video.info;
  const bytes = await video.read(Math.min(frame, frames - 1));
  const wantsGrey = recipe.colour === 'grey';
  if (width === recipe.width && height === recipe.height && grey === wantsGrey) return bytes;
  const channels = grey ? 1 : 3;
  const frameSize = { width: recipe.width, height: recipe.height, fit: 'cover' } as const;
  const pixels = { data: fromPlanes(bytes, channels), width, height, channels } as const;
  const resized = await resizePixels(pixels, frameSize, recipe.colour);
  return toPlanes(resized.data, resized.channels, wantsGrey ? 1 : 3) as Uint8Array;
}

/** Row `row` of a video: [channels, frames, height, width] bytes. */
export async function videoRow(video: Y4mFile, row: number, recipe: VideoRecipe): Promise<Uint8Array> {
  const { frames, hop, height, width, colour } = recipe;
  const channels = colour === 'grey' ? 1 : 3;
  const plane = height * width;
  const out = new Uint8Array(channels * frames * plane);
  for (let index = 0; index < frames; index += 1) {
    const frame = await frameOf(video, row * hop + index, recipe);
    for (let channel = 0; channel < channels; channel += 1) {
      out.set(frame.subarray(channel * plane, (channel + 1) * plane), (channel * frames + index) * plane);
    }
  }
  return out;
}
