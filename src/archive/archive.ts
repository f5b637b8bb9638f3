/** What every open archive is, whatever it holds: its records, read, checked and passed on. */
import { Lifetime } from '../core/disposal.js';
import { VaeError } from '../core/errors.js';
import type { ByteSource } from './bytes.js';
import { type EncodedRecord, hasChecksum } from './chunk.js';
import { cutFiles, decodeEntries, decodeFiles, editFiles, type FilesMethod } from './files-record.js';
import { encodeRecord, type Header, type IndexEntry, type Method, RECORD_BYTES, type RecordHeader } from './format.js';
import { type ArchiveLayout, readModel, readNames, readRecord } from './reader.js';

/** What a record takes beside its bytes: what it decodes to, the model's work, the files it becomes. */
const MEMORY_PER_BYTE = 10;
/** Records of files hold 4 MiB at the most, as they are written here. */
const FILES_MEMORY = 1 << 25;

/** A chunk that does not decode. */
export interface DamagedChunk {
  /** Its number, from 0. Records of files that are kept as they are are numbered behind the chunks. */
  readonly chunk: number;
  readonly firstItem: number;
  readonly items: number;
  readonly reason: string;
}

/** A file that comes out of an archive, or a part of it. */
export interface OutPart {
  readonly name: string;
  /** Where it begins in the file. */
  readonly offset: number;
  /** Its bytes, where they are known before it is decoded. */
  readonly bytes?: number | undefined;
  /** Whether the file ends with it. */
  readonly last: boolean;
  /** Another file of the archive that is the very same. */
  readonly sameAs?: string | undefined;
  /** Whether it is a folder that holds nothing. */
  readonly folder?: boolean | undefined;
  /** Whether it is what the archive is for, and no other file that was put beside that. */
  readonly item?: boolean | undefined;
  /**
   * Whether it begins where the part before it ended, wherever that is: how long the parts are is known when they are
   * made. `offset` tells their order only.
   */
  readonly joined?: boolean | undefined;
  /** What its bytes mean, where the kind alone does not tell: what a digest of what went in is compared by. */
  readonly meaning?: ((bytes: Uint8Array) => Promise<Uint8Array>) | undefined;
}

/** What a record decodes to: the bytes of its parts, and how many bytes of data that is. */
export interface Output {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  /** What whoever joins parts must know of them. */
  readonly sum?: unknown;
}

/** Completes what a record decodes to by what the records before it were; called in order. */
export type Joiner = (record: number, output: Output) => Promise<Output>;

/** What becomes of a gap where a part of a file is missing: it is filled, it is an error, or parts are looked at one by one. */
export type Gaps = 'fill' | 'refuse' | 'leave';

/** What an archive will give out, told from its names. */
export interface Outline {
  /** The parts of each record; of a record whose names cannot be read, none. */
  readonly records: readonly (readonly OutPart[])[];
  readonly unreadable: readonly DamagedChunk[];
}

/** An item of a record that goes into another archive. */
export interface KeptItem {
  /** Its number within the record, from 0. */
  readonly index: number;
  /** What it is called there. */
  readonly name: string;
  /** The file there that it is the same as. */
  readonly sameAs?: string | undefined;
}

export interface ArchiveFile {
  readonly name: string;
  readonly byteLength: number;
}

export interface ArchiveParts<H extends Header> {
  readonly source: ByteSource;
  readonly layout: ArchiveLayout<H>;
  /** Closed with the archive. */
  readonly owned?: { close(): Promise<void> } | undefined;
  /** Whether it names a model and was opened without: what that coded cannot be decoded. */
  readonly withoutModel?: boolean;
}

/** `Decoded` is what a chunk of items decodes to. */
export abstract class ArchiveBase<H extends Header, Decoded> implements AsyncDisposable {
  readonly header: H;
  /** False when the archive lost its end or was never finished; its whole chunks can be read. */
  readonly complete: boolean;
  readonly byteLength: number;
  /** @internal Its bytes as they lie there, those of a compact form. */
  readonly storedBytes: number;
  protected readonly lifetime: Lifetime;
  protected readonly layout: ArchiveLayout<H>;
  readonly #source: ByteSource;
  readonly #owned: { close(): Promise<void> } | undefined;
  readonly #firstItems: number[] = [];
  readonly #items: number;
  readonly #withoutModel: boolean;
  #cache: { chunk: number; decoded: Promise<Decoded> } | undefined;

