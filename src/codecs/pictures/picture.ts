/** Pictures, and the bytes of one within an archive. */

import { damaged } from '../../archive/format.js';
import { VaeError } from '../../core/errors.js';
import { hasSmallTiles } from './tiles.js';

/** An 8-bit picture. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 1 for grey, 3 for red, green, blue. */
  readonly channels: 1 | 3;
  /** [height, width, channels] */
  readonly data: Uint8Array;
}

/** What stands before a picture's coded latents. */
export interface PictureHeader {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Hundredths of a quality, 0..10000. */
  readonly quality: number;
}

/** Wider and higher pictures are refused, when coding and when decoding. */
const MOST_SIDE = 1 << 16;
/** So are larger ones: 2^28 pixels need some 2 GB. */
const MOST_PIXELS = 1 << 28;
/** Quality is kept in hundredths. */
export const QUALITY_UNITS = 100;
export const MOST_QUALITY = 100;

/** A quality as headers have it. */
export function qualityOf(quality: number): number {
  return Math.round(quality * QUALITY_UNITS);
}

/** What the networks need for a tile, and for a small one. */
const TILE_MEMORY = 190e6;
const SMALL_TILE_MEMORY = 80e6;
/** What a pixel takes in the picture, its latents, their tables and the picture they stand for, as measured. */
const MEMORY_PER_PIXEL = 12;

/** Memory that a picture takes while it is coded or decoded. */
export function pictureMemory(pixels: number): number {
  return (hasSmallTiles(pixels) ? SMALL_TILE_MEMORY : TILE_MEMORY) + MEMORY_PER_PIXEL * pixels;
}

/** @throws VaeError ERR_VAE_SHAPE for what is no picture that can be coded. */
export function checkPicture({ width, height, channels, data }: Picture, where: string): void {
  const sides = [width, height];
  if (!sides.every((side) => Number.isInteger(side) && side >= 1 && side <= MOST_SIDE) || ![1, 3].includes(channels)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected a picture of 1 to ${MOST_SIDE} pixels a side with 1 or 3 channels, received ${width} × ${height} with ${channels}.`,
    );
  }
  if (width * height > MOST_PIXELS) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: a picture has at most ${MOST_PIXELS} pixels, received ${width} × ${height}. Cut it in parts.`,
    );
  }
  if (!(data instanceof Uint8Array) || data.length !== width * height * channels) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: a picture of ${width} × ${height} × ${channels} has ${width * height * channels} bytes, received ${data?.length}.`,
    );
  }
}

/** Channels, quality (u16), then width and height in 7 bits a byte. */
export function encodePictureHeader({ width, height, channels, quality }: PictureHeader): Buffer {
  const start = Buffer.alloc(3);
  start.writeUInt8(channels, 0);
  start.writeUInt16LE(quality, 1);
  return Buffer.concat([start, varint(width), varint(height)]);
}

/** @throws VaeError ERR_VAE_FORMAT */
export function decodePictureHeader(bytes: Uint8Array): { header: PictureHeader; length: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 5) throw damaged('a picture ends before its header does');
  const channels = view.readUInt8(0);
  const quality = view.readUInt16LE(1);
  let at = 3;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = view[at++];
      if (byte === undefined) throw damaged('a picture ends before its header does');
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw damaged('a picture has an impossible size');
  };
  const [width, height] = [number(), number()];
  if (channels !== 1 && channels !== 3) throw damaged(`a picture claims ${channels} channels`);
  if (quality > MOST_QUALITY * QUALITY_UNITS) throw damaged(`a picture claims quality ${quality / QUALITY_UNITS}`);
  if (width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE || width * height > MOST_PIXELS)
    throw damaged(`a picture claims ${width} × ${height} pixels`);
  return { header: { width, height, channels, quality }, length: at };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}
