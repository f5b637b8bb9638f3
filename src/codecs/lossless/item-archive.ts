import type { ByteSource } from '../../archive/bytes.js';
import { type ChunkItems, checksumOf, decodeNames } from '../../archive/chunk.js';
import { type ArchiveHeader, itemSizeOf, type SoundArchiveHeader } from '../../archive/format.js';
import { openSource } from '../../archive/open-source.js';
import {
  type ArchiveLayout,
  itemsLayout,
  readChunk,
  readChunkChecksum,
  readLayout,
  readModel,
} from '../../archive/reader.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import { type CodecInput, findCodec, shippedCodecOf } from '../models/find.js';
import { Codec } from './codec.js';

export interface OpenArchiveOptions {
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  readonly model?: CodecInput;
}

/** A chunk that does not decode. */
export interface DamagedChunk {
  /** Its number, from 0. */
  readonly chunk: number;
  readonly firstItem: number;
  readonly items: number;
  readonly reason: string;
}

export interface ArchiveItems {
  /** [count, ...itemShape] bytes. */
  readonly data: Uint8Array;
  readonly shape: readonly number[];
  readonly names?: readonly string[];
}

/** An open archive: any item by its number, without decoding what stands before its chunk. */
export class Archive implements AsyncDisposable {
  readonly header: ArchiveHeader;
  /** False when the archive lost its end or was never finished; its whole chunks can be read. */
  readonly complete: boolean;
  /** Number of items. */
  readonly length: number;
  readonly byteLength: number;
  readonly #source: ByteSource;
  readonly #layout: ArchiveLayout<ArchiveHeader>;
  readonly #firstItems: number[] = [];
  readonly #codec: Codec | undefined;
  readonly #owned: boolean;
  readonly #lifetime = new Lifetime('Archive');
  #cache: { chunk: number; items: Promise<ChunkItems> } | undefined;

  /** @internal Inside use: takes over the source, and the codec when it is owned. */
  constructor(source: ByteSource, layout: ArchiveLayout<ArchiveHeader>, codec: Codec | undefined, owned: boolean) {
    this.#source = source;
    this.#layout = layout;
    this.#codec = codec;
    this.#owned = owned;
    this.header = layout.header;
    this.complete = layout.complete;
    this.byteLength = source.length;
    let total = 0;
    for (const { items } of layout.chunks) {
      this.#firstItems.push(total);
      total += items;
    }
    this.length = total;
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
    return itemSizeOf(this.header);
  }

  get chunkCount(): number {
    return this.#layout.chunks.length;
  }

  /** First item and number of items of a chunk. */
  chunk(index: number): { readonly firstItem: number; readonly items: number } {
    const entry = this.#layout.chunks[index];
    if (entry === undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `Archive.chunk(): there are ${this.chunkCount} chunks, from 0; received ${index}.`,
      );
    }
    return { firstItem: this.#firstItems[index]!, items: entry.items };
  }

  /**
   * The items of one chunk.
   *
   * @throws VaeError ERR_VAE_FORMAT naming the chunk when it is damaged; the others can still be read.
   */
  readChunk(index: number, signal?: AbortSignal): Promise<ArchiveItems> {
    return this.#lifetime.run(async () => this.#asItems(await this.#load(index, signal)));
  }

