/** Bodies of requests as rows of a model, and rows as PNG. */
import type { Tensor } from 'onnxruntime-common';
import { VaeError } from '../../core/errors.js';
import type { TensorLike } from '../../core/tensor.js';
import { decodePicture } from '../../data/image/decode.js';
import { encodePng, fromPlanes, toPlanes } from '../../data/image/encode.js';
import { PICTURE_FORMATS } from '../../data/image/formats.js';
import type { PictureForm } from '../../data/image/pixels.js';
import type { Vae } from '../../vae/index.js';
import { decodeSmallPng, encodeSmallPng } from './small-png.js';

/** Formats that strangers may send: those that libvips decodes in its own thread; no drawings, no volumes. */
export const PICTURE_TYPES: Readonly<Record<string, string>> = {
  'image/png': 'PNG',
  'image/jpeg': 'JPEG',
  'image/webp': 'WebP',
  'image/avif': 'AVIF',
  'image/tiff': 'TIFF',
  'image/gif': 'GIF',
};

const ACCEPTED = PICTURE_FORMATS.filter(({ name }) => Object.values(PICTURE_TYPES).includes(name));
const MAGIC = 32;
const COLOUR = { 1: 'grey', 3: 'rgb', 4: 'rgba' } as const;

/** Reads pictures for one model as it read them in training. */
export class PictureRows {
  readonly #shape: readonly [channels: number, height: number, width: number];
  readonly #form: PictureForm;
  readonly #plain: boolean;

  private constructor(shape: readonly [number, number, number], form: PictureForm) {
    this.#shape = shape;
    this.#form = form;
    this.#plain = form.depth === 8 && form.range === undefined && !form.clip && shape[0] !== 4;
  }

  /** Undefined for a model of other data than pictures of one size. */
  static of(vae: Vae, maxDecodeBytes: number | undefined): PictureRows | undefined {
    const { dataShape, recipe } = vae;
    const [channels, height, width] = dataShape;
    if (dataShape.length !== 3 || dataShape.includes(-1) || !(channels! in COLOUR)) return undefined;
    if (recipe !== undefined && (recipe.kind !== 'image' || recipe.volume !== undefined)) return undefined;
    const form: PictureForm = {
      ...(recipe ?? { depth: 8, values: 'stored' }),
      colour: COLOUR[channels as 1 | 3 | 4],
      size: { height: height!, width: width!, fit: recipe?.fit ?? 'fill' },
      maxDecodeBytes,
    } as PictureForm;
    return new PictureRows([channels!, height!, width!], form);
  }

  /** As read(), of whatever came as a body. */
  async readBody(body: unknown, signal?: AbortSignal): Promise<TensorLike> {
    if (body instanceof Uint8Array) return this.read(body, signal);
    throw new VaeError('ERR_VAE_FORMAT', `The body is no picture; send ${Object.values(PICTURE_TYPES).join(', ')}.`);
  }

  /** One picture as a row; the same values by either way. */
  async read(body: Uint8Array, signal?: AbortSignal): Promise<TensorLike> {
    const [channels, height, width] = this.#shape;
    const shape = [1, channels, height, width];
    const small = this.#plain ? decodeSmallPng(body) : undefined;
    if (small?.width === width && small.height === height && small.channels === channels) {
      return { data: toPlanes(small.data, channels, channels), shape };
    }
    const start = Buffer.from(body.buffer, body.byteOffset, Math.min(MAGIC, body.length)).toString('latin1');
    if (!ACCEPTED.some(({ magic }) => magic.test(start))) {
      throw new VaeError('ERR_VAE_FORMAT', `The body is no picture; send ${Object.values(PICTURE_TYPES).join(', ')}.`);
    }
    const { data } = await decodePicture({ bytes: body, name: 'The picture' }, this.#form, signal);
    return { data, shape };
  }

  /** The first row of what a model gave, in 0 to 1, as a PNG file. */
  async write({ data }: Tensor): Promise<Buffer> {
    const [channels, height, width] = this.#shape;
    const planes = new Uint8Array(channels * height * width);
    // Rounds and clips.
    const clamped = new Uint8ClampedArray(planes.buffer);
    for (let at = 0; at < planes.length; at += 1) clamped[at] = 255 * (data as Float32Array)[at]!;
    const pixels = { width, height, channels: channels as 1 | 3, data: fromPlanes(planes, channels) };
    return (channels === 4 ? undefined : encodeSmallPng(pixels)) ?? (await encodePng(pixels));
  }
}
