/** Frames that ffmpeg converted: PPM or PGM pictures of one size, one after another in a file. */

import { type FileHandle, open } from 'node:fs/promises';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { readInto } from '../../core/ranges.js';
import { toPlanes } from '../image/encode.js';
import type { VideoFrames, Y4mInfo } from './y4m.js';

const MOST_HEADER = 64;

export class PpmFrames implements VideoFrames {
  readonly info: Y4mInfo;
  readonly #file: FileHandle;
  readonly #name: string;
  readonly #header: number;

  private constructor(file: FileHandle, name: string, info: Y4mInfo, header: number) {
    this.#file = file;
    this.#name = name;
    this.info = info;
    this.#header = header;
  }

  /** @throws VaeError ERR_VAE_FORMAT where there is no frame. */
  static async open(path: string, name: string, rate: readonly [number, number]): Promise<PpmFrames> {
    const file = await open(path, 'r').catch((error: unknown) => {
      throw ioError(error, `reading ${name}`);
    });
    try {
      const { size } = await file.stat();
      const start = Buffer.alloc(MOST_HEADER);
      const bytesRead = await readInto(file, start, 0);
      const found = /^P([56])\n(\d+) (\d+)\n255\n/.exec(start.toString('latin1', 0, bytesRead));
      if (!found) throw new VaeError('ERR_VAE_FORMAT', `${name}: the video has no frames.`);
      const grey = found[1] === '5';
      const [width, height] = [Number(found[2]), Number(found[3])];
      const header = found[0].length;
      const frames = Math.floor(size / (header + width * height * (grey ? 1 : 3)));
      return new PpmFrames(file, name, { width, height, rate, frames, grey }, header);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(frame: number): Promise<Uint8Array> {
    const { width, height, grey } = this.info;
    const channels = grey ? 1 : 3;
    const bytes = new Uint8Array(width * height * channels);
    try {
      const bytesRead = await readInto(this.#file, bytes, frame * (this.#header + bytes.length) + this.#header);
      if (bytesRead < bytes.length)
        throw new VaeError('ERR_VAE_FORMAT', `${this.#name}: a converted frame is not whole.`);
    } catch (error) {
      throw ioError(error, `reading ${this.#name}`);
    }
    return toPlanes(bytes, channels, channels) as Uint8Array;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