  /** @internal Inside use: whether what `items` gives, told the names, are the items of a chunk, by its checksum. */
  matches(
    index: number,
    items: (names: readonly string[] | undefined) => Promise<Uint8Array | undefined>,
  ): Promise<boolean> {
    return this.#lifetime.run(async () => {
      const entry = this.#layout.chunks[index]!;
      try {
        const { checksum, names } = await readChunkChecksum(this.#source, this.itemSize, entry);
        const found = await items(decodeNames(Buffer.from(names), entry.items));
        return found !== undefined && Buffer.from(checksumOf(found, names)).equals(checksum);
      } catch (error) {
        // A damaged chunk is reported when it is decoded.
        if (error instanceof VaeError && error.code === 'ERR_VAE_FORMAT') return false;
        throw error;
      }
    });
  }

  /** Items start..start+count, decoding only the chunks they lie in. */
  read(start: number, count = 1, signal?: AbortSignal): Promise<ArchiveItems> {
    return this.#lifetime.run(async () => {
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
      let chunk = this.#chunkOf(start);
      for (let item = start; item < start + count; chunk += 1) {
        const first = this.#firstItems[chunk]!;
        const loaded = await this.#load(chunk, signal);
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

  /** Decodes every chunk and compares checksums; the list of those that fail. */
  async verify(signal?: AbortSignal): Promise<DamagedChunk[]> {
    const damaged: DamagedChunk[] = [];
    for (let chunk = 0; chunk < this.chunkCount; chunk += 1) {
      try {
        await this.readChunk(chunk, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof VaeError) || error.code === 'ERR_VAE_DISPOSED') throw error;
        damaged.push({ chunk, ...this.chunk(chunk), reason: error.message });
      }
    }
    return damaged;
  }

  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await this.#source.close();
      if (this.#owned) await this.#codec?.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #load(index: number, signal?: AbortSignal): Promise<ChunkItems> {
    const { firstItem, items } = this.chunk(index);
    if (this.#cache?.chunk === index) return this.#cache.items;
    const loading = readChunk(this.#source, this.header, this.#layout.chunks[index]!, this.#codec, signal).catch(
      (error: unknown) => {
        if (this.#cache?.chunk === index) this.#cache = undefined;
        if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
        const last = firstItem + items - 1;
        throw new VaeError('ERR_VAE_FORMAT', `Chunk ${index} (items ${firstItem} to ${last}): ${error.message}`, {
          cause: error,
        });
      },
    );
    this.#cache = { chunk: index, items: loading };
    return loading;
  }

  #asItems({ items, count, names }: ChunkItems): ArchiveItems {
    // A copy: the cache keeps its own.
    return { data: Uint8Array.from(items), shape: [count, ...this.itemShape], ...(names && { names }) };
  }

  #chunkOf(item: number): number {
    let low = 0;
    let high = this.#firstItems.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#firstItems[middle]! <= item) low = middle;
      else high = middle;
    }
    return low;
  }
}

/**
 * Opens an archive: a path, or its bytes.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything that is not an archive, ERR_VAE_REPRODUCIBILITY when
 *   the model is another one than it was made with, or cannot be found.
 */
export async function openArchive(input: string | Uint8Array, options: OpenArchiveOptions = {}): Promise<Archive> {
  const source = await openSource(input);
  try {
    const layout = itemsLayout(await readLayout(source));
    const { codec, owned } = await codecFor(source, layout, options.model);
    return new Archive(source, layout, codec, owned);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** @internal Inside use: the codec that an archive needs, if it needs one, and whether it is to be closed. */
export async function codecFor(
  source: ByteSource,
  { header, modelOffset }: ArchiveLayout<ArchiveHeader | SoundArchiveHeader>,
  model: CodecInput | undefined,
): Promise<{ readonly codec: Codec | undefined; readonly owned: boolean }> {
  const { model: identity } = header;
  if (identity === undefined) return { codec: undefined, owned: false };
  const found = await anyCodec(source, identity, modelOffset, model);
  const { codec, owned } = found;
  const fits = header.kind === 'sounds' || sameShape(codec.itemShape, header.itemShape);
  if (codec.identity === identity && fits) return found;
  if (owned) await codec.close();
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive was made with the model ${identity.slice(0, 16)}…, and this is ${codec.identity.slice(0, 16)}…: ` +
      'it would decode to garbage. Give the very model it was made with.',
  );
}

async function anyCodec(
  source: ByteSource,
  identity: string,
  modelOffset: number | undefined,
  model: CodecInput | undefined,
) {
  if (model !== undefined) return findCodec(model, 'openArchive()');
  if (modelOffset !== undefined) {
    return {
      codec: await Codec.fromBytes(await readModel(source, modelOffset), 'The model within the archive'),
      owned: true,
    };
  }
  const codec = await shippedCodecOf(identity);
  if (codec !== undefined) return { codec, owned: true };
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive needs the model ${identity}, which it does not embed and this package does not have. Give it with "model" (-m).`,
  );
}

function sameShape(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((dim, axis) => dim === right[axis]);
}
