import { z } from 'zod';
import { ArchiveBase, type ArchiveParts, type KeptItem, type OutPart, type Output } from '../../archive/archive.js';
import type { ByteSource } from '../../archive/bytes.js';
import { decodeNames, type EncodedRecord } from '../../archive/chunk.js';
import { damaged, type RecordHeader } from '../../archive/format.js';
import type { ArchiveLayout } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { codecForArchive } from '../models/for-archive.js';
import {
  type DecodedPictureChunk,
  decodePictureChunk,
  encodePictureChunk,
  pictureBytes,
  pictureHeaders,
} from './chunk.js';
import type { PictureArchiveHeader } from './header.js';
import type { LossyCodec } from './lossy-codec.js';
import { LOSSY_CODECS, type LossyCodecInput } from './models.js';
import { type Picture, pictureMemory } from './picture.js';
import { pictureToPng } from './read-picture.js';

const optionsSchema = z.strictObject({
  /** The model the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<LossyCodecInput>().optional(),
  /** Threads of one run of a network; 0, the default, lets ONNX Runtime choose. */
  threads: z.int().min(0).max(1024).default(0),
});

export interface OpenPicturesOptions extends InputOf<typeof optionsSchema> {}

export interface NamedPicture extends Picture {
  readonly name: string;
}

/** An open archive of pictures with loss: any picture by its number. */
export class PictureArchive extends ArchiveBase<PictureArchiveHeader, DecodedPictureChunk> {
  protected readonly unit = 'picture';
  /** Its networks have threads of their own, and what they need in between is large. */
  override readonly mostAtOnce = 1;
  readonly #codec: LossyCodec | undefined;

  /** @internal Inside use: takes over the source, and the codec when it is owned. */
  constructor(parts: ArchiveParts<PictureArchiveHeader>, codec: LossyCodec | undefined) {
    super('PictureArchive', parts);
    this.#codec = codec;
  }

  get codec(): LossyCodec {
    if (this.#codec !== undefined) return this.#codec;
    throw new VaeError('ERR_VAE_REPRODUCIBILITY', 'The archive was opened without its model.');
  }

  /** @internal Inside use: see openPictures(). */
  static async open(
    source: ByteSource,
    layout: ArchiveLayout<PictureArchiveHeader>,
    options: OpenPicturesOptions = {},
  ): Promise<PictureArchive> {
    const { model, threads } = parseOptions(optionsSchema, options, 'openPictures()');
    const found = await codecForArchive(LOSSY_CODECS, source, layout, model, { where: 'openPictures()', threads });
    if (layout.header.model === undefined) throw damaged('its pictures have no model');
    const parts = { source, layout, owned: found?.owned ? found.codec : undefined, withoutModel: found === undefined };
    return new PictureArchive(parts, found?.codec);
  }

  /** Number of pictures. */
  get length(): number {
    return this.itemCount;
  }

  /**
   * One picture.
   *
   * @throws VaeError ERR_VAE_FORMAT naming the chunk when it is damaged; the others can still be read.
   */
  read(index: number): Promise<NamedPicture> {
    return this.lifetime.run(async () => {
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new VaeError(
          'ERR_VAE_OPTION',
          `PictureArchive.read(): there are ${this.length} pictures, from 0; received ${index}.`,
        );
      }
      const chunk = this.chunkOf(index);
      const decoded = await this.load(chunk);
      const within = index - this.chunk(chunk).firstItem;
      return { ...(await this.#synthesise(decoded, within)), name: decoded.names[within]! };
    });
  }

  /** @internal Of the largest picture, told by its header. */
  override async recordMemory(signal?: AbortSignal): Promise<number> {
    let most = await super.recordMemory(signal);
    for (let chunk = 0; chunk < this.chunkCount; chunk += 1) {
      signal?.throwIfAborted();
      try {
        const { record, payload } = await this.stored(chunk);
        for (const { width, height } of pictureHeaders(record, payload))
          most = Math.max(most, pictureMemory(width * height));
      } catch (error) {
        this.damageOf(chunk, error); // told when it is decoded
      }
    }
    return most;
  }

  /** All pictures, one after another. */
  async *[Symbol.asyncIterator](): AsyncGenerator<NamedPicture> {
    for (let index = 0; index < this.length; index += 1) yield await this.read(index);
  }

  protected decode(record: RecordHeader, payload: Uint8Array): Promise<DecodedPictureChunk> {
    return decodePictureChunk(this.codec, record, payload);
  }

  protected outlineOf(chunk: number, names: Buffer): OutPart[] {
    const found = decodeNames(names, this.chunk(chunk).items);
    if (found === undefined) throw damaged('its pictures have no names');
    return found.map((name) => ({ name, offset: 0, last: true }));
  }

  protected async outputOf(_chunk: number, decoded: DecodedPictureChunk, signal?: AbortSignal): Promise<Output> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const [index, { header }] of decoded.pictures.entries()) {
      signal?.throwIfAborted();
      parts.push(await pictureToPng(await this.#synthesise(decoded, index)));
      bytes += header.width * header.height * header.channels;
    }
    return { parts, bytes };
  }

  /** Pictures are coded one by one: those that are kept are not coded again. */
  protected override async cut(chunk: number, kept: readonly KeptItem[]): Promise<EncodedRecord> {
    const { record, payload } = await this.stored(chunk);
    const { pictures } = await this.load(chunk);
    const bytes = pictureBytes(record, payload);
    return encodePictureChunk(
      kept.map(({ index, name }) => ({ name, bytes: bytes[index]!, latents: pictures[index]! })),
    );
  }

  /** The last bit of a few values depends on the machine: pixels do not tell what a chunk holds. */
  protected async checkedOf(): Promise<undefined> {
    return undefined;
  }

  #synthesise({ pictures }: DecodedPictureChunk, index: number): Promise<Picture> {
    return this.codec.synthesise(pictures[index]!);
  }
}
