import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { createPhotoCodec, type NativePhotoCodec, type PhotoTileShape } from '../../binding/coder.js';
import { withAbort } from '../../binding/with-abort.js';
import { signalShape } from '../../core/common-options.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import { writeFilesAtomically } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { identityOf, readModelFile } from '../models/model-file.js';
import { EFFORTS, type PhotoConfig } from './network/config.js';
import { decodePhotoModel, encodePhotoModel, PHOTO_MODEL_VERSION, type PhotoModel } from './network/model-file.js';

/** Name of the file of a model of photographs within its directory. */
export const PHOTO_FILE = 'photo.safetensors';

const codeSchema = z.strictObject(signalShape);

const encodeSchema = codeSchema.extend({
  /** Decode the tile again and compare, before its bytes are given. Default true. */
  verify: z.boolean().default(true),
  /** 'fast' is quicker both ways, 'best' smaller. Default 'best'. */
  effort: z.enum(EFFORTS).default('best'),
});

export interface EncodeTileOptions extends InputOf<typeof encodeSchema> {}
export interface DecodeTileOptions extends InputOf<typeof codeSchema> {}

/**
 * A compressor without loss of tiles of photographs: grey or colour, with or without alpha, of 1 to 16 bits. All of its
 * arithmetic is in integers and single operations of IEEE 754, so that every machine codes and decodes the same. Open
 * one with `PhotoCodec.load()`; any number of tiles may be coded at a time.
 */
export class PhotoCodec implements AsyncDisposable {
  /** SHA-256 of the model file, in hexadecimal. Archives name the model they need by it. */
  readonly identity: string;
  readonly config: PhotoConfig;
  /** The model file's bytes. Borrowed: do not write to it. */
  readonly file: Uint8Array;
  /** Of how tiles are coded: bytes of another version do not decode. */
  readonly version = PHOTO_MODEL_VERSION;
  readonly #native: NativePhotoCodec;
  readonly #lifetime = new Lifetime('PhotoCodec');

  private constructor(file: Uint8Array, config: PhotoConfig, native: NativePhotoCodec) {
    this.file = file;
    this.identity = identityOf(file);
    this.config = config;
    this.#native = native;
  }

  /** @internal Inside use: a codec of these numbers. */
  static async make(model: Omit<PhotoModel, 'fingerprint'>): Promise<PhotoCodec> {
    const native = await createPhotoCodec(model.spec);
    const fingerprint = await fingerprintOf(native, model.config);
    return new PhotoCodec(encodePhotoModel({ ...model, fingerprint }), model.config, native);
  }

  /**
   * Opens a model file's bytes.
   *
   * @throws VaeError ERR_VAE_FORMAT when they are no model of photographs, ERR_VAE_REPRODUCIBILITY when this machine
   *   does not code what the model's maker did.
   */
  static async fromBytes(bytes: Uint8Array, where = 'The model of photographs'): Promise<PhotoCodec> {
    const file = Uint8Array.from(bytes);
    const model = decodePhotoModel(file, where);
    const native = await createPhotoCodec(model.spec);
    const fingerprint = await fingerprintOf(native, model.config);
    if (fingerprint === model.fingerprint) return new PhotoCodec(file, model.config, native);
    await native.close();
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `${where} codes fixed tiles to ${fingerprint.slice(0, 16)}… on this machine, its maker to ` +
        `${model.fingerprint.slice(0, 16)}…: the addon or the processor does other arithmetic. Nothing would decode.`,
    );
  }

  /** Opens `photo.safetensors`, that packed by Brotli with the ending .br, or the model directory that holds it. */
  static async load(path: string): Promise<PhotoCodec> {
    const found = await readModelFile(path, PHOTO_FILE);
    return PhotoCodec.fromBytes(found.bytes, found.path);
  }

  /** Writes the model file: `path` itself, or `photo.safetensors` within it when it has no extension. */
  async save(path: string): Promise<void> {
    const target = path.endsWith('.safetensors') ? path : join(path, PHOTO_FILE);
    await writeFilesAtomically([{ path: target, chunks: [this.file] }]);
  }

  /**
   * Codes one tile, independently of every other.
   *
   * @param samples interleaved, [height, width, channels]: a Uint8Array up to 8 bits, else a Uint16Array, each at most
   *   2^bits - 1. Borrowed until the promise is settled.
   * @throws VaeError ERR_VAE_SHAPE for another number of samples than the shape says, or more than 2^24 pixels;
   *   ERR_VAE_DATA for samples of more bits; the signal's reason when aborted.
   */
  encodeTile(
    samples: Uint8Array | Uint16Array,
    shape: PhotoTileShape,
    options: EncodeTileOptions = {},
  ): Promise<Uint8Array> {
    return this.#lifetime.run(async () => {
      const { signal, verify, effort } = parseOptions(encodeSchema, options, 'PhotoCodec.encodeTile()');
      const index = Math.min(EFFORTS.indexOf(effort), this.config.hidden.length - 1);
      return withAbort(signal, (flag) => this.#native.encode(samples, shape, index, verify, flag));
    });
  }

  /**
   * The samples of a tile, [height, width, channels]: a Uint8Array up to 8 bits, else a Uint16Array.
   *
   * @throws VaeError ERR_VAE_FORMAT when the bytes are damaged, or of another model or shape.
   */
  decodeTile(
    bytes: Uint8Array,
    shape: PhotoTileShape,
    options: DecodeTileOptions = {},
  ): Promise<Uint8Array | Uint16Array> {
    return this.#lifetime.run(async () => {
      const { signal } = parseOptions(codeSchema, options, 'PhotoCodec.decodeTile()');
      const made = await withAbort(signal, async (flag) => this.#native.decode(bytes, shape, flag));
      return shape.bits > 8 ? new Uint16Array(made.buffer, made.byteOffset, made.byteLength / 2) : made;
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => this.#native.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Whether a tile's bytes tell which values it has, as the first release could not: its second bit is set then. */
export function isListed(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & 2) !== 0;
}

/** Fixed tiles of several kinds, coded with every effort as in the first release, so that its models stay what they are. */
async function fingerprintOf(native: NativePhotoCodec, { hidden }: PhotoConfig): Promise<string> {
  const hash = createHash('sha256');
  for (const shape of [
    { width: 37, height: 21, channels: 4, bits: 8 },
    { width: 21, height: 19, channels: 1, bits: 14 },
  ]) {
    const { width, height, channels, bits } = shape;
    let state = 1;
    const samples = Array.from({ length: width * height * channels }, (_, index) => {
      // A linear congruential generator (Numerical Recipes); its high bits are good enough here.
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const [x, y] = [Math.floor(index / channels) % width, Math.floor(index / channels / width)];
      const slope = (x * x * 3 + y * 71 + (x > 20 ? 900 : 0)) << (bits - 8);
      return (slope + (state >>> (32 - bits + 3))) & (2 ** bits - 1);
    });
    const data = bits > 8 ? Uint16Array.from(samples) : Uint8Array.from(samples);
    for (const effort of hidden.keys()) hash.update(await native.encode(data, shape, effort, false, undefined, true));
  }
  return hash.digest('hex');
}
