/** Video of any format to frames in RGB, through ffmpeg. */
import { stat } from 'node:fs/promises';
import { VaeError } from '../../core/errors.js';
import { describedByFfmpeg, inputOf, runFfmpeg, temporaryFile } from '../ffmpeg.js';
import type { FoundFile } from '../find-files.js';
import { PpmFrames } from './ppm-frames.js';
import { assumedMatrix } from './y4m.js';

export interface ConvertOptions {
  /** Frames are made no larger than that: they lie on the disk uncompressed. */
  readonly longestSide: number;
  /** Frames a second to resample to; absent: every frame as it is. */
  readonly fps?: number | undefined;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Converted {
  readonly path: string;
  readonly rate: readonly [number, number];
  /** What was guessed, a sentence each. */
  readonly notes: readonly string[];
}

/** What ffmpeg says of the first video stream. */
interface Stream {
  readonly pixels: string;
  readonly matrix: string | undefined;
  readonly transfer: string | undefined;
  readonly width: number;
  readonly height: number;
  readonly fps: number | undefined;
  readonly seconds: number | undefined;
}

/** Of the kinds of pixels that ffmpeg knows, those without colour. */
const GREY = /^(gray|ya|mono)/;
const RGB_KIND = /^(rgb|bgr|gbr|argb|abgr|pal8|0rgb|0bgr|x2)/;
const HDR: Readonly<Record<string, string | undefined>> = { smpte2084: 'PQ', 'arib-std-b67': 'HLG' };

/**
 * Converts frame by frame, by the matrix, range and transfer that the stream names; where it names no matrix, high
 * definition (720 lines and more) is taken as BT.709, the rest as BT.601.
 *
 * @throws VaeError as runFfmpeg().
 */
export async function convertVideo(file: FoundFile, options: ConvertOptions): Promise<Converted> {
  const { longestSide, fps, what, signal } = options;
  const call = { what, remedy: 'convert it to .y4m with 8 bits', signal };
  const stream = streamOf(await describedByFfmpeg(file, call));
  const path = temporaryFile('.ppm');
  const grey = stream !== undefined && GREY.test(stream.pixels);
  const encoder = grey ? ['-pix_fmt', 'gray', '-c:v', 'pgm'] : ['-pix_fmt', 'rgb24', '-c:v', 'ppm'];
  const filters = filtersOf(stream, longestSide, fps);
  const run = (timing: readonly string[]): Promise<void> =>
    runFfmpeg(
      [...inputOf(file), '-an', '-sn', '-dn', ...timing, ...filters, ...encoder, '-f', 'image2pipe', `file:${path}`],
      call,
    );
  await run(['-fps_mode', 'passthrough']).catch((error: unknown) => {
    // Releases before 5.1 call it so.
    if (!/fps_mode/.test((error as Error).message)) throw error;
    return run(['-vsync', 'passthrough']);
  });
  const frames = await countFrames(path, file.name);
  const { rate, irregular } = rateOf(stream, frames, fps);
  const notes: string[] = [];
  if (stream && !grey && !RGB_KIND.test(stream.pixels) && stream.matrix === undefined) {
    const named = { bt709: 'BT.709', bt601: 'BT.601' }[assumedMatrix(stream.height)];
    notes.push(`the colours of ${file.name} are taken as ${named}, by its ${stream.height} lines: it does not say`);
  }
  const hdr = HDR[stream?.transfer ?? ''];
  if (hdr)
    notes.push(
      `the values of ${file.name} stay in its transfer, ${hdr} (HDR): they are not mapped to tones of a screen`,
    );
  const bits = Number(/(?:p|gray)(\d\d)(?:le|be)?$/.exec(stream?.pixels ?? '')?.[1] ?? 8);
  if (bits > 8) notes.push(`the ${bits} bits of ${file.name} are rounded to 8`);
  if (irregular)
    notes.push(`the frames of ${file.name} come at irregular times; each is taken once (--fps N resamples)`);
  return { path, rate, notes };
}

/** Of colours, the nearest value as Y4mFile takes it, rounded rightly: what ffmpeg does by itself is 3 levels off. */
const EXACT = 'flags=neighbor+accurate_rnd+full_chroma_int+full_chroma_inp';

function filtersOf(stream: Stream | undefined, longestSide: number, fps: number | undefined): string[] {
  const filters: string[] = [];
  if (fps !== undefined) filters.push(`fps=${fps}`);
  const plain = stream !== undefined && (GREY.test(stream.pixels) || RGB_KIND.test(stream.pixels));
  if (!plain) {
    const assumed = stream && stream.matrix === undefined ? `:in_color_matrix=${assumedMatrix(stream.height)}` : '';
    filters.push(`scale=${EXACT}${assumed}`, 'format=rgb24');
  }
  if (!stream || Math.max(stream.width, stream.height) > longestSide) {
    filters.push(
      `scale=w='min(iw,${longestSide})':h='min(ih,${longestSide})':force_original_aspect_ratio=decrease:flags=area`,
    );
  }
  return filters.length > 0 ? ['-vf', filters.join(',')] : [];
}

/** `Stream #0:0: Video: h264 (High), yuv420p(tv, bt709, progressive), 64x48, 10 fps` */
function streamOf(said: string): Stream | undefined {
  const line = said.split('\n').find((text) => /Stream #.*: Video: /.test(text));
  const found = line && /, ([a-z0-9]+)(?:\(([^)]*)\))?, (\d+)x(\d+)/.exec(line);
  if (!found) return undefined;
  const words = (found[2] ?? '').split(', ');
  // One word where matrix, primaries and transfer are of one name, else three.
  const named = words.find((word) => word.includes('/') || /^(bt|smpte|fcc|gbr|ycgco|bt2020)/.test(word));
  const [matrix, , transfer = matrix] = named?.split('/') ?? [];
  const clock = /Duration: (\d+):(\d+):([\d.]+)/.exec(said);
  const fps = Number(/, ([\d.]+)(k?) fps/.exec(line!)?.[1]);
  return {
    pixels: found[1]!,
    matrix: matrix === 'unknown' || matrix === 'reserved' ? undefined : matrix,
    transfer,
    width: Number(found[3]),
    height: Number(found[4]),
    fps: fps > 0 ? fps : undefined,
    seconds: clock ? Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3]) : undefined,
  };
}

