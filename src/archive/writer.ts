/** Writes an archive record by record. */

import { VaeError } from '../core/errors.js';
import { brotli, checksumOf, type EncodedRecord } from './chunk.js';
import {
  type AnyHeader,
  encodeFooter,
  encodeHeader,
  encodeIndex,
  encodeRecord,
  type IndexEntry,
  MAX_CHUNKS,
  recordCrc,
} from './format.js';

/** Takes the bytes in order. */
export type ByteSink = (bytes: Uint8Array) => Promise<void>;

export class ArchiveWriter {
  readonly #sink: ByteSink;
  readonly #entries: IndexEntry[];
  #offset: number;

  /** Goes on after `offset` bytes that hold the chunks of `entries`. */
  constructor(sink: ByteSink, offset = 0, entries: readonly IndexEntry[] = []) {
    this.#sink = sink;
    this.#offset = offset;
    this.#entries = [...entries];
  }

  get byteLength(): number {
    return this.#offset;
  }

  get items(): number {
    return this.#entries.reduce((total, { items }) => total + items, 0);
  }

  get chunks(): number {
    return this.#entries.length;
  }

  async header(header: AnyHeader): Promise<void> {
    await this.#write(encodeHeader(header));
  }

  /** Embeds the model; comes right after the header. */
  async model(codec: { readonly file: Uint8Array }): Promise<void> {
    const payload = await brotli(codec.file);
    const header = encodeRecord({
      ...{ kind: 'model', method: 'brotli', items: 0, namesBytes: 0, namesDecoded: 0 },
      payloadBytes: payload.length,
      checksum: checksumOf(codec.file),
    });
    await this.#write(Buffer.concat([header, payload]));
  }

  async chunk({ header, bytes }: EncodedRecord): Promise<void> {
    if (this.#entries.length >= MAX_CHUNKS) {
      throw new VaeError('ERR_VAE_DATA', `An archive holds at most ${MAX_CHUNKS} chunks; use larger ones.`);
    }
    const entry = { offset: this.#offset, items: header.items, recordCrc: recordCrc(bytes) };
    await this.#write(bytes);
    this.#entries.push(entry);
  }

  /** Index and footer. */
  async end(): Promise<void> {
    const payload = encodeIndex(this.#entries);
    const header = encodeRecord({
      ...{ kind: 'index', method: 'stored', items: 0, namesBytes: 0, namesDecoded: 0 },
      payloadBytes: payload.length,
      checksum: checksumOf(payload),
    });
    const footer = encodeFooter({ indexOffset: this.#offset, totalItems: this.items, chunks: this.#entries.length });
    await this.#write(Buffer.concat([header, payload, footer]));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#sink(bytes);
    this.#offset += bytes.length;
  }
}
