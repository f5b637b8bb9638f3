import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { damaged } from '../../archive/format.js';
import { createLatentCodec, type LatentPlace, type NativeLatentCodec } from '../../binding/coder.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import { writeFilesAtomically } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { identityOf, readModelFile } from '../models/model-file.js';
import { DOWNSAMPLING, type LossyConfig, reduced } from './config.js';
import { decodeLossyModel, encodeLossyModel, type LossyModel } from './model-file.js';
import {
  checkPicture,
  decodePictureHeader,
  encodePictureHeader,
  MOST_QUALITY,
  type Picture,
  type PictureHeader,
  qualityOf,
} from './picture.js';
import { hyperSide, type Latents, levelAt, Transforms } from './transforms.js';

/** Name of a lossy model's file within its directory. */
export const LOSSY_FILE = 'lossy.safetensors';

const encodeSchema = z.strictObject({
  /** 0, the smallest, to 100, the best. */
  quality: z.number().min(0).max(MOST_QUALITY),
  /** Decode the latents again and compare. Default true. */
  verify: z.boolean().default(true),
});

export interface LossyEncodeOptions extends InputOf<typeof encodeSchema> {}

const optionsSchema = z.strictObject({
  /** Threads of one run of a network; 0, the default, lets ONNX Runtime choose. */
  threads: z.int().min(0).max(1024).default(0),
});

export interface LossyCodecOptions extends InputOf<typeof optionsSchema> {}

/** A picture's latents as they were decoded: the same on every machine. */
export interface DecodedLatents {
  readonly header: PictureHeader;
  readonly latents: Latents;
}

/**
 * A lossy compressor of 8-bit pictures of any size. The entropy coder's tables come from integers, so
 * that every machine decodes the same latents; the picture made of them may differ in the last bit of
 * a few values. Open one with `LossyCodec.load()`.
 */
export class LossyCodec implements AsyncDisposable {
  /** SHA-256 of the model file, in hexadecimal. Archives name the model they need by it. */
  readonly identity: string;
  readonly config: LossyConfig;
  /** The model file's bytes. Borrowed: do not write to it. */
  readonly file: Uint8Array;
  readonly #native: NativeLatentCodec;
  readonly #transforms: Transforms;
  readonly #lifetime = new Lifetime('LossyCodec');

  private constructor(file: Uint8Array, config: LossyConfig, native: NativeLatentCodec, transforms: Transforms) {
    this.file = file;
    this.identity = identityOf(file);
    this.config = config;
    this.#native = native;
    this.#transforms = transforms;
  }

  /** @internal Inside use: a codec of these numbers, rounded as its file has them. */
  static async make(model: Omit<LossyModel, 'fingerprint'>, options: LossyCodecOptions = {}): Promise<LossyCodec> {
    const native = await createLatentCodec(model.coder);
    const fingerprint = await fingerprintOf(native, model);
    await native.close();
    return LossyCodec.fromBytes(encodeLossyModel({ ...model, fingerprint }), 'The model', options);
  }

  /**
   * Opens a model file's bytes.
   *
   * @throws VaeError ERR_VAE_FORMAT when they are no lossy model, ERR_VAE_REPRODUCIBILITY when this
   *   machine does not code what the model's maker did.
   */
  static async fromBytes(
    bytes: Uint8Array,
    where = 'The lossy model',
    options: LossyCodecOptions = {},
  ): Promise<LossyCodec> {
    const { threads } = parseOptions(optionsSchema, options, 'LossyCodec.load()');
    const file = Uint8Array.from(bytes);
    const model = decodeLossyModel(file, where);
    const native = await createLatentCodec(model.coder);
    try {
      const fingerprint = await fingerprintOf(native, model);
      if (fingerprint !== model.fingerprint) {
        throw new VaeError(
          'ERR_VAE_REPRODUCIBILITY',
          `${where} codes fixed latents to ${fingerprint.slice(0, 16)}… on this machine, its maker to ` +
            `${model.fingerprint.slice(0, 16)}…: the addon or the processor does other arithmetic. Nothing would decode.`,
        );
      }
      const transforms = await Transforms.open(model.config, model.weights, threads);
      return new LossyCodec(file, model.config, native, transforms);
    } catch (error) {
      await native.close();
      throw error;
    }
  }

  /** Opens `lossy.safetensors`, that packed by Brotli with the ending .br, or the model directory that holds it. */
  static async load(path: string, options: LossyCodecOptions = {}): Promise<LossyCodec> {
    const found = await readModelFile(path, LOSSY_FILE);
    return LossyCodec.fromBytes(found.bytes, found.path, options);
  }

