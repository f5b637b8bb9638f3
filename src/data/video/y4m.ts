/**
 * YUV4MPEG2, the uncompressed video of MJPEG Tools (yuv4mpeg manual page): a line of parameters, then for each frame
 * a line that begins with FRAME and its planes. 8 bits; grey, 4:2:0, 4:2:2 and 4:4:4. What else there is, ffmpeg reads.
 */

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder } from '../../core/files.js';
import { memoryFile, type ReadableFile } from '../../core/memory-file.js';
import { readInto } from '../../core/ranges.js';
import { dropStale, temporaryBeside } from '../../core/temporary.js';
import { BT601, BT709 } from '../image/luma.js';

export interface Y4mInfo {
  readonly width: number;
  readonly height: number;
  /** Frames a second, as a fraction. */
  readonly rate: readonly [number, number];
  readonly frames: number;
  readonly grey: boolean;
}

/** How much smaller the planes of colour are, across and down. */
const SAMPLINGS: Readonly<Record<string, readonly [number, number] | undefined>> = {
  mono: [0, 0],
  '420': [2, 2],
  '420jpeg': [2, 2],
  '420mpeg2': [2, 2],
  '420paldv': [2, 2],
  '422': [2, 1],
  '444': [1, 1],
};

const MOST_HEADER = 1024;
const MOST_SIDE = 16384;

/** Video whose frames are read one by one. Close it. */
export interface VideoFrames {
  readonly info: Y4mInfo;
  /** One frame as bytes, channels first: grey [1, height, width] or red, green, blue [3, height, width]. */
  read(frame: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Whether a file begins as one of this format whose colours are of a kind that is not read here. */
export function isOtherY4m(start: Uint8Array): boolean {
  const [line = ''] = Buffer.from(start.subarray(0, MOST_HEADER)).toString('latin1').split('\n', 1);
  const kind = /^YUV4MPEG2 .*\bC(\S+)/.exec(line)?.[1];
  return kind !== undefined && !Object.hasOwn(SAMPLINGS, kind);
}

/** An open .y4m file. */
export class Y4mFile implements VideoFrames {
  readonly info: Y4mInfo;
  readonly #file: ReadableFile;
  readonly #name: string;
  readonly #header: Header;
  readonly #starts: readonly number[];

  private constructor(file: ReadableFile, name: string, header: Header, starts: readonly number[]) {
    const { width, height, rate, sampling } = header;
    this.info = { width, height, rate, frames: starts.length, grey: sampling[0] === 0 };
    this.#file = file;
    this.#name = name;
    this.#header = header;
    this.#starts = starts;
  }

  /** @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT for what is no such file or ends within a frame. */
  static async open(path: string | Buffer, name = String(path)): Promise<Y4mFile> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const header = await readHeader(file, name);
      return new Y4mFile(file, name, header, await findFrames(file, header, name));
    } catch (error) {
      await file?.close();
      throw ioError(error, `reading ${name}`);
    }
  }

  /** As open(), of a file in memory, which is borrowed. */
  static async fromBytes(bytes: Uint8Array, name: string): Promise<Y4mFile> {
    const file = memoryFile(bytes);
    const header = await readHeader(file, name);
    return new Y4mFile(file, name, header, await findFrames(file, header, name));
  }

