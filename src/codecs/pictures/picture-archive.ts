import type { ByteSource } from '../../archive/bytes.js';
import type { PictureArchiveHeader } from '../../archive/format.js';
import { openSource } from '../../archive/open-source.js';
import { type ArchiveLayout, readChunkRecord, readLayout, readModel } from '../../archive/reader.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import type { DamagedChunk } from '../lossless/item-archive.js';
import { findLossyCodec, type LossyCodecInput, shippedLossyCodecOf } from '../models/find.js';
import { type DecodedPictureChunk, decodePictureChunk } from './chunk.js';
import { LossyCodec } from './lossy-codec.js';
import type { Picture } from './picture.js';

export interface OpenPicturesOptions {
  /** The model the archive was made with. Default: the one it embeds, or the package's own. */
  readonly model?: LossyCodecInput;
  /** Threads of one run of a network; 0, the default, lets ONNX Runtime choose. */
  readonly threads?: number;
}

export interface NamedPicture extends Picture {
  readonly name: string;
}

/** An open archive of pictures with loss: any picture by its number. */
export class PictureArchive implements AsyncDisposable {
  readonly header: PictureArchiveHeader;
  /** False when the archive lost its end or was never finished; its whole chunks can be read. */
  readonly complete: boolean;
  /** Number of pictures. */
  readonly length: number;
  readonly byteLength: number;
  readonly codec: LossyCodec;
  readonly #source: ByteSource;
  readonly #layout: ArchiveLayout;
  readonly #owned: boolean;
  readonly #firsts: number[] = [];
  readonly #lifetime = new Lifetime('PictureArchive');
  #cache: { chunk: number; decoded: Promise<DecodedPictureChunk> } | undefined;

  /** @internal Inside use: takes over the source, and the codec when it is owned. */
  constructor(source: ByteSource, layout: ArchiveLayout<PictureArchiveHeader>, codec: LossyCodec, owned: boolean) {
    this.header = layout.header;
    this.complete = layout.complete;
    this.byteLength = source.length;
    this.codec = codec;
    this.#source = source;
    this.#layout = layout;
    this.#owned = owned;
    let total = 0;
    for (const { items } of layout.chunks) {
      this.#firsts.push(total);
      total += items;
    }
    this.length = total;
  }

  get chunkCount(): number {
    return this.#layout.chunks.length;
  }

  /** First picture and number of pictures of a chunk. */
  chunk(index: number): { readonly firstItem: number; readonly items: number } {
    const entry = this.#layout.chunks[index];
    if (entry === undefined) {
      throw new VaeError('ERR_VAE_OPTION', `There are ${this.chunkCount} chunks, from 0; received ${index}.`);
    }
    return { firstItem: this.#firsts[index]!, items: entry.items };
  }

  /**
   * One picture.
   *
   * @throws VaeError ERR_VAE_FORMAT naming the chunk when it is damaged; the others can still be read.
   */
  read(index: number): Promise<NamedPicture> {
    return this.#lifetime.run(async () => {
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new VaeError(
          'ERR_VAE_OPTION',
          `PictureArchive.read(): there are ${this.length} pictures, from 0; received ${index}.`,
        );
      }
      let chunk = this.#firsts.length - 1;
      while (this.#firsts[chunk]! > index) chunk -= 1;
      const { pictures, names } = await this.#load(chunk);
      const within = index - this.#firsts[chunk]!;
      const { header, latents } = pictures[within]!;
      // Synthesis writes to its input, and the cache keeps what it has.
      const own = { header, latents: { ...latents, data: Float32Array.from(latents.data) } };
      return { ...(await this.codec.synthesise(own)), name: names[within]! };
    });
  }

  /** @internal Inside use: a chunk's latents and names, compared with its checksum. */
  readLatents(chunk: number): Promise<DecodedPictureChunk> {
    return this.#lifetime.run(() => this.#load(chunk));
  }

  /** All pictures, one after another. */
  async *[Symbol.asyncIterator](): AsyncGenerator<NamedPicture> {
    for (let index = 0; index < this.length; index += 1) yield await this.read(index);
  }

  /** Decodes every chunk and compares checksums; the list of those that fail. */
  async verify(signal?: AbortSignal): Promise<DamagedChunk[]> {
    const found: DamagedChunk[] = [];
    for (let chunk = 0; chunk < this.chunkCount; chunk += 1) {
      signal?.throwIfAborted();
      try {
        await this.readLatents(chunk);
      } catch (error) {
        if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
        found.push({ chunk, ...this.chunk(chunk), reason: error.message });
      }
    }
    return found;
  }

  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await this.#source.close();
      if (this.#owned) await this.codec.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #load(chunk: number): Promise<DecodedPictureChunk> {
    if (this.#cache?.chunk === chunk) return this.#cache.decoded;
    const { firstItem, items } = this.chunk(chunk);
    const decoded = (async () => {
      const { record, payload } = await readChunkRecord(this.#source, 0, this.#layout.chunks[chunk]!);
      return decodePictureChunk(this.codec, record, payload);
    })().catch((error: unknown) => {
      if (this.#cache?.chunk === chunk) this.#cache = undefined;
      if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
      const last = firstItem + items - 1;
      const message = `Chunk ${chunk} (pictures ${firstItem} to ${last}): ${error.message}`;
      throw new VaeError('ERR_VAE_FORMAT', message, { cause: error });
    });
    this.#cache = { chunk, decoded };
    return decoded;
  }
}

/**
 * Opens an archive of pictures with loss: a path, or its bytes.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything else, ERR_VAE_REPRODUCIBILITY when the model is another
 *   one than it was made with, or cannot be found.
 */
export async function openPictures(
  input: string | Uint8Array,
  options: OpenPicturesOptions = {},
): Promise<PictureArchive> {
  const source = await openSource(input);
  try {
    const layout = await readLayout(source);
    const { header } = layout;
    if (header.kind !== 'pictures') {
      const opener = header.kind === 'sounds' ? 'openSounds()' : 'openArchive()';
      throw new VaeError('ERR_VAE_FORMAT', `The archive holds items without loss: open it with ${opener}.`);
    }
    const { codec, owned } = await codecFor(source, layout, header, options);
    return new PictureArchive(source, { ...layout, header }, codec, owned);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function codecFor(
  source: ByteSource,
  { modelOffset }: ArchiveLayout,
  { model: identity }: PictureArchiveHeader,
  { model, threads = 0 }: OpenPicturesOptions,
): Promise<{ codec: LossyCodec; owned: boolean }> {
  const found = await (async () => {
    if (model !== undefined) return findLossyCodec(model, 'openPictures()', threads);
    if (modelOffset !== undefined) {
      const file = await readModel(source, modelOffset);
      return { codec: await LossyCodec.fromBytes(file, 'The model within the archive', { threads }), owned: true };
    }
    const codec = await shippedLossyCodecOf(identity, threads);
    if (codec !== undefined) return { codec, owned: true };
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `The archive needs the model ${identity}, which it does not embed and this package does not have. Give it with "model" (-m).`,
    );
  })();
  if (found.codec.identity === identity) return found;
  if (found.owned) await found.codec.close();
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive was made with the model ${identity.slice(0, 16)}…, and this is ${found.codec.identity.slice(0, 16)}…: ` +
      'it would decode to garbage. Give the very model it was made with.',
  );
}