  protected constructor(what: string, { source, layout, owned, withoutModel = false }: ArchiveParts<H>) {
    this.lifetime = new Lifetime(what);
    this.layout = layout;
    this.header = layout.header;
    this.complete = layout.complete;
    this.byteLength = source.length;
    this.storedBytes = source.stored ?? source.length;
    this.#source = source;
    this.#owned = owned;
    this.#withoutModel = withoutModel;
    let total = 0;
    for (const { items } of layout.chunks) {
      this.#firstItems.push(total);
      total += items;
    }
    this.#items = total;
  }

  /** @internal Records that are decoded at once at the most. */
  readonly mostAtOnce: number = Number.POSITIVE_INFINITY;
  /** What messages call an item. */
  protected abstract readonly unit: string;
  /** The items of a record. @throws VaeError ERR_VAE_FORMAT when it is damaged. */
  protected abstract decode(record: RecordHeader, payload: Uint8Array, signal?: AbortSignal): Promise<Decoded>;
  /** The files that a chunk of items becomes, told from its names. */
  protected abstract outlineOf(chunk: number, names: Buffer): OutPart[];
  /** The bytes of those files. */
  protected abstract outputOf(chunk: number, decoded: Decoded, signal?: AbortSignal): Promise<Output>;
  /** The other way round: what the checksum of a chunk covers, from the bytes of its files; undefined where they do not tell. */
  protected abstract checkedOf(chunk: number, parts: readonly Uint8Array[]): Promise<readonly Uint8Array[] | undefined>;
  /** @internal Whether every item has a name, and is a file or a part of one; otherwise all are one file. */
  get itemsAreNamed(): boolean {
    return true;
  }

  /**
   * Some items of a chunk, in their order, as a record of another archive. Where all are kept, they are not coded again.
   *
   * @throws VaeError ERR_VAE_OPTION where chunks of this kind are whole.
   */
  protected async cut(chunk: number, _kept: readonly KeptItem[], _signal?: AbortSignal): Promise<EncodedRecord> {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${this.#named(chunk)} is one piece: an archive of ${this.header.kind} is taken apart between chunks only.`,
    );
  }

  /** @internal For one unpacking. */
  joiner(_gaps: Gaps): Joiner {
    return async (_, output) => output;
  }

  /** @internal What comes out in place of a record that is damaged, where some of it can be had and files would be of no use without. */
  async substitute(_record: number, _signal?: AbortSignal): Promise<Output | undefined> {
    return undefined;
  }

  /** @internal Whether a file that is there holds what these records, all of its joined parts, would make. */
  async matchesFile(_records: readonly number[], _path: string | Buffer): Promise<boolean> {
    return false;
  }

  /** How records of files are coded where Brotli did worse. */
  protected filesMethod(): FilesMethod | undefined {
    return undefined;
  }

  /** @internal Memory that the largest record takes while it is decoded and written. */
  async recordMemory(_signal?: AbortSignal): Promise<number> {
    const { chunks, files, itemSize } = this.layout;
    const items = chunks.reduce((most, { items: own }) => Math.max(most, own), 0);
    return Math.max(MEMORY_PER_BYTE * items * itemSize, FILES_MEMORY * Number(files.length > 0), 1);
  }

  get chunkCount(): number {
    return this.layout.chunks.length;
  }

  /** @internal Chunks of items, and then records of files. */
  get recordCount(): number {
    return this.layout.chunks.length + this.layout.files.length;
  }

  /** @internal Where a record begins. */
  offsetOf(record: number): number {
    return this.#entry(record).offset;
  }