  async read(frame: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#header.frameBytes);
    try {
      const bytesRead = await readInto(this.#file, bytes, this.#starts[frame]!);
      if (bytesRead < bytes.length) {
        throw new VaeError('ERR_VAE_FORMAT', `${this.#name}: the file became shorter while it was read.`);
      }
    } catch (error) {
      throw ioError(error, `reading ${this.#name}`);
    }
    return toRgb(bytes, this.#header);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly rate: readonly [number, number];
  readonly sampling: readonly [number, number];
  /** Whether levels go from 0 to 255, rather than 16 to 235. */
  readonly full: boolean;
  readonly length: number;
  readonly frameBytes: number;
}

async function readHeader(file: ReadableFile, name: string): Promise<Header> {
  const refuse = (why: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${name}: not a .y4m file that can be read: ${why}.`);
  };
  const { line, length } = await readLine(file, 0);
  if (length === 0) refuse('the file is empty (0 bytes)');
  if (!line?.startsWith('YUV4MPEG2 ')) return refuse('it does not begin with YUV4MPEG2');
  const values = new Map(
    line
      .split(' ')
      .slice(1)
      .map((word) => [word[0], word.slice(1)]),
  );
  const [width, height] = [Number(values.get('W')), Number(values.get('H'))];
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= MOST_SIDE)) {
    refuse(`its sides are ${values.get('W')} and ${values.get('H')}`);
  }
  const rate = (values.get('F') ?? '25:1').split(':').map(Number);
  const usable = rate.length === 2 && rate.every((part) => Number.isInteger(part) && part > 0);
  const kind = values.get('C') ?? '420';
  const sampling = Object.hasOwn(SAMPLINGS, kind) ? SAMPLINGS[kind] : undefined;
  if (!sampling) {
    return refuse(`its colours are of the kind ${kind}; known are ${Object.keys(SAMPLINGS).join(', ')} with 8 bits`);
  }
  return {
    width,
    height,
    rate: usable ? [rate[0]!, rate[1]!] : [25, 1],
    sampling,
    // Grey without a word of its range is full, as ffmpeg has it.
    full: sampling[0] === 0 ? !/\bXCOLORRANGE=LIMITED\b/.test(line) : /\bXCOLORRANGE=FULL\b/.test(line),
    length,
    frameBytes: width * height + 2 * planeSize(width, height, sampling),
  };
}

function planeSize(width: number, height: number, [across, down]: readonly [number, number]): number {
  return across === 0 ? 0 : Math.ceil(width / across) * Math.ceil(height / down);
}

/** Where the planes of each frame begin. */
async function findFrames(file: ReadableFile, { length, frameBytes }: Header, name: string): Promise<number[]> {
  const { size } = await file.stat();
  const starts: number[] = [];
  for (let at = length; at < size; ) {
    const { line, length: skipped } = await readLine(file, at);
    const start = at + skipped;
    if (!line?.startsWith('FRAME')) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${name}: frame ${starts.length} does not begin with FRAME: the file is damaged.`,
      );
    }
    if (start + frameBytes > size) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${name}: truncated: frame ${starts.length} needs ${frameBytes} bytes, ${size - start} are there. The ${starts.length} frames before it are whole.`,
      );
    }
    starts.push(start);
    at = start + frameBytes;
  }
  if (starts.length === 0) throw new VaeError('ERR_VAE_FORMAT', `${name}: the video has no frames.`);
  return starts;
}

/** @returns the line without its end; undefined where there is none. `length` counts its end. */
async function readLine(file: ReadableFile, at: number): Promise<{ line: string | undefined; length: number }> {
  const bytes = Buffer.alloc(at === 0 ? MOST_HEADER : 80);
  const bytesRead = await readInto(file, bytes, at);
  const end = bytes.subarray(0, bytesRead).indexOf(10);
  return end < 0 ? { line: undefined, length: bytesRead } : { line: bytes.toString('latin1', 0, end), length: end + 1 };
}

/** Lines from which on video that does not say so is taken as that of high definition. */
const HD_LINES = 720;

/** Weights of red and blue in luma, by the lines of a picture whose file names none: ITU-R BT.601 or BT.709. */
function weightsOf(height: number): { readonly red: number; readonly blue: number } {
  return height >= HD_LINES ? BT709 : BT601;
}

/** What colours are taken as where a file names none. */
export function assumedMatrix(height: number): 'bt709' | 'bt601' {
  return height >= HD_LINES ? 'bt709' : 'bt601';
}

/** ITU-R BT.601, section 2.5, and BT.709, section 3; of planes of colour, the nearest value. */
function toRgb(bytes: Uint8Array, { width, height, sampling, full }: Header): Uint8Array {
  const plane = width * height;
  const [across, down] = sampling;
  const [low, scale, wide] = full ? [0, 1, 1] : [16, 255 / 219, 255 / 224];
  if (across === 0) {
    const grey = new Uint8ClampedArray(plane);
    for (let at = 0; at < plane; at += 1) grey[at] = (bytes[at]! - low) * scale;
    return new Uint8Array(grey.buffer);
  }
  const weights = weightsOf(height);
  const ofRed = 2 * (1 - weights.red);
  const ofBlue = 2 * (1 - weights.blue);
  const green = 1 - weights.red - weights.blue;
  const rgb = new Uint8ClampedArray(3 * plane);
  const small = Math.ceil(width / across);
  const second = plane + planeSize(width, height, sampling);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const colour = Math.floor(y / down) * small + Math.floor(x / across);
      const luma = (bytes[at]! - low) * scale;
      const blue = (bytes[plane + colour]! - 128) * wide;
      const red = (bytes[second + colour]! - 128) * wide;
      rgb[at] = luma + ofRed * red;
      rgb[plane + at] = luma - ((weights.blue * ofBlue) / green) * blue - ((weights.red * ofRed) / green) * red;
      rgb[2 * plane + at] = luma + ofBlue * blue;
    }
  }
  return new Uint8Array(rgb.buffer);
}

/** Writes a .y4m file frame by frame, 4:4:4 or grey; it appears under its name when it is complete. */
export class Y4mWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #temporary: string;
  readonly #grey: boolean;
  readonly #height: number;

  private constructor(file: FileHandle, path: string, temporary: string, grey: boolean, height: number) {
    this.#file = file;
    this.#path = path;
    this.#temporary = temporary;
    this.#grey = grey;
    this.#height = height;
  }

  static async create(path: string, info: Omit<Y4mInfo, 'frames'>): Promise<Y4mWriter> {
    const temporary = temporaryBeside(path);
    try {
      await makeFolder(dirname(path));
      await dropStale(path);
      const file = await open(temporary, 'wx');
      const { width, height, rate, grey } = info;
      await file.write(
        `YUV4MPEG2 W${width} H${height} F${rate[0]}:${rate[1]} Ip A1:1 C${grey ? 'mono XCOLORRANGE=FULL' : '444'}\n`,
      );
      return new Y4mWriter(file, path, temporary, grey, height);
    } catch (error) {
      throw ioError(error, `writing ${path}`);
    }
  }

  /** @param frame bytes, [1 or 3, height, width]. */
  async write(frame: Uint8Array): Promise<void> {
    const out = this.#grey ? frame : colourPlanes(frame, this.#height);
    try {
      await this.#file.writeFile('FRAME\n');
      await this.#file.writeFile(out);
    } catch (error) {
      throw ioError(error, `writing ${this.#path}`);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#temporary, this.#path);
    } catch (error) {
      throw ioError(error, `writing ${this.#path}`);
    }
  }

  /** Gives the file up. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true });
  }
}

function colourPlanes(frame: Uint8Array, height: number): Uint8Array {
  const plane = frame.length / 3;
  const weights = weightsOf(height);
  const out = new Uint8ClampedArray(frame.length);
  for (let at = 0; at < plane; at += 1) {
    const [red, green, blue] = [frame[at]!, frame[plane + at]!, frame[2 * plane + at]!];
    const luma = weights.red * red + (1 - weights.red - weights.blue) * green + weights.blue * blue;
    out[at] = 16 + (luma * 219) / 255;
    out[plane + at] = 128 + (((blue - luma) / (2 * (1 - weights.blue))) * 224) / 255;
    out[2 * plane + at] = 128 + (((red - luma) / (2 * (1 - weights.red))) * 224) / 255;
  }
  return new Uint8Array(out.buffer);
}
