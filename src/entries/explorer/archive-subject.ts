/** An archive, looked at: its files by random access. */
import { basename } from 'node:path';
import { TextDecoder } from 'node:util';
import { type OpenedArchive, openAny } from '../../codecs/open.js';
import { VaeError } from '../../core/errors.js';
import { packageVersion } from '../../core/package-files.js';
import { WavFile } from '../../data/audio/wav.js';
import { decodePicture } from '../../data/image/decode.js';
import { PICTURE_FORMATS } from '../../data/image/formats.js';
import type { Frame } from './frames.js';
import { asked, unknownQuestion } from './questions.js';
import type { Question, Subject } from './subject.js';
import type { ArchiveChunk, ArchiveFileEntry, ArchiveState, Display } from './types.js';

/** Files that are listed. */
const MOST_LISTED = 20_000;
/** Bytes of a file that are shown. */
const MOST_SHOWN = 64 * 2 ** 20;
const MOST_TEXT = 4000;
const MOST_DECODE = 512 * 2 ** 20;
/** Samples of a sound that are shown: what goes over the socket stays small. */
const MOST_SAMPLES = 2 ** 20;

interface Place {
  readonly record: number;
  readonly part: number;
}

export class ArchiveSubject implements Subject {
  readonly #opened: OpenedArchive;
  readonly #state: ArchiveState;
  /** Where each listed file's bytes are. */
  readonly #places: readonly (readonly Place[])[];

  private constructor(opened: OpenedArchive, state: ArchiveState, places: readonly (readonly Place[])[]) {
    this.#opened = opened;
    this.#state = state;
    this.#places = places;
  }

  /** @throws VaeError ERR_VAE_FORMAT for anything that is no archive, ERR_VAE_REPRODUCIBILITY without its model. */
  static async open(path: string, model: string | undefined): Promise<ArchiveSubject> {
    const opened = await openAny(path, model === undefined ? {} : { model }, { salvage: true });
    try {
      const { archive, layout } = opened;
      const { records } = await archive.outline();
      const { header } = layout;
      const chunks = await chunksOf(opened);
      const byName = new Map<string, { places: Place[]; bytes: number | undefined; item: number | undefined }>();
      const same: { name: string; as: string }[] = [];
      let item = 0;
      for (const [record, parts] of records.entries()) {
        for (const [part, out] of parts.entries()) {
          if (out.sameAs !== undefined) {
            same.push({ name: out.name, as: out.sameAs });
            continue;
          }
          const known = byName.get(out.name) ?? { places: [], bytes: 0, item: undefined };
          known.places.push({ record, part });
          known.bytes = known.bytes === undefined || out.bytes === undefined ? undefined : known.bytes + out.bytes;
          if (out.item) known.item ??= item;
          byName.set(out.name, known);
          item += 1;
        }
      }
      for (const { name, as } of same) {
        const other = byName.get(as);
        if (other) byName.set(name, other);
      }
      // One array of all items: its items are shown, not its file.
      const single = header.kind === 'npy' || header.kind === 'idx';
      const all: { entry: ArchiveFileEntry; places: readonly Place[] }[] = single ? itemsOf(opened) : [];
      for (const [name, { places, bytes, item: number }] of byName) {
        if (single && number !== undefined) continue;
        const entry = {
          name,
          chunk: places[0]?.record ?? 0,
          ...(bytes !== undefined && { bytes }),
          ...(number !== undefined && { item: number }),
        };
        all.push({ entry, places });
      }
      const listed = all.slice(0, MOST_LISTED);
      const state: ArchiveState = {
        mode: 'archive',
        name: basename(path),
        version: packageVersion(),
        kind: header.kind,
        bytes: archive.byteLength,
        complete: archive.complete,
        ...(header.model !== undefined && { model: header.model }),
        embedsModel: layout.modelOffset !== undefined,
        // Chunks of sounds are parts of files, and small files share one.
        items: opened.kind.itemsAreFiles
          ? all.filter(({ entry }) => entry.item !== undefined).length
          : layout.chunks.reduce((sum, { items }) => sum + items, 0),
        chunks,
        files: listed.map(({ entry }) => entry),
        filesLeftOut: all.length - listed.length,
      };
      return new ArchiveSubject(
        opened,
        state,
        listed.map(({ places }) => places),
      );
    } catch (error) {
      await opened.archive.close();
      throw error;
    }
  }

  state(): ArchiveState {
    return this.#state;
  }

  part(): undefined {
    return undefined;
  }

