import { open } from 'node:fs/promises';
import { z } from 'zod';
import {
  ArchiveBase,
  type ArchiveParts,
  type DamagedChunk,
  type Gaps,
  type Joiner,
  type KeptItem,
  type OutPart,
  type Output,
} from '../../archive/archive.js';
import type { ByteSource } from '../../archive/bytes.js';
import { type EncodedRecord, hasChecksum } from '../../archive/chunk.js';
import { damaged, type RecordHeader } from '../../archive/format.js';
import type { ArchiveLayout } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { readFully } from '../../core/ranges.js';
import { PALETTE, rowBytesOf, samplesOf } from '../../data/image/png/layout.js';
import { PngRows } from '../../data/image/png/read-rows.js';
import type { Area } from '../../data/image/png/samples.js';
import { readPart } from '../../data/image/png/write-rows.js';
import { codecForArchive } from '../models/for-archive.js';
import type { PhotographHeader } from './header.js';
import { type BandOutput, bandJoiner, bandOutput, isLast } from './join.js';
import { PHOTO_CODECS } from './models.js';
import type { PhotoCodec } from './photo-codec.js';
import { decodeArea, decodePiece, pieceBytes } from './piece.js';
import {
  assembleRecord,
  bandLayout,
  checkedOf,
  checkRecord,
  decodeEntries,
  type Entry,
  type EntryContent,
  encodeEntries,
  openRecord,
} from './record.js';

/** What decoding a record holds for each byte of its pictures. */
const MEMORY_PER_RECORD_BYTE = 6;

/** What read() gives at once: arrays cannot be much longer. */
const MOST_READ_BYTES = 2 ** 31;

