/** An archive of texts, one in each chunk. */
import { ArchiveBase, type ArchiveParts, type OutPart, type Output } from '../../../src/archive/archive.js';
import type { ByteSource } from '../../../src/archive/bytes.js';
import { checkDecoded, decodeNames, splitPayload } from '../../../src/archive/chunk.js';
import { damaged, type Header, type RecordHeader } from '../../../src/archive/format.js';
import type { ArchiveLayout } from '../../../src/archive/reader.js';
import { codecForArchive } from '../../../src/codecs/models/for-archive.js';
import { ALPHABETS, type Alphabet } from './alphabet.js';

export class TextArchive extends ArchiveBase<Header, Uint8Array> {
  protected readonly unit = 'text';
  /** Undefined where only names are wanted. */
  readonly #model: Alphabet | undefined;

  private constructor(parts: ArchiveParts<Header>, model: Alphabet | undefined) {
    super('TextArchive', parts);
    this.#model = model;
  }

  static async open(
    source: ByteSource,
    layout: ArchiveLayout,
    options: { readonly model?: unknown },
  ): Promise<TextArchive> {
    const found = await codecForArchive(ALPHABETS, source, layout, options.model, { where: 'openTexts()' });
    if (layout.header.model === undefined) throw damaged('its texts have no model');
    const parts = { source, layout, owned: found?.owned ? found.codec : undefined, withoutModel: found === undefined };
    return new TextArchive(parts, found?.codec);
  }

  protected async decode(record: RecordHeader, payload: Uint8Array): Promise<Uint8Array> {
    const { names, data } = await splitPayload(record, payload);
    const text = this.#model!.decode(data);
    checkDecoded(record, text, names);
    return text;
  }

  protected outlineOf(_chunk: number, names: Buffer): OutPart[] {
    return decodeNames(names, 1)!.map((name) => ({ name, offset: 0, last: true }));
  }

  protected async outputOf(_chunk: number, text: Uint8Array): Promise<Output> {
    return { parts: [text], bytes: text.length };
  }

  protected async checkedOf(_chunk: number, parts: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return parts;
  }
}
