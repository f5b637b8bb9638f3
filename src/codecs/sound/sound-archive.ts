import type { ByteSource } from '../../archive/bytes.js';
import { checksumOf, decodeNames } from '../../archive/chunk.js';
import { damaged, type SoundArchiveHeader } from '../../archive/format.js';
import { openSource } from '../../archive/open-source.js';
import { type ArchiveLayout, readChunkChecksum, readChunkRecord, readLayout } from '../../archive/reader.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import type { Codec } from '../lossless/codec.js';
import { codecFor, type DamagedChunk } from '../lossless/item-archive.js';
import type { CodecInput } from '../models/find.js';
import { decodeSegment, decodeSegmentName, SEGMENT_BYTES, type SegmentName } from './segment.js';

export interface OpenSoundsOptions {
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  readonly model?: CodecInput;
}

/** A file within an archive of sounds. */
export interface ArchivedSound {
  readonly name: string;
  /** Its chunks in order, undefined where one is lost. */
  readonly chunks: readonly (number | undefined)[];
}

/** An open archive of sounds: any part of any file, byte for byte as it went in. */
export class SoundArchive implements AsyncDisposable {
  readonly header: SoundArchiveHeader;
  /** False when the archive lost its end or was never finished; its whole chunks can be read. */
  readonly complete: boolean;
  readonly byteLength: number;
  readonly sounds: readonly ArchivedSound[];
  /** Chunks whose names cannot be read: nothing is known of what they hold. */
  readonly unreadable: readonly DamagedChunk[];
  readonly #source: ByteSource;
  readonly #layout: ArchiveLayout;
  readonly #codec: Codec | undefined;
  readonly #owned: boolean;
  readonly #lifetime = new Lifetime('SoundArchive');

  private constructor(
    source: ByteSource,
    layout: ArchiveLayout<SoundArchiveHeader>,
    found: { readonly codec: Codec | undefined; readonly owned: boolean },
    contents: { readonly sounds: readonly ArchivedSound[]; readonly unreadable: readonly DamagedChunk[] },
  ) {
    this.header = layout.header;
    this.complete = layout.complete;
    this.byteLength = source.length;
    this.sounds = contents.sounds;
    this.unreadable = contents.unreadable;
    this.#source = source;
    this.#layout = layout;
    this.#codec = found.codec;
    this.#owned = found.owned;
  }

  /** @internal Inside use: see openSounds(). */
  static async open(
    source: ByteSource,
    layout: ArchiveLayout<SoundArchiveHeader>,
    model: CodecInput | undefined,
  ): Promise<SoundArchive> {
    const contents = await contentsOf(source, layout);
    return new SoundArchive(source, layout, await codecFor(source, layout, model), contents);
  }

  get chunkCount(): number {
    return this.#layout.chunks.length;
  }

  /** Bytes of a file from its first; all chunks but the last of a file hold this many. */
  static readonly chunkBytes = SEGMENT_BYTES;

