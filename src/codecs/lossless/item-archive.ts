import { z } from 'zod';
import { ArchiveBase, type ArchiveParts, type KeptItem, type OutPart, type Output } from '../../archive/archive.js';
import type { ByteSource } from '../../archive/bytes.js';
import { type ChunkItems, type EncodedRecord, splitPayload } from '../../archive/chunk.js';
import { damaged, type RecordHeader } from '../../archive/format.js';
import type { ArchiveLayout } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { codecForArchive } from '../models/for-archive.js';
import { arrayHeader } from './array-file.js';
import { decodeChunk, decodeItemNames, encodeChunk, renamedChunk } from './chunk.js';
import type { Codec } from './codec.js';
import { type ArchiveHeader, IMAGES } from './header.js';
import { encodePng, readImage } from './image-files.js';
import { CODECS, type CodecInput } from './models.js';
import { splitExtras, withExtras } from './png-extras.js';

const optionsSchema = z.strictObject({
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<CodecInput>().optional(),
});

export interface OpenArchiveOptions extends InputOf<typeof optionsSchema> {}

export interface ArchiveItems {
  /** [count, ...itemShape] bytes. */
  readonly data: Uint8Array;
  readonly shape: readonly number[];
  readonly names?: readonly string[];
}

/** An open archive: any item by its number, without decoding what stands before its chunk. */
export class Archive extends ArchiveBase<ArchiveHeader, ChunkItems> {
  protected readonly unit = 'item';
  readonly #codec: Codec | undefined;
  /** What stands in PNG files beside the pixels, of each chunk. */
  readonly #extras = new Map<number, readonly (string | undefined)[]>();

  /** @internal Inside use: takes over the source, and the codec when it is owned. */
  constructor(parts: ArchiveParts<ArchiveHeader>, codec: Codec | undefined) {
    super('Archive', parts);
    this.#codec = codec;
  }

  /** @internal Inside use: an open source to an archive of items. */
  static async open(
    source: ByteSource,
    layout: ArchiveLayout<ArchiveHeader>,
    options: OpenArchiveOptions = {},
  ): Promise<Archive> {
    const { model } = parseOptions(optionsSchema, options, 'openArchive()');
    const { itemShape } = layout.header;
    const found = await codecForArchive(CODECS, source, layout, model, {
      where: 'openArchive()',
      fits: (codec) => String(codec.itemShape) === String(itemShape),
    });
    const withoutModel = found === undefined && layout.header.model !== undefined;
    return new Archive({ source, layout, owned: found?.owned ? found.codec : undefined, withoutModel }, found?.codec);
  }

  /** Number of items. */
  get length(): number {
    return this.itemCount;
  }

  get itemShape(): readonly number[] {
    return this.header.itemShape;
  }

  /** Undefined for an archive that needs no model. */
  get codec(): Codec | undefined {
    return this.#codec;
  }

  /** Bytes of an item. */
  get itemSize(): number {
    return this.layout.itemSize;
  }