/** Frames a second as a fraction: as the stream says, or frames by time where that is something else. */
function rateOf(
  stream: Stream | undefined,
  frames: number,
  fps: number | undefined,
): { rate: readonly [number, number]; irregular: boolean } {
  if (fps !== undefined) return { rate: fraction(fps), irregular: false };
  const measured = stream?.seconds ? frames / stream.seconds : undefined;
  const said = stream?.fps;
  const near = said !== undefined && (measured === undefined || frames < 8 || Math.abs(measured / said - 1) < 0.1);
  if (near) return { rate: fraction(said), irregular: false };
  return { rate: fraction(measured ?? 25), irregular: measured !== undefined && frames > 1 };
}

/** 29.97 is 30000/1001. */
function fraction(value: number): readonly [number, number] {
  const whole = Math.round(value);
  if (Math.abs(value - whole) < 1e-3) return [Math.max(1, whole), 1];
  const broadcast = Math.round((value * 1001) / 1000);
  if (Math.abs((broadcast * 1000) / 1001 - value) < 5e-3) return [broadcast * 1000, 1001];
  return [Math.max(1, Math.round(value * 1000)), 1000];
}

async function countFrames(path: string, name: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (!found || found.size === 0) throw new VaeError('ERR_VAE_FORMAT', `${name}: the video has no frames.`);
  const frames = await PpmFrames.open(path, name, [25, 1]);
  await frames.close();
  return frames.info.frames;
}