  /** Writes the model file: `path` itself, or `lossy.safetensors` within it when it has no extension. */
  async save(path: string): Promise<void> {
    const target = path.endsWith('.safetensors') ? path : join(path, LOSSY_FILE);
    await writeFilesAtomically([{ path: target, chunks: [this.file] }]);
  }

  /**
   * Codes one picture.
   *
   * @throws VaeError ERR_VAE_SHAPE for what is no picture, ERR_VAE_OPTION for a quality out of range.
   */
  async encode(picture: Picture, options: LossyEncodeOptions): Promise<Uint8Array> {
    return (await this.encodeLatents(picture, options)).bytes;
  }

  /** @internal Inside use: likewise, with the latents that the bytes stand for. With `verify` they were decoded and compared. */
  encodeLatents(
    picture: Picture,
    options: LossyEncodeOptions,
  ): Promise<{ readonly bytes: Uint8Array; readonly latents: DecodedLatents }> {
    return this.#lifetime.run(async () => {
      checkPicture(picture, 'LossyCodec.encode()');
      const { quality, verify } = parseOptions(encodeSchema, options, 'LossyCodec.encode()');
      const { width, height, channels } = picture;
      const header = { width, height, channels, quality: qualityOf(quality) };
      const latents = await this.#transforms.analyse(picture, header.quality);
      const hyper = await this.#transforms.hyperAnalyse(latents);
      const place = this.#placeOf(header);
      // From here on the latents are those that the bytes stand for.
      const coded = await this.#native.encode(latents.data, hyper, place);
      if (verify) checkSame(latents.data, await this.#native.decode(coded, place));
      return { bytes: Buffer.concat([encodePictureHeader(header), coded]), latents: { header, latents } };
    });
  }

  /** @internal Inside use: the first half of decode(), the half that is the same on every machine. */
  decodeLatents(bytes: Uint8Array): Promise<DecodedLatents> {
    return this.#lifetime.run(async () => {
      const { header, length } = decodePictureHeader(bytes);
      const place = this.#placeOf(header);
      const { height, width } = place;
      return { header, latents: { data: await this.#native.decode(bytes.subarray(length), place), height, width } };
    });
  }

  /** @internal Inside use: the second half. */
  synthesise({ header, latents }: DecodedLatents): Promise<Picture> {
    const { width, height, channels, quality } = header;
    return this.#lifetime.run(() => this.#transforms.synthesise(latents, { width, height, channels }, quality));
  }

  /**
   * The picture that these bytes stand for.
   *
   * @throws VaeError ERR_VAE_FORMAT when the bytes are damaged, or of another model.
   */
  async decode(bytes: Uint8Array): Promise<Picture> {
    return this.synthesise(await this.decodeLatents(bytes));
  }

  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await Promise.all([this.#native.close(), this.#transforms.close()]);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #placeOf({ width, height, quality }: PictureHeader): LatentPlace {
    return {
      height: reduced(height, DOWNSAMPLING),
      width: reduced(width, DOWNSAMPLING),
      level: Math.round(levelAt(this.config, quality)),
    };
  }
}

function checkSame(coded: Float32Array, decoded: Float32Array): void {
  if (coded.every((value, at) => value === decoded[at])) return;
  throw damaged('a picture did not decode to what went in: memory or processor are at fault');
}

/** Fixed latents, small and large, coded at every level: every path of the integer arithmetic is in it. */
async function fingerprintOf(
  native: NativeLatentCodec,
  { config, coder }: Pick<LossyModel, 'config' | 'coder'>,
): Promise<string> {
  const [height, width] = [5, 7];
  let state = 1;
  const noise = (): number => {
    // A linear congruential generator (Numerical Recipes); its high bits are good enough here.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) / 65536 - 0.5;
  };
  const latents = Float32Array.from({ length: config.latents * height * width }, (_, index) =>
    Math.round(noise() * (index % 97 === 0 ? 20_000 : 12)),
  );
  const hyper = Float32Array.from({ length: coder.hyperChannels * hyperSide(height) * hyperSide(width) }, () =>
    Math.round(noise() * 12),
  );
  const hash = createHash('sha256');
  for (let level = 0; level < config.lambdas.length; level += 1) {
    hash.update(await native.encode(Float32Array.from(latents), hyper, { height, width, level }));
  }
  return hash.digest('hex');
}
