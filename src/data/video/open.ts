/** Video of any format, frame by frame, at the sides and in the colours of a recipe. */
import { extname } from 'node:path';
import { refusePointer } from '../../core/lfs.js';
import { type FileKind, type FoundFile, startOfFile } from '../find-files.js';
import { inColours } from '../image/colours.js';
import { fromPlanes, resizePixels } from '../image/encode.js';
import { convertVideo } from './convert.js';
import { PpmFrames } from './ppm-frames.js';
import type { VideoRecipe } from './recipe.js';
import { assumedMatrix, isOtherY4m, type VideoFrames, Y4mFile, type Y4mInfo } from './y4m.js';

export const VIDEOS: FileKind = {
  plural: 'videos',
  endings: ['.y4m', '.mp4', '.m4v', '.mkv', '.webm', '.mov', '.avi', '.mpg', '.mpeg', '.ogv'],
};

/** A video file, converted where it was none that is read here. */
export interface VideoFile {
  readonly file: FoundFile;
  readonly info: Y4mInfo;
  /** What was guessed, a sentence each. */
  readonly notes: readonly string[];
  /** Opens it for as long as `work` takes. */
  use<T>(work: (video: VideoFrames) => Promise<T>): Promise<T>;
}

export interface OpenVideoOptions {
  /** A converted video is made no larger than that: it lies on the disk uncompressed. */
  readonly longestSide: number;
  /** Frames a second to resample to; absent: every frame is taken once. */
  readonly fps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MAGIC = 'YUV4MPEG2 ';

/** @throws VaeError ERR_VAE_FORMAT, ERR_VAE_IO; also where ffmpeg is needed and not installed. */
export async function openVideo(file: FoundFile, options: OpenVideoOptions): Promise<VideoFile> {
  const start = await startOfFile(file, 1024);
  refusePointer(start, file.name);
  const isY4m = Buffer.from(start.subarray(0, MAGIC.length)).toString('latin1') === MAGIC;
  const other = isY4m && isOtherY4m(start);
  const { name } = file;
  // A file of another name that is called so is refused by what it lacks.
  if ((isY4m || (extname(name).toLowerCase() === '.y4m' && !isMedia(start))) && !other && options.fps === undefined) {
    return opened(
      file,
      () => Y4mFile.open(file.path, name),
      (info) =>
        info.grey
          ? []
          : [
              `the colours of ${name} are taken as ${{ bt709: 'BT.709', bt601: 'BT.601' }[assumedMatrix(info.height)]}, by its ${info.height} lines: .y4m does not say`,
            ],
    );
  }
  const what = other ? `${name} is a .y4m file with other than 8 bits or of a rare kind` : `${name} is no .y4m file`;
  const { path, rate, notes } = await convertVideo(file, { ...options, what });
  return opened(
    file,
    () => PpmFrames.open(path, name, rate),
    () => notes,
  );
}

/** Whether bytes may be a video: text, such as a note that is called one, is not. */
function isMedia(start: Uint8Array): boolean {
  return start.length > 0 && start.subarray(0, 256).some((byte) => byte === 0 || byte > 127);
}

async function opened(
  file: FoundFile,
  open: () => Promise<VideoFrames>,
  notesOf: (info: Y4mInfo) => readonly string[],
): Promise<VideoFile> {
  const first = await open();
  await first.close();
  return {
    file,
    info: first.info,
    notes: notesOf(first.info),
    async use(work) {
      const video = await open();
      try {
        return await work(video);
      } finally {
        await video.close();
      }
    },
  };
}

/** One frame at the recipe's sides, cut where they are of another shape; beyond the end, the last one. */
export async function frameOf(video: VideoFrames, frame: number, recipe: VideoRecipe): Promise<Uint8Array> {
  const { width, height, frames, grey } = video.info;
  const bytes = await video.read(Math.min(frame, frames - 1));
  const wantsGrey = recipe.colour === 'grey';
  if (width === recipe.width && height === recipe.height && grey === wantsGrey) return bytes;
  const channels = grey ? 1 : 3;
  const frameSize = { width: recipe.width, height: recipe.height, fit: 'cover' } as const;
  const pixels = { data: fromPlanes(bytes, channels), width, height, channels } as const;
  const resized = await resizePixels(pixels, frameSize);
  const stored = { ...resized, colour: grey ? 'grey' : 'rgb', alpha: false } as const;
  const out = new Uint8Array(recipe.width * recipe.height * (wantsGrey ? 1 : 3));
  return inColours(stored, recipe.colour, out, 'a frame');
}

/** Row `row` of a video: [channels, frames, height, width] bytes. */
export async function videoRow(video: VideoFrames, row: number, recipe: VideoRecipe): Promise<Uint8Array> {
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