  /**
   * The items of one chunk.
   *
   * @throws VaeError ERR_VAE_FORMAT naming the chunk when it is damaged; the others can still be read.
   */
  readChunk(index: number, signal?: AbortSignal): Promise<ArchiveItems> {
    return this.lifetime.run(async () => this.#asItems(await this.load(index, signal)));
  }

  /** Items start..start+count, decoding only the chunks they lie in. */
  read(start: number, count = 1, signal?: AbortSignal): Promise<ArchiveItems> {
    return this.lifetime.run(async () => {
      if (
        !Number.isInteger(start) ||
        !Number.isInteger(count) ||
        start < 0 ||
        count < 1 ||
        start + count > this.length
      ) {
        throw new VaeError(
          'ERR_VAE_OPTION',
          `Archive.read(): there are ${this.length} items, from 0; received start ${start} and count ${count}.`,
        );
      }
      const size = this.itemSize;
      const data = new Uint8Array(count * size);
      const names: string[] = [];
      let chunk = this.chunkOf(start);
      for (let item = start; item < start + count; chunk += 1) {
        const first = this.chunk(chunk).firstItem;
        const loaded = await this.load(chunk, signal);
        const end = Math.min(start + count, first + loaded.count);
        data.set(loaded.items.subarray((item - first) * size, (end - first) * size), (item - start) * size);
        names.push(...(loaded.names ?? []).slice(item - first, end - first));
        item = end;
      }
      return this.#asItems({ items: data, count, names: names.length === count ? names : undefined });
    });
  }

  /** All items, chunk after chunk. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ArchiveItems> {
    for (let chunk = 0; chunk < this.chunkCount; chunk += 1) yield await this.readChunk(chunk);
  }

  protected decode(record: RecordHeader, payload: Uint8Array, signal?: AbortSignal): Promise<ChunkItems> {
    return decodeChunk(this.#codec, record, payload, this.itemSize, signal);
  }

  protected outlineOf(chunk: number, names: Buffer): OutPart[] {
    const { firstItem, items } = this.chunk(chunk);
    if (!this.#isImages) {
      const start = chunk === 0 ? 0 : this.#arrayStart.length + firstItem * this.itemSize;
      const bytes = items * this.itemSize + (chunk === 0 ? this.#arrayStart.length : 0);
      return [{ name: this.#arrayName, offset: start, bytes, last: chunk === this.chunkCount - 1 }];
    }
    const entries = decodeItemNames(names, items);
    this.#extras.set(
      chunk,
      entries.map(({ extras }) => extras),
    );
    return entries.map(({ name }, index) => ({
      ...{ name: name ?? `${String(firstItem + index).padStart(6, '0')}.png`, offset: 0, last: true },
    }));
  }

  protected async outputOf(chunk: number, { items, count }: ChunkItems): Promise<Output> {
    const size = this.itemSize;
    if (!this.#isImages) {
      const bytes = chunk === 0 ? Buffer.concat([this.#arrayStart, items]) : items;
      return { parts: [bytes], bytes: items.length };
    }
    const extras = this.#extras.get(chunk) ?? [];
    const parts = Array.from({ length: count }, async (_, index) =>
      withExtras(await encodePng(items.subarray(index * size, (index + 1) * size), this.itemShape), extras[index]),
    );
    return { parts: await Promise.all(parts), bytes: items.length };
  }

  protected async checkedOf(chunk: number, parts: readonly Uint8Array[]): Promise<readonly Uint8Array[] | undefined> {
    if (this.#isImages) {
      const extras = this.#extras.get(chunk) ?? [];
      return Promise.all(
        parts.map(async (bytes, index) => {
          if (splitExtras(bytes)?.extras !== extras[index])
            throw damaged('a picture has something else beside its pixels');
          return readImage({ bytes, name: 'a picture' }, this.itemShape).catch((cause) => {
            throw damaged('a picture is another one', cause);
          });
        }),
      );
    }
    const [bytes] = parts;
    if (chunk > 0) return [bytes!];
    const start = this.#arrayStart;
    return Buffer.compare(bytes!.subarray(0, start.length), start) === 0 ? [bytes!.subarray(start.length)] : undefined;
  }

  override get itemsAreNamed(): boolean {
    return this.#isImages;
  }

  protected override async cut(chunk: number, kept: readonly KeptItem[], signal?: AbortSignal): Promise<EncodedRecord> {
    const { record, payload } = await this.stored(chunk);
    const { items: all, count: before } = await this.load(chunk, signal);
    const { names: block, data } = await splitPayload(record, payload);
    const entries = decodeItemNames(block, before);
    const names = this.#isImages ? kept.map(({ name }) => name) : undefined;
    const extras = kept.map(({ index }) => entries[index]!.extras);
    const count = kept.length;
    if (count === before) return renamedChunk(record.method, data, { items: all, count, names, extras });
    const size = this.itemSize;
    const items = new Uint8Array(count * size);
    for (const [at, { index }] of kept.entries()) items.set(all.subarray(index * size, (index + 1) * size), at * size);
    return encodeChunk(this.#codec, { items, count, names, extras }, { verify: false, signal });
  }

  get #isImages(): boolean {
    return this.header.kind === IMAGES;
  }

  get #arrayStart(): Uint8Array {
    const { kind, rowShape, itemShape } = this.header;
    return arrayHeader(kind === 'idx' ? 'idx' : 'npy', [this.length, ...(rowShape ?? itemShape)]);
  }

  get #arrayName(): string {
    const { name, kind } = this.header;
    return name ?? `items.${kind}`;
  }

  #asItems({ items, count, names }: ChunkItems): ArchiveItems {
    // A copy: the cache keeps its own.
    return { data: Uint8Array.from(items), shape: [count, ...this.itemShape], ...(names && { names }) };
  }
}
