/** Writes an archive record by record. */

import { VaeError } from '../core/errors.js';
import { brotli, checksumOf, type EncodedRecord } from './chunk.js';
import {
  encodeFooter,
  encodeHeader,
  encodeIndex,
  encodeRecord,
  type Header,
  type IndexEntry,
  MAX_CHUNKS,
  recordCrc,
} from './format.js';

/** Takes the bytes in order. */
export type ByteSink = (bytes: Uint8Array) => Promise<void>;

export class ArchiveWriter {
  readonly #sink: ByteSink;
  #entries: IndexEntry[];
  #offset: number;
  #header: Header | undefined;

  /** Goes on after `offset` bytes that hold the header and the chunks of `entries`. */
  constructor(sink: ByteSink, offset = 0, entries: readonly IndexEntry[] = [], header?: Header) {
    this.#sink = sink;
    this.#offset = offset;
    this.#entries = entries.filter(({ kind }) => kind !== 'header');
    this.#header = header;
  }

  get byteLength(): number {
    return this.#offset;
  }

  /** Items of chunks; files that are kept as they are do not count. */
  get items(): number {
    return this.#entries.reduce((total, { items, kind }) => (kind === 'chunk' ? total + items : total), 0);
  }

  get chunks(): number {
    return this.#entries.filter(({ kind }) => kind === 'chunk').length;
  }

  get entries(): readonly IndexEntry[] {
    return this.#entries;
  }

  async header(header: Header): Promise<void> {
    this.#header = header;
    await this.#write(encodeHeader(header));
  }

  /** Embeds the model; comes right after the header. */
  async model(codec: { readonly file: Uint8Array }): Promise<void> {
    const payload = await brotli(codec.file);
    await this.#write(Buffer.concat([plainRecord('model', 'brotli', payload, codec.file), payload]));
  }

  async chunk({ header, bytes }: EncodedRecord): Promise<void> {
    if (this.#entries.length >= MAX_CHUNKS - 1) {
      throw new VaeError('ERR_VAE_DATA', `An archive holds at most ${MAX_CHUNKS} chunks; use larger ones.`);
    }
    const kind = header.kind === 'files' ? 'files' : 'chunk';
    const entry = { offset: this.#offset, items: header.items, recordCrc: recordCrc(bytes), kind } as const;
    await this.#write(bytes);
    this.#entries.push(entry);
  }

  /** Takes over a record that stands where the next one would be written, up to `end`. */
  adopt(entry: IndexEntry, end: number): void {
    this.#entries.push(entry);
    this.#offset = end;
  }

  /** Leaves records out of the index: nothing finds them any more. */
  forget(drop: (entry: IndexEntry) => boolean): void {
    this.#entries = this.#entries.filter((entry) => !drop(entry));
  }

  /** The header a second time, index and footer. */
  async end(): Promise<void> {
    const index = [...this.#entries];
    if (this.#header !== undefined) {
      const header = encodeHeader(this.#header);
      const payload = await brotli(header, 11);
      const record = plainRecord('header', 'brotli', payload, header);
      index.push({ offset: this.#offset, items: 0, recordCrc: recordCrc(record), kind: 'header' });
      await this.#write(Buffer.concat([record, payload]));
    }
    const payload = encodeIndex(index);
    const footer = encodeFooter({ indexOffset: this.#offset, totalItems: this.items, chunks: index.length });
    await this.#write(Buffer.concat([plainRecord('index', 'stored', payload, payload), payload, footer]));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#sink(bytes);
    this.#offset += bytes.length;
  }
}

/** The header of a record without items. */
function plainRecord(
  kind: 'model' | 'index' | 'header',
  method: 'stored' | 'brotli',
  payload: Uint8Array,
  content: Uint8Array,
): Buffer {
  return encodeRecord({
    ...{ kind, method, items: 0, namesBytes: 0, namesDecoded: 0 },
    payloadBytes: payload.length,
    checksum: checksumOf(content),
  });
}