const openSchema = z.strictObject({
  /** The model the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<PhotoCodec | string>().optional(),
});

interface OpenPhotographsOptions extends InputOf<typeof openSchema> {}

const areaSchema = z.strictObject({
  left: z.int().min(0).default(0),
  top: z.int().min(0).default(0),
  width: z.int().min(1).optional(),
  height: z.int().min(1).optional(),
});

const readSchema = z.strictObject({
  /** The part that is wanted, in pixels from the left and the top. Default: all of it. */
  region: areaSchema.optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

export interface ReadPhotographOptions extends InputOf<typeof readSchema> {}

/** A picture of an archive, told from its names. */
export interface ArchivedPhotograph {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Values of a pixel: 1 grey, 2 with alpha, 3 RGB, 4 with alpha; 1 for numbers of colours in a palette. */
  readonly channels: number;
  /** Bits of a value, 1 to 16. */
  readonly bits: number;
  /** Whether values are numbers of colours in the palette of its file. */
  readonly palette: boolean;
  /** What the file was: `PNG`, `TIFF`, … */
  readonly format: string;
}

/** Samples of a picture, or of a region of it. */
export interface Photograph extends ArchivedPhotograph {
  /** [height, width, channels], as stored in the file: bytes for up to 8 bits, else 16-bit numbers. */
  readonly data: Uint8Array | Uint16Array;
}

/** What a record decodes to. */
interface Decoded {
  readonly entries: readonly Entry[];
  readonly contents: readonly EntryContent[];
}

interface Place {
  readonly record: number;
  readonly part: number;
  readonly entry: Entry;
}

/** An open archive of photographs: any picture, or a region of one, without decoding the others. */
export class PhotographArchive extends ArchiveBase<PhotographHeader, Decoded> {
  protected readonly unit = 'picture';
  readonly #codec: PhotoCodec | undefined;
  readonly #entries = new Map<number, readonly Entry[]>();
  readonly #places = new Map<string, Place[]>();
  readonly #sameAs = new Map<string, string>();
  #pictures: readonly ArchivedPhotograph[] = [];
  #unreadable: readonly DamagedChunk[] = [];
  #largest = 0;

  private constructor(parts: ArchiveParts<PhotographHeader>, codec: PhotoCodec | undefined) {
    super('PhotographArchive', parts);
    this.#codec = codec;
  }

  /** @internal Inside use: see openArchive(). */
  static async open(
    source: ByteSource,
    layout: ArchiveLayout<PhotographHeader>,
    options: OpenPhotographsOptions = {},
  ): Promise<PhotographArchive> {
    const { model } = parseOptions(openSchema, options, 'openArchive()');
    const found = await codecForArchive(PHOTO_CODECS, source, layout, model, { where: 'openArchive()' });
    const { model: identity, coding } = layout.header;
    if (found !== undefined && coding !== found.codec.version) {
      if (found.owned) await found.codec.close();
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `Tiles of the archive are coded by version ${coding} of the coder, this node-vae has ${found.codec.version}: use the one it was made with, or a newer one.`,
      );
    }
    const withoutModel = found === undefined && identity !== undefined;
    const owned = found?.owned ? found.codec : undefined;
    const archive = new PhotographArchive({ source, layout, owned, withoutModel }, found?.codec);
    await archive.#list();
    return archive;
  }

  /** Pictures, by their names in the folder that went in, as PNG files. Those that are kept as files are in files(). */
  get pictures(): readonly ArchivedPhotograph[] {
    return this.#pictures;
  }

  /** Chunks whose names cannot be read: nothing is known of what they hold. */
  get unreadable(): readonly DamagedChunk[] {
    return this.#unreadable;
  }

  /**
   * A picture, or a region of it: of the archive, only what that lies in is decoded.
   *
   * @throws VaeError ERR_VAE_OPTION for a name that is not there and a region outside of the picture, ERR_VAE_DATA for
   *   more than 2 GiB, ERR_VAE_FORMAT naming what is damaged.
   */
  async read(name: string, options: ReadPhotographOptions = {}): Promise<Photograph> {
    const { region, signal } = parseOptions(readSchema, options, 'PhotographArchive.read()');
    return this.lifetime.run(async () => {
      const places = this.#placesOf(name, 'read');
      const { layout } = places[0]!.entry;
      const { left = 0, top = 0 } = region ?? {};
      const { width = layout.width - left, height = layout.height - top } = region ?? {};
      if (width < 1 || height < 1 || left + width > layout.width || top + height > layout.height) {
        throw new VaeError(
          'ERR_VAE_OPTION',
          `PhotographArchive.read(): "${name}" has ${layout.width}×${layout.height} pixels; there is no region of ${width}×${height} at ${left}, ${top}.`,
        );
      }
      // Nothing is made room for that the archive does not hold.
      for (let next = top; next < top + height; ) {
        const place = places.find(({ entry }) => entry.top <= next && next < entry.top + entry.height);
        if (place === undefined) throw damaged(`rows of "${name}" from ${next} on are missing`);
        next = place.entry.top + place.entry.height;
      }
      const perRow = width * samplesOf(layout);
      if (perRow * height * (layout.depth > 8 ? 2 : 1) > MOST_READ_BYTES) {
        throw new VaeError(
          'ERR_VAE_DATA',
          `PhotographArchive.read(): ${width}×${height} pixels of "${name}" take more than ${MOST_READ_BYTES} bytes: read them region by region (region), or unpack the file with decompress().`,
        );
      }
      const data = layout.depth > 8 ? new Uint16Array(perRow * height) : new Uint8Array(perRow * height);
      let next = top;
      for (const { record, part, entry } of places) {
        signal?.throwIfAborted();
        const [first, last] = [Math.max(top, entry.top), Math.min(top + height, entry.top + entry.height)];
        if (last <= first) continue;
        if (first > next) break;
        const area = { left, top: first - entry.top, width, height: last - first };
        data.set((await this.#area(record, part, area, signal)) as Uint8Array, (first - top) * perRow);
        next = last;
      }
      if (next < top + height) throw damaged(`rows of "${name}" from ${next} on are missing`);
      return { ...pictureOf(name, places[0]!.entry), width, height, data };
    });
  }

  /**
   * The PNG file of a picture, or the bytes of another file of the archive.
   *
   * @throws VaeError ERR_VAE_OPTION for a name that is not there, ERR_VAE_FORMAT naming what is damaged.
   */
  async readFile(name: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.lifetime.run(async () => {
      const { records } = await this.outline();
      const wanted = this.#sameAs.get(name) ?? name;
      const join = this.joiner('refuse');
      const pieces: Uint8Array[] = [];
      let whole = false;
      for (const [record, parts] of records.entries()) {
        const index = parts.findIndex((part) => part.name === wanted);
        if (index < 0) continue;
        signal?.throwIfAborted();
        pieces.push((await join(record, await this.output(record, signal))).parts[index]!);
        whole = parts[index]!.last;
      }
      if (pieces.length === 0) throw this.#unknown(name, 'readFile');
      if (!whole) throw damaged(`the end of "${name}" is missing`);
      return new Uint8Array(Buffer.concat(pieces));
    });
  }

  /** @internal */
  override async recordMemory(signal?: AbortSignal): Promise<number> {
    return Math.max(await super.recordMemory(signal), MEMORY_PER_RECORD_BYTE * this.#largest);
  }

  /** @internal */
  override joiner(gaps: Gaps): Joiner {
    return bandJoiner(gaps);
  }

  /** @internal Tiles that are whole, and zeros in place of the others. */
  override async substitute(record: number, signal?: AbortSignal): Promise<Output | undefined> {
    if (record >= this.chunkCount) return undefined;
    try {
      const { record: header, payload } = await this.stored(record);
      const opened = await openRecord(header, payload);
      const contents = await Promise.all(
        opened.pictures.map(async ({ entry, data, before, after }) => {
          const context = { codec: this.#codec, signal, onDamage: () => {} };
          const rows = await decodePiece(data, bandLayout(entry), context).catch((error: unknown) => {
            this.damageOf(record, error);
            return new Uint8Array(pieceBytes(bandLayout(entry)));
          });
          return { rows, before, after };
        }),
      );
      return await outputOf({ entries: opened.entries, contents }, signal);
    } catch (error) {
      this.damageOf(record, error);
      return undefined;
    }
  }

  /** @internal Reads a PNG file band by band and compares checksums. */
  override async matchesFile(records: readonly number[], path: string | Buffer): Promise<boolean> {
    const handle = await open(path, 'r').catch(() => undefined);
    if (handle === undefined) return false;
    let rows: PngRows | undefined;
    try {
      const { size } = await handle.stat();
      const source = {
        size,
        read: async (offset: number, length: number) => (await readFully(handle, offset, length)) ?? new Uint8Array(),
      };
      rows = await PngRows.open(source);
      for (const record of records) {
        const [entry, ...more] = this.#entries.get(record) ?? [];
        if (entry === undefined || more.length > 0 || entry.top !== rows.row) return false;
        if (!(['width', 'height', 'type', 'depth'] as const).every((key) => rows!.layout[key] === entry.layout[key]))
          return false;
        const read = await rows.read(entry.height);
        const before = entry.top === 0 ? rows.before : new Uint8Array();
        const after = isLast(entry) ? await rows.end() : new Uint8Array();
        if (before.length !== entry.before || after.length !== entry.after) return false;
        const names = encodeEntries([entry]);
        if (!hasChecksum(await this.checksumOf(record), ...checkedOf([{ rows: read, before, after }]), names))
          return false;
      }
      return true;
    } catch {
      return false; // no PNG file, or another one
    } finally {
      rows?.close();
      await handle.close();
    }
  }

  protected async decode(header: RecordHeader, payload: Uint8Array, signal?: AbortSignal): Promise<Decoded> {
    const opened = await openRecord(header, payload);
    const contents = await Promise.all(
      opened.pictures.map(async ({ entry, data, before, after }) => ({
        rows: await decodePiece(data, bandLayout(entry), { codec: this.#codec, signal }),
        before,
        after,
      })),
    );
    checkRecord(header, opened, contents);
    return { entries: opened.entries, contents };
  }

  protected outlineOf(chunk: number, names: Buffer): OutPart[] {
    const entries = decodeEntries(names, this.chunk(chunk).items);
    this.#entries.set(chunk, entries);
    return entries.map((entry) => {
      const whole = entry.height === entry.layout.height;
      return {
        ...{ name: entry.name, offset: entry.top, last: isLast(entry), ...(!whole && { joined: true }) },
        meaning: (bytes) => meaningOf(bytes, entry),
      };
    });
  }

  protected outputOf(_chunk: number, decoded: Decoded, signal?: AbortSignal): Promise<Output> {
    return outputOf(decoded, signal);
  }

  /** Of files that are each the whole of a picture; what is in several records is compared by matchesFile(). */
  protected async checkedOf(chunk: number, parts: readonly Uint8Array[]): Promise<readonly Uint8Array[] | undefined> {
    const entries = this.#entries.get(chunk);
    if (entries === undefined || entries.length !== parts.length) return undefined;
    const contents: EntryContent[] = [];
    for (const [index, entry] of entries.entries()) {
      const content = await wholePicture(parts[index]!, entry);
      if (content === undefined) return undefined;
      contents.push(content);
    }
    return checkedOf(contents);
  }

  /** Pictures are coded by themselves: those that stay are not coded again. */
  protected override async cut(chunk: number, kept: readonly KeptItem[], signal?: AbortSignal): Promise<EncodedRecord> {
    const { record, payload } = await this.stored(chunk);
    const { pictures } = await openRecord(record, payload);
    const { contents } = await this.load(chunk, signal);
    return assembleRecord(
      kept.map(({ index, name }) => {
        const { entry, data } = pictures[index]!;
        return { ...contents[index]!, entry: { ...entry, name }, piece: data };
      }),
    );
  }

  async #area(record: number, part: number, area: Area, signal: AbortSignal | undefined) {
    const { record: header, payload } = await this.stored(record);
    const { pictures } = await openRecord(header, payload);
    const { entry, data, check } = pictures[part]!;
    const layout = bandLayout(entry);
    return decodeArea({ data, check }, layout, area, { codec: this.#codec, signal });
  }

  #placesOf(name: string, verb: string): Place[] {
    const places = this.#places.get(this.#sameAs.get(name) ?? name);
    if (places === undefined) throw this.#unknown(name, verb);
    return places;
  }

  #unknown(name: string, verb: string): VaeError {
    const known = this.#pictures.slice(0, 20).map((each) => each.name);
    return new VaeError(
      'ERR_VAE_OPTION',
      `PhotographArchive.${verb}(): there is no "${name}" in the archive; it holds ${known.join(', ')}${this.#pictures.length > 20 ? ', …' : ''}.`,
    );
  }

  /** Which records hold which pictures. */
  async #list(): Promise<void> {
    const { records, unreadable } = await this.outline();
    this.#unreadable = unreadable;
    for (const [record, parts] of records.entries()) {
      if (record >= this.chunkCount) {
        for (const { name, sameAs } of parts) if (sameAs !== undefined) this.#sameAs.set(name, sameAs);
        continue;
      }
      let size = 0;
      for (const [part, entry] of (this.#entries.get(record) ?? []).entries()) {
        const places = this.#places.get(entry.name) ?? [];
        places.push({ record, part, entry });
        this.#places.set(entry.name, places);
        size += pieceBytes(bandLayout(entry)) + entry.before + entry.after;
      }
      this.#largest = Math.max(this.#largest, size);
    }
    const own = Array.from(this.#places, ([name, places]) => pictureOf(name, places[0]!.entry));
    const same = Array.from(this.#sameAs, ([name, of]) => {
      const places = this.#places.get(of);
      return places === undefined ? undefined : pictureOf(name, places[0]!.entry);
    });
    this.#pictures = [...own, ...same.filter((each) => each !== undefined)];
  }
}

function pictureOf(name: string, { layout, format = 'PNG' }: Entry): ArchivedPhotograph {
  const { width, height, depth, type } = layout;
  return { ...{ name, width, height, format }, channels: samplesOf(layout), bits: depth, palette: type === PALETTE };
}

/** Whole pictures as PNG files; bands as their parts, to be joined. */
async function outputOf({ entries, contents }: Decoded, signal: AbortSignal | undefined): Promise<Output> {
  const parts: Uint8Array[] = [];
  const bands: (BandOutput | undefined)[] = [];
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    signal?.throwIfAborted();
    const made = await bandOutput(entry, contents[index]!);
    parts.push(made.bytes);
    bands.push(made.band);
    bytes += pieceBytes(bandLayout(entry));
  }
  return { parts, bytes, sum: bands };
}

/** What a part of a PNG file holds, to be compared with what went in: chunks before, rows, chunks after. */
async function meaningOf(bytes: Uint8Array, { layout, top, height }: Entry): Promise<Uint8Array> {
  const { before, rows, after } = await readPart(bytes, layout, top, height);
  return meant(layout, { before, rows, after });
}

export function meant({ width, height, type, depth }: Entry['layout'], content: EntryContent): Uint8Array {
  const { before, rows, after } = content;
  const head = `${width} ${height} ${type} ${depth} ${before.length} ${rows.length} `;
  return Buffer.concat([Buffer.from(head), before, rows, after]);
}

/** The rows of any PNG file, where it is of that very layout. */
async function wholePicture(bytes: Uint8Array, entry: Entry): Promise<EntryContent | undefined> {
  let rows: PngRows | undefined;
  try {
    rows = await PngRows.open({ size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) });
    const { layout } = rows;
    const same = (['width', 'height', 'type', 'depth'] as const).every((key) => layout[key] === entry.layout[key]);
    if (!same || rowBytesOf(layout) * layout.height > 2 ** 30) return undefined;
    const read = await rows.read(layout.height);
    const content = { rows: read, before: rows.before, after: await rows.end() };
    return content.before.length === entry.before && content.after.length === entry.after ? content : undefined;
  } catch {
    return undefined; // no PNG file, or another one
  } finally {
    rows?.close();
  }
}
