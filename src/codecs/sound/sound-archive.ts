import { z } from 'zod';
import {
  ArchiveBase,
  type ArchiveParts,
  type DamagedChunk,
  type KeptItem,
  type OutPart,
  type Output,
} from '../../archive/archive.js';
import type { ByteSource } from '../../archive/bytes.js';
import { decodeNames, type EncodedRecord, splitPayload } from '../../archive/chunk.js';
import type { FilesMethod } from '../../archive/files-record.js';
import { damaged, type RecordHeader } from '../../archive/format.js';
import type { ArchiveLayout } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { Codec } from '../lossless/codec.js';
import { CODECS, type CodecInput } from '../lossless/models.js';
import { codecForArchive } from '../models/for-archive.js';
import { gatheredSounds } from './gather.js';
import type { SoundArchiveHeader } from './header.js';
import { decodeSegment, decodeSegmentName, renamedSegment, SEGMENT_BYTES } from './segment.js';

const optionsSchema = z.strictObject({
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<CodecInput>().optional(),
});

export interface OpenSoundsOptions extends InputOf<typeof optionsSchema> {}

/** A file within an archive of sounds. */
export interface ArchivedSound {
  readonly name: string;
  /** Its chunks in order, undefined where one is lost. Small files share one, which is numbered behind the others. */
  readonly chunks: readonly (number | undefined)[];
}

/** Where a file's bytes are: parts of records. */
interface Place {
  readonly record: number;
  readonly part: number;
}

/** An open archive of sounds: any part of any file, byte for byte as it went in. */
export class SoundArchive extends ArchiveBase<SoundArchiveHeader, Uint8Array> {
  protected readonly unit = 'item';
  readonly #codec: Codec | undefined;
  #sounds: readonly ArchivedSound[] = [];
  #unreadable: readonly DamagedChunk[] = [];
  readonly #places = new Map<string, (Place | undefined)[]>();
  readonly #sameAs = new Map<string, string>();

  private constructor(parts: ArchiveParts<SoundArchiveHeader>, codec: Codec | undefined) {
    super('SoundArchive', parts);
    this.#codec = codec;
  }

  /** @internal Inside use: see openSounds(). */
  static async open(
    source: ByteSource,
    layout: ArchiveLayout<SoundArchiveHeader>,
    options: OpenSoundsOptions = {},
  ): Promise<SoundArchive> {
    const { model } = parseOptions(optionsSchema, options, 'openSounds()');
    const found = await codecForArchive(CODECS, source, layout, model, { where: 'openSounds()' });
    const parts = {
      source,
      layout,
      owned: found?.owned ? found.codec : undefined,
      withoutModel: found === undefined && layout.header.model !== undefined,
    };
    const archive = new SoundArchive(parts, found?.codec);
    await archive.#list();
    return archive;
  }

  /** Files, sounds and others. */
  get sounds(): readonly ArchivedSound[] {
    return this.#sounds;
  }

  /** Chunks whose names cannot be read: nothing is known of what they hold. */
  get unreadable(): readonly DamagedChunk[] {
    return this.#unreadable;
  }

  /** Bytes of a file from its first; all chunks but the last of a file hold this many. */
  static readonly chunkBytes = SEGMENT_BYTES;

  /**
   * The whole of a file.
   *
   * @throws VaeError ERR_VAE_OPTION for a name that is not there, ERR_VAE_FORMAT naming a chunk that is damaged.
   */
  async read(name: string, signal?: AbortSignal): Promise<Uint8Array> {
    this.lifetime.check();
    const places = this.#places.get(this.#sameAs.get(name) ?? name);
    if (places === undefined) {
      const known = this.sounds.slice(0, 20).map((each) => each.name);
      throw new VaeError(
        'ERR_VAE_OPTION',
        `SoundArchive.read(): there is no "${name}" in the archive; it holds ${known.join(', ')}${this.sounds.length > 20 ? ', …' : ''}.`,
      );
    }
    const parts: Uint8Array[] = [];
    for (const [index, place] of places.entries()) {
      signal?.throwIfAborted();
      if (place === undefined) throw damaged(`part ${index + 1} of "${name}" is missing`);
      parts.push((await this.output(place.record, signal)).parts[place.part]!);
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  /** The bytes that one chunk holds. @throws VaeError ERR_VAE_FORMAT naming it when it is damaged. */
  async readChunk(chunk: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (!Number.isInteger(chunk) || chunk < 0 || chunk >= this.recordCount) {
      throw new VaeError('ERR_VAE_OPTION', `There are ${this.recordCount} chunks, from 0; received ${chunk}.`);
    }
    const { parts } = await this.output(chunk, signal);
    return parts.length === 1 ? parts[0]! : new Uint8Array(Buffer.concat(parts));
  }

  protected async decode(record: RecordHeader, payload: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    return (await decodeSegment(this.#codec, record, payload, signal)).bytes;
  }

  protected outlineOf(_chunk: number, names: Buffer): OutPart[] {
    const { file, index, count } = decodeSegmentName(decodeNames(names, 1)?.[0] ?? '');
    // No file has more parts than the archive has chunks: what is claimed beyond that is not believed.
    if (count > this.chunkCount) {
      throw damaged(`it claims to be of ${count} parts, the archive has ${this.chunkCount}`);
    }
    const last = index + 1 === count;
    return [{ name: file, offset: index * SEGMENT_BYTES, last, bytes: last ? undefined : SEGMENT_BYTES }];
  }

  protected async outputOf(_chunk: number, bytes: Uint8Array): Promise<Output> {
    return { parts: [bytes], bytes: bytes.length };
  }

  protected async checkedOf(_chunk: number, parts: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return parts;
  }

  /** A part of another file; a chunk has no more than one. */
  protected override async cut(
    chunk: number,
    [kept]: readonly KeptItem[],
    signal?: AbortSignal,
  ): Promise<EncodedRecord> {
    const { record, payload } = await this.stored(chunk);
    const bytes = await this.load(chunk, signal);
    const { names, data } = await splitPayload(record, payload);
    const place = decodeSegmentName(decodeNames(names, 1)?.[0] ?? '');
    return renamedSegment(record.method, data, bytes, { ...place, file: kept!.name });
  }

  protected override filesMethod(): FilesMethod | undefined {
    return this.#codec && gatheredSounds(this.#codec);
  }

  /** Which records make which files. */
  async #list(): Promise<void> {
    const { records, unreadable } = await this.outline();
    for (const [record, parts] of records.entries()) {
      for (const [part, { name, offset, sameAs }] of parts.entries()) {
        if (sameAs !== undefined) this.#sameAs.set(name, sameAs);
        const places = this.#places.get(name) ?? [];
        this.#places.set(name, places);
        const index = record < this.chunkCount ? offset / SEGMENT_BYTES : places.length;
        while (places.length < index) places.push(undefined);
        places[index] = { record, part };
      }
    }
    this.#unreadable = unreadable;
    this.#sounds = Array.from(this.#places, ([name, places]) => ({
      name,
      chunks: places.map((place) => place?.record),
    }));
  }
}