  /**
   * The whole of a file.
   *
   * @throws VaeError ERR_VAE_OPTION for a name that is not there, ERR_VAE_FORMAT naming a chunk that is damaged.
   */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#lifetime.run(async () => {
      const sound = this.sounds.find((each) => each.name === name);
      if (sound === undefined) {
        const known = this.sounds.slice(0, 20).map((each) => each.name);
        throw new VaeError(
          'ERR_VAE_OPTION',
          `SoundArchive.read(): there is no "${name}" in the archive; it holds ${known.join(', ')}${this.sounds.length > 20 ? ', …' : ''}.`,
        );
      }
      const parts: Uint8Array[] = [];
      for (const [index, chunk] of sound.chunks.entries()) {
        signal?.throwIfAborted();
        if (chunk === undefined) throw damaged(`part ${index + 1} of "${name}" is missing`);
        parts.push(await this.#load(chunk, signal));
      }
      return new Uint8Array(Buffer.concat(parts));
    });
  }

  /** The bytes that one chunk holds of its file. @throws VaeError ERR_VAE_FORMAT naming it when it is damaged. */
  readChunk(chunk: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#lifetime.run(() => this.#load(chunk, signal));
  }

  /** @internal Inside use: whether these are the bytes of a chunk, by its checksum. */
  matches(chunk: number, bytes: Uint8Array): Promise<boolean> {
    return this.#lifetime.run(async () => {
      const { checksum, names } = await readChunkChecksum(this.#source, 0, this.#layout.chunks[chunk]!);
      return Buffer.from(checksumOf(bytes, names)).equals(checksum);
    });
  }

  /** Decodes every chunk and compares checksums; the list of those that fail. */
  async verify(signal?: AbortSignal): Promise<DamagedChunk[]> {
    const found = [...this.unreadable];
    for (let chunk = 0; chunk < this.chunkCount; chunk += 1) {
      signal?.throwIfAborted();
      if (this.unreadable.some((each) => each.chunk === chunk)) continue;
      try {
        await this.readChunk(chunk, signal);
      } catch (error) {
        if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
        found.push({ chunk, firstItem: chunk, items: 1, reason: error.message });
      }
    }
    return found;
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

  async #load(chunk: number, signal?: AbortSignal): Promise<Uint8Array> {
    const entry = this.#layout.chunks[chunk];
    if (entry === undefined) {
      throw new VaeError('ERR_VAE_OPTION', `There are ${this.chunkCount} chunks, from 0; received ${chunk}.`);
    }
    try {
      const { record, payload } = await readChunkRecord(this.#source, 0, entry);
      return (await decodeSegment(this.#codec, record, payload, signal)).bytes;
    } catch (error) {
      if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
      throw new VaeError('ERR_VAE_FORMAT', `Chunk ${chunk}: ${error.message}`, { cause: error });
    }
  }
}

/** Which chunks make which files. */
async function contentsOf(source: ByteSource, { chunks }: ArchiveLayout) {
  const sounds: { name: string; chunks: (number | undefined)[] }[] = [];
  const unreadable: DamagedChunk[] = [];
  for (const [chunk, entry] of chunks.entries()) {
    let segment: SegmentName;
    try {
      const { names } = await readChunkChecksum(source, 0, entry);
      segment = decodeSegmentName(decodeNames(Buffer.from(names), 1)?.[0] ?? '');
    } catch (error) {
      if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
      unreadable.push({ chunk, firstItem: chunk, items: 1, reason: `Chunk ${chunk}: ${error.message}` });
      continue;
    }
    const { file, index, count } = segment;
    const last = sounds.at(-1);
    const goesOn = last?.name === file && last.chunks.length === count && last.chunks[index] === undefined;
    // No file has more parts than the archive has chunks: what is claimed beyond that is not believed.
    if (count > chunks.length + unreadable.length) {
      const reason = `Chunk ${chunk}: it claims to be of ${count} parts, the archive has ${chunks.length}`;
      unreadable.push({ chunk, firstItem: chunk, items: 1, reason });
      continue;
    }
    if (!goesOn) sounds.push({ name: file, chunks: Array.from({ length: count }, () => undefined) });
    sounds.at(-1)!.chunks[index] = chunk;
  }
  return { sounds, unreadable };
}

/**
 * Opens an archive of sounds: a path, or its bytes.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything else, ERR_VAE_REPRODUCIBILITY when the model is another
 *   one than it was made with, or cannot be found.
 */
export async function openSounds(input: string | Uint8Array, options: OpenSoundsOptions = {}): Promise<SoundArchive> {
  const source = await openSource(input);
  try {
    const layout = await readLayout(source);
    const { header } = layout;
    if (header.kind !== 'sounds') {
      const opener = header.kind === 'pictures' ? 'openPictures()' : 'openArchive()';
      throw new VaeError('ERR_VAE_FORMAT', `The archive holds no sounds: open it with ${opener}.`);
    }
    return await SoundArchive.open(source, { ...layout, header }, options.model);
  } catch (error) {
    await source.close();
    throw error;
  }
}