  /** @internal How a record is coded, and the bytes it takes. @throws VaeError ERR_VAE_FORMAT when it is damaged. */
  codingOf(record: number): Promise<{ readonly method: Method; readonly bytes: number }> {
    return this.lifetime.run(async () => {
      const { record: header } = await readNames(this.#source, this.layout.itemSize, this.#entry(record));
      return { method: header.method, bytes: RECORD_BYTES + header.payloadBytes };
    });
  }

  /** @internal What a record's checksum should be, as its header has it. */
  checksumOf(record: number): Promise<Uint8Array> {
    return this.lifetime.run(
      async () => (await readNames(this.#source, this.layout.itemSize, this.#entry(record))).record.checksum,
    );
  }

  /** First item and number of items of a chunk. */
  chunk(index: number): { readonly firstItem: number; readonly items: number } {
    const entry = this.layout.chunks[index];
    if (entry === undefined) {
      throw new VaeError('ERR_VAE_OPTION', `There are ${this.chunkCount} chunks, from 0; received ${index}.`);
    }
    return { firstItem: this.#firstItems[index]!, items: entry.items };
  }

  /** Files that are kept as they are, beside the items. */
  async files(): Promise<ArchiveFile[]> {
    const { records } = await this.outline();
    const parts = records
      .slice(this.chunkCount)
      .flat()
      .filter(({ folder }) => !folder);
    const sizes = new Map<string, number>();
    for (const { name, offset, bytes = 0 } of parts) sizes.set(name, Math.max(sizes.get(name) ?? 0, offset + bytes));
    for (const { name, sameAs } of parts) if (sameAs !== undefined) sizes.set(name, sizes.get(sameAs) ?? 0);
    return Array.from(sizes, ([name, byteLength]) => ({ name, byteLength }));
  }

  /** Decodes every chunk and compares checksums; the list of those that fail. */
  async verify(signal?: AbortSignal): Promise<DamagedChunk[]> {
    return (await this.test(signal)).damaged;
  }

  /** @internal Likewise; and how many could not be decoded for want of the model. */
  async test(signal?: AbortSignal): Promise<{ readonly damaged: DamagedChunk[]; readonly untested: number }> {
    const found: DamagedChunk[] = [];
    let untested = 0;
    for (let record = 0; record < this.recordCount; record += 1) {
      signal?.throwIfAborted();
      try {
        await this.check(record, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (this.#withoutModel && error instanceof VaeError && error.code === 'ERR_VAE_REPRODUCIBILITY') untested += 1;
        else found.push(this.damageOf(record, error));
      }
    }
    return { damaged: found, untested };
  }

  /** @internal What comes out, file by file. */
  outline(): Promise<Outline> {
    return this.lifetime.run(async () => {
      const unreadable: DamagedChunk[] = [];
      const records: OutPart[][] = [];
      for (let record = 0; record < this.recordCount; record += 1) {
        try {
          records.push(await this.#outlineOf(record));
        } catch (error) {
          records.push([]);
          unreadable.push(this.damageOf(record, error));
        }
      }
      return { records, unreadable };
    });
  }

  /** @internal The bytes of the parts of a record. */
  output(record: number, signal?: AbortSignal): Promise<Output> {
    return this.lifetime.run(async () => {
      if (record < this.chunkCount) return this.outputOf(record, await this.load(record, signal), signal);
      return this.#naming(record, async () => {
        const { record: header, payload } = await this.#read(record);
        const { parts, bytes } = await decodeFiles(header, payload, this.filesMethod(), signal);
        return { parts: cutFiles(parts, bytes), bytes: bytes.length };
      });
    });
  }

  /** @internal The bytes of the model within it. @throws VaeError ERR_VAE_FORMAT where they are damaged, or there is none. */
  embeddedModel(): Promise<Uint8Array> {
    return this.lifetime.run(() => readModel(this.#source, this.layout.modelOffset ?? 0));
  }

  /** @internal Items of a record. */
  itemsOf(record: number): number {
    return this.#entry(record).items;
  }

  /** @internal A record as it stands in the file. */
  recordOf(record: number): Promise<EncodedRecord> {
    return this.lifetime.run(async () => {
      const { record: header, payload } = await this.stored(record);
      return { header, bytes: Buffer.concat([encodeRecord(header), payload]) };
    });
  }

  /** @internal Some items of a record, under the names that are given, as a record of another archive. */
  editedOf(record: number, kept: readonly KeptItem[], signal?: AbortSignal): Promise<EncodedRecord> {
    return this.lifetime.run(() =>
      this.#naming(record, async () => {
        if (record < this.chunkCount) return this.cut(record, kept, signal);
        const { record: header, payload } = await this.#read(record);
        return editFiles(header, payload, kept, this.filesMethod(), signal);
      }),
    );
  }

  /** @internal Decodes a record and compares its checksum. @throws VaeError ERR_VAE_FORMAT when it is damaged. */
  async check(record: number, signal?: AbortSignal): Promise<void> {
    if (record < this.chunkCount) await this.lifetime.run(() => this.load(record, signal));
    else await this.output(record, signal);
  }

  /** @internal Whether these are the bytes of the parts of a record, by its checksum and without decoding it. */
  matches(record: number, parts: readonly Uint8Array[]): Promise<boolean> {
    return this.lifetime.run(async () => {
      try {
        const checked = record < this.chunkCount ? await this.checkedOf(record, parts) : parts;
        if (checked === undefined) return false;
        const { record: header, names } = await readNames(this.#source, this.layout.itemSize, this.#entry(record));
        return hasChecksum(header.checksum, ...checked, names);
      } catch (error) {
        // A damaged chunk is reported when it is decoded.
        if (error instanceof VaeError && error.code === 'ERR_VAE_FORMAT') return false;
        throw error;
      }
    });
  }

  /** @internal What is said of a record that does not decode. @throws the error itself when it says anything else. */
  damageOf(record: number, error: unknown): DamagedChunk {
    if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
    const isItems = record < this.chunkCount;
    const { items } = this.#entry(record);
    const firstItem = isItems ? this.#firstItems[record]! : this.#items;
    const reason = error.message.startsWith('Chunk ') ? error.message : `${this.#named(record)}: ${error.message}`;
    return { chunk: record, firstItem, items: isItems ? items : 0, reason };
  }

  close(): Promise<void> {
    return this.lifetime.close(async () => {
      await this.#source.close();
      await this.#owned?.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Number of items. */
  protected get itemCount(): number {
    return this.#items;
  }

  /** What a chunk decodes to. The last one is kept: do not change it. */
  protected load(chunk: number, signal?: AbortSignal): Promise<Decoded> {
    this.chunk(chunk);
    if (this.#cache?.chunk === chunk) return this.#cache.decoded;
    const decoded = this.#naming(chunk, async () => {
      const { record, payload } = await this.#read(chunk);
      return this.decode(record, payload, signal);
    });
    decoded.catch(() => {
      if (this.#cache?.chunk === chunk) this.#cache = undefined;
    });
    this.#cache = { chunk, decoded };
    return decoded;
  }

  /** The chunk that an item is of. */
  protected chunkOf(item: number): number {
    let low = 0;
    let high = this.#firstItems.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#firstItems[middle]! <= item) low = middle;
      else high = middle;
    }
    return low;
  }

  /** A chunk as it is stored. */
  protected stored(chunk: number): Promise<{ record: RecordHeader; payload: Uint8Array }> {
    return readRecord(this.#source, this.layout.itemSize, this.#entry(chunk));
  }

  async #read(record: number): Promise<{ record: RecordHeader; payload: Uint8Array }> {
    const found = await readRecord(this.#source, this.layout.itemSize, this.#entry(record));
    if (!this.#withoutModel || found.record.method !== 'coded') return found;
    throw new VaeError('ERR_VAE_REPRODUCIBILITY', `The archive needs the model ${this.header.model} to decode this.`);
  }

  #entry(record: number): IndexEntry {
    return this.layout.chunks[record] ?? this.layout.files[record - this.chunkCount]!;
  }

  async #outlineOf(record: number): Promise<OutPart[]> {
    const { names } = await readNames(this.#source, this.layout.itemSize, this.#entry(record));
    if (record < this.chunkCount) return this.outlineOf(record, names).map((part) => ({ ...part, item: true }));
    return decodeEntries(names, this.#entry(record).items).map(
      ({ name, offset, bytes, total, sameAs, folder, note }) => ({
        ...{ name, offset, bytes, sameAs, item: note !== undefined, ...(folder && { folder }) },
        last: sameAs !== undefined || offset + bytes === total,
      }),
    );
  }

  async #naming<T>(record: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
      throw new VaeError('ERR_VAE_FORMAT', `${this.#named(record)}: ${error.message}`, { cause: error });
    }
  }

  #named(record: number): string {
    if (record >= this.chunkCount) return `Chunk ${record} (files kept as they are)`;
    const { firstItem, items } = this.chunk(record);
    return `Chunk ${record} (${this.unit}s ${firstItem} to ${firstItem + items - 1})`;
  }
}

/** @throws VaeError ERR_VAE_FORMAT naming the chunks, unless they are to be passed over. */
export function refuseDamage(found: DamagedChunk[], { salvage }: { readonly salvage: boolean }): void {
  found.sort((a, b) => a.chunk - b.chunk);
  if (found.length === 0 || salvage) return;
  const list = found
    .slice(0, 20)
    .map(({ chunk, firstItem, items }) =>
      items === 0 ? `${chunk} (files)` : `${chunk} (items ${firstItem} to ${firstItem + items - 1})`,
    )
    .join(', ');
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${found.length} chunks of the archive are damaged: ${list}${found.length > 20 ? ', …' : ''}. ` +
      'The others decode; use salvage (--salvage) to unpack those.',
    { cause: found[0]?.reason },
  );
}

/** @throws VaeError ERR_VAE_FORMAT unless an archive is all there, or that is known. */
export function refuseIncomplete(
  { complete, next }: ArchiveLayout,
  found: number,
  { salvage }: { readonly salvage: boolean },
): void {
  if (salvage) return;
  if (next !== undefined) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `Two archives stand one behind the other in this file, the second from byte ${next} on. Take them apart ` +
        `(head -c ${next} and tail -c +${next + 1}), or use salvage (--salvage) to unpack both.`,
    );
  }
  if (complete) return;
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `The archive has no end: it was cut off or never finished. ${found} whole chunks were found; ` +
      'use salvage (--salvage) to unpack those.',
  );
}