  async answer(question: Question): Promise<Frame> {
    if (question.op !== 'picture') throw unknownQuestion(question.op);
    const { item } = asked('picture', question);
    const file = this.#state.files[item];
    const places = this.#places[item];
    if (file === undefined || places === undefined)
      throw new VaeError('ERR_VAE_OPTION', `There are ${this.#state.files.length} files, from 0; received ${item}.`);
    const single = this.#opened.archive as {
      read?: (start: number) => Promise<{ data: Uint8Array; shape: readonly number[] }>;
    };
    if (places.length === 0 && single.read) return shownItem(await single.read(file.item!));
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const { record, part } of places) {
      question.signal.throwIfAborted();
      const piece = (await this.#opened.archive.output(record, question.signal)).parts[part]!;
      parts.push(piece);
      bytes += piece.length;
      if (bytes > MOST_SHOWN) break;
    }
    return shown(new Uint8Array(Buffer.concat(parts)), file.name, question.signal);
  }

  subscribe(): () => void {
    return () => {};
  }

  close(): Promise<void> {
    return this.#opened.archive.close();
  }
}

/** Of archives of one array: a line for each item. */
function itemsOf({ archive, layout }: OpenedArchive): { entry: ArchiveFileEntry; places: readonly Place[] }[] {
  const out: { entry: ArchiveFileEntry; places: readonly Place[] }[] = [];
  let item = 0;
  for (let chunk = 0; chunk < archive.chunkCount; chunk += 1) {
    const { items } = archive.chunk(chunk);
    for (let index = 0; index < items && out.length <= MOST_LISTED; index += 1, item += 1) {
      out.push({ entry: { name: `Item ${item + 1}`, chunk, item, bytes: layout.itemSize }, places: [] });
    }
  }
  return out;
}

/** What each record was coded by. */
const METHODS = { coded: 'model', brotli: 'Brotli', stored: 'as it is' } as const;

async function chunksOf({ archive, layout, kind }: OpenedArchive): Promise<ArchiveChunk[]> {
  const chunks: ArchiveChunk[] = [];
  for (const [record, { items }] of [...layout.chunks, ...layout.files].entries()) {
    const isItems = record < archive.chunkCount;
    const coding = await archive.codingOf(record).catch(() => undefined);
    const dataBytes = isItems && layout.itemSize > 0 && !kind.itemsAreFiles ? items * layout.itemSize : undefined;
    chunks.push({
      bytes: coding?.bytes ?? 0,
      ...(dataBytes && { dataBytes }),
      items,
      firstItem: isItems ? archive.chunk(record).firstItem : 0,
      codedBy: coding ? METHODS[coding.method] : 'damaged',
    });
  }
  return chunks;
}

function shownItem({ data, shape }: { data: Uint8Array; shape: readonly number[] }): Frame {
  const [channels = 1, height = 1, width = 1] = shape.length === 4 ? shape.slice(1) : [1, ...shape.slice(1)];
  const picture = [1, 3, 4].includes(channels) && shape.length > 2;
  const display: Display = picture
    ? { kind: 'image', channels, height, width, range: [0, 255] }
    : { kind: 'vector', length: data.length };
  return { header: { display }, arrays: { rows: Float32Array.from(data) } };
}

/** A file as the page can show it: a picture, a sound, or the beginning of a text. */
async function shown(bytes: Uint8Array, name: string, signal: AbortSignal): Promise<Frame> {
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (PICTURE_FORMATS.some(({ magic }) => magic.test(start))) {
    const form = { colour: 'rgb', depth: 8, values: 'stored', maxDecodeBytes: MOST_DECODE } as never;
    const { data, channels, height, width } = await decodePicture({ bytes, name }, form, signal);
    const display: Display = { kind: 'image', channels, height, width, range: [0, 255] };
    return { header: { display }, arrays: { rows: Float32Array.from(data) } };
  }
  if (/^RIFF....WAVE/s.test(start)) {
    const wav = await WavFile.fromBytes(bytes, name, { acceptTruncated: true });
    const { sampleRate, length } = wav.info;
    const frame = Math.min(length, MOST_SAMPLES);
    const samples = (await wav.read(0, frame)).subarray(0, frame);
    const display: Display = { kind: 'sound', channels: 1, frame, sampleRate, mean: 0, deviation: 1 };
    return { header: { display }, arrays: { rows: samples } };
  }
  const head = bytes.subarray(0, MOST_TEXT);
  const isText = !head.some((byte) => byte === 0);
  const hex = (): string =>
    Buffer.from(head.subarray(0, 512))
      .toString('hex')
      .replace(/(..)/g, '$1 ')
      .replace(/((?:.. ){16})/g, '$1\n');
  return { header: { text: isText ? new TextDecoder().decode(head) : hex() }, arrays: {} };
}
