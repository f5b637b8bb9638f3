import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { createItemCodec, type ItemCodecSpec, type NativeItemCodec } from '../../binding/coder.js';
import { withAbort } from '../../binding/with-abort.js';
import { signalShape } from '../../core/common-options.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import { writeFilesAtomically } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { identityOf, readModelFile } from '../models/model-file.js';
import { type CodecModel, decodeCodecModel, encodeCodecModel } from './codec-model.js';

/** Name of the codec's file within a model directory. */
export const CODEC_FILE = 'codec.safetensors';

const FINGERPRINT_ITEMS = 19;

const codeSchema = z.strictObject({
  ...signalShape,
});

export interface CodeOptions extends InputOf<typeof codeSchema> {}

const encodeSchema = codeSchema.extend({
  /** Decode again and compare. Default true. */
  verify: z.boolean().default(true),
});

export interface EncodeItemsOptions extends InputOf<typeof encodeSchema> {}

/**
 * A compressor of items of one shape: a VAE in integers, and the entropy coder it drives. The same
 * bytes on every machine. Make one with `vae.toCodec()`, open one with `Codec.load()`.
 */
export class Codec implements AsyncDisposable {
  /** SHA-256 of the model file, in hexadecimal. Archives name the model they need by it. */
  readonly identity: string;
  /** Shape of an item, such as [1, 28, 28]; its values are bytes. */
  readonly itemShape: readonly number[];
  /** Bytes of an item. */
  readonly itemSize: number;
  /** The model file's bytes: what save() writes and archives embed. Borrowed: do not write to it. */
  readonly file: Uint8Array;
  readonly #native: NativeItemCodec;
  readonly #lifetime = new Lifetime('Codec');

  private constructor(file: Uint8Array, model: CodecModel, native: NativeItemCodec) {
    this.file = file;
    this.identity = identityOf(file);
    this.itemShape = model.itemShape;
    this.itemSize = native.itemSize;
    this.#native = native;
  }

  /** @internal Inside use: a codec of these integers. */
  static async make(itemShape: readonly number[], spec: ItemCodecSpec): Promise<Codec> {
    const native = await createItemCodec(spec);
    const model = { itemShape, spec, fingerprint: await fingerprintOf(native) };
    return new Codec(encodeCodecModel(model), model, native);
  }

  /**
   * Opens a model file's bytes.
   *
   * @throws VaeError ERR_VAE_FORMAT when they are no codec model, ERR_VAE_REPRODUCIBILITY when this
   *   machine does not compute what the model's maker did: archives would not decode.
   */
  static async fromBytes(bytes: Uint8Array, where = 'The codec model'): Promise<Codec> {
    const file = Uint8Array.from(bytes);
    const model = decodeCodecModel(file, where);
    const native = await createItemCodec(model.spec);
    const fingerprint = await fingerprintOf(native);
    if (fingerprint === model.fingerprint) return new Codec(file, model, native);
    await native.close();
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `${where} codes a fixed input to ${fingerprint.slice(0, 16)}… on this machine, its maker to ` +
        `${model.fingerprint.slice(0, 16)}…: the addon or the processor does other arithmetic. Nothing would decode.`,
    );
  }

  /** Opens `codec.safetensors`, that packed by Brotli with the ending .br, or the model directory that holds it. */
  static async load(path: string): Promise<Codec> {
    const found = await readModelFile(path, CODEC_FILE);
    return Codec.fromBytes(found.bytes, found.path);
  }

  /** Writes the model file: `path` itself, or `codec.safetensors` within it when it has no extension. */
  async save(path: string): Promise<void> {
    const target = path.endsWith('.safetensors') ? path : join(path, CODEC_FILE);
    await writeFilesAtomically([{ path: target, chunks: [this.file] }]);
  }

  /**
   * Codes `items`, [count, ...itemShape], as one chunk. With `verify` it is decoded again and compared
   * before the promise resolves. `items` must not change meanwhile.
   */
  encode(items: Uint8Array, options: EncodeItemsOptions = {}): Promise<Uint8Array> {
    return this.#lifetime.run(async () => {
      const { signal, verify } = parseOptions(encodeSchema, options, 'Codec.encode()');
      const count = items.length / this.itemSize;
      if (!Number.isInteger(count) || count < 1) {
        throw new VaeError(
          'ERR_VAE_SHAPE',
          `Codec.encode(): expected whole items of ${this.itemSize} bytes, received ${items.length} bytes.`,
        );
      }
      return withAbort(signal, (flag) => this.#native.encode(items, count, verify, flag));
    });
  }

  /**
   * The `count` items of a chunk.
   *
   * @throws VaeError ERR_VAE_FORMAT when the bytes are damaged, or of another model or count.
   */
  decode(bytes: Uint8Array, count: number, options: CodeOptions = {}): Promise<Uint8Array> {
    return this.#lifetime.run(async () => {
      const { signal } = parseOptions(codeSchema, options, 'Codec.decode()');
      return withAbort(signal, async (flag) => this.#native.decode(bytes, count, flag));
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => this.#native.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Three waves of fixed items, from flat to noisy, coded: every path of the arithmetic is in it. */
async function fingerprintOf(native: NativeItemCodec): Promise<string> {
  const items = new Uint8Array(FINGERPRINT_ITEMS * native.itemSize);
  let state = 1;
  for (let i = 0; i < items.length; i += 1) {
    // A linear congruential generator (Numerical Recipes); its high bits are good enough here.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const noisy = Math.floor(i / native.itemSize) % 3;
    items[i] = noisy === 0 ? (i % 251) & 0xf8 : state >>> 28 < 4 * noisy ? (state >>> 20) & 255 : 0;
  }
  return createHash('sha256')
    .update(await native.encode(items, FINGERPRINT_ITEMS, false))
    .digest('hex');
}
