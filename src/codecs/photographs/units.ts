/** Picture files as units of work: small ones together, large ones in bands. */
import { checksumOf, type EncodedRecord } from '../../archive/chunk.js';
import type { Prepared, Unit } from '../../archive/pack.js';
import { digestOf } from '../../archive/verify.js';
import { VaeError } from '../../core/errors.js';
import type { TreeFile } from '../../data/file-tree.js';
import { rowBytesOf } from '../../data/image/png/layout.js';
import { digestsOf, hexOf, type Stored } from '../inputs/plain-files.js';
import { readWhole } from '../inputs/read-file.js';
import type { Selection } from '../inputs/selection.js';
import type { CodingOptions } from '../kind.js';
import type { RowSource } from './convert/rows.js';
import { isLast } from './join.js';
import type { OneAtATime } from './one-at-a-time.js';
import type { PhotoCodec } from './photo-codec.js';
import { meant } from './photograph-archive.js';
import { pieceBytes } from './piece.js';
import { type CodedEntry, checkedOf, type Entry, encodeEntries, encodeRecord } from './record.js';
import { damagedPicture, openRows } from './row-source.js';
import type { CodeContext } from './tile-coders.js';

/** Pictures whose rows have less are gathered, up to so many bytes and pictures in a record. */
const SMALL_BYTES = 1 << 19;
const GATHERED_BYTES = 1 << 22;
const MOST_GATHERED = 512;
/** Rows of a drawing that has no more stay together: what it repeats is found. */
const WHOLE_BYTES = 1 << 24;
/** Rows of a band of a larger one have no more, unless one row has. */
const BAND_BYTES = 1 << 23;
const MOST_BAND_ROWS = 1280;
/** Files that have a smaller share of the bytes of their rows are no photographs. */
const DRAWING = 0.2;
/** Of narrow pictures a band has as many rows as come to this. */
const LEAST_BAND_BYTES = 1 << 19;
/** What a band takes while it is worked on: rows, samples, what coders hold of each, what is read ahead. */
export const RECORD_MEMORY = 6 * WHOLE_BYTES;
/** A row is never cut. */
export const MOST_ROW_BYTES = 1 << 26;

/** A picture that is coded, and the name of the PNG file that comes out. */
export interface Planned {
  readonly file: TreeFile;
  readonly name: string;
  readonly layout: Entry['layout'];
  readonly format?: string | undefined;
  /** Bytes that are held while its rows are read, where they are not read in bands. */
  readonly held?: number | undefined;
}

export interface UnitsContext {
  readonly selection: Selection;
  readonly codec: PhotoCodec | undefined;
  readonly effort: CodingOptions['effort'];
  readonly stored: Map<TreeFile, Stored>;
  readonly large: OneAtATime;
}

export function pictureUnits(pictures: readonly Planned[], context: UnitsContext): Unit[] {
  const units: Unit[] = [];
  let group: Planned[] = [];
  let size = 0;
  const flush = (): void => {
    if (group.length > 0) units.push(groupUnit(group, context));
    [group, size] = [[], 0];
  };
  for (const picture of pictures) {
    const bytes = pieceBytes(picture.layout);
    if (bytes >= SMALL_BYTES) {
      // In the order of names all the same: a resumed job finds records by their order.
      flush();
      units.push(...bandUnits(picture, context));
      continue;
    }
    if (size + bytes > GATHERED_BYTES || group.length >= MOST_GATHERED) flush();
    group.push(picture);
    size += bytes;
  }
  flush();
  return units;
}

function groupUnit(pictures: readonly Planned[], { selection, stored, ...coding }: UnitsContext): Unit {
  return {
    items: pictures.length,
    fileBytes: pictures.reduce((sum, { file }) => sum + file.size, 0),
    async prepare(signal) {
      const read: CodedEntry[] = [];
      let bytes = 0;
      for (const picture of pictures) {
        const { file, name } = picture;
        try {
          const whole = await readWhole(file, signal);
          read.push(await readAll(picture, whole));
          bytes += file.size;
          stored.set(file, { name, digests: [hexOf(whole)], partBytes: whole.length });
        } catch (error) {
          signal?.throwIfAborted();
          passOnOrFail(file, error, selection);
        }
      }
      return read.length === 0 ? undefined : prepared(read, bytes, coding);
    },
  };
}

/** What is no picture is kept as a file; what cannot be read is told. */
function passOnOrFail(file: TreeFile, error: unknown, selection: Selection): void {
  if (isNoPicture(error)) selection.passOn(file, damagedPicture(file, error));
  else selection.bad(file, error);
}

function isNoPicture(error: unknown): boolean {
  return !(error instanceof VaeError) || error.code === 'ERR_VAE_FORMAT' || error.code === 'ERR_VAE_DATA';
}

async function readAll({ file, name, layout, format }: Planned, bytes: Buffer): Promise<CodedEntry> {
  const source = await openRows(file, format ?? 'PNG', bytes, true);
  try {
    const rows = await source.read(layout.height);
    const after = await source.end();
    const { before } = source;
    const entry = {
      ...{ name, layout, top: 0, height: layout.height, format },
      ...{ before: before.length, after: after.length },
    };
    return { entry, rows, before, after, stream: source.packed() };
  } finally {
    source.close();
  }
}

/** The bands of one picture, read one after the other. */
function bandUnits(picture: Planned, { selection, stored, large, ...coding }: UnitsContext): Unit[] {
  const { file, name, layout, format, held = 0 } = picture;
  const rowBytes = rowBytesOf(layout);
  const limit = pieceBytes(layout) <= WHOLE_BYTES ? WHOLE_BYTES : BAND_BYTES;
  const isDrawing = pieceBytes(layout) <= WHOLE_BYTES && file.size < DRAWING * pieceBytes(layout);
  const mostRows = isDrawing ? layout.height : Math.max(MOST_BAND_ROWS, Math.floor(LEAST_BAND_BYTES / rowBytes));
  const most = Math.max(1, Math.min(mostRows, Math.floor(limit / rowBytes)));
  const count = Math.ceil(layout.height / most);
  const height = Math.ceil(layout.height / count);
  const tops = Array.from({ length: Math.ceil(layout.height / height) }, (_, index) => index * height);
  let source: Promise<RowSource> | undefined;
  let reading: Promise<unknown> = Promise.resolve();
  let failed = false;
  let leave: (() => void) | undefined;
  return tops.map((top, index) => ({
    items: index + 1 === tops.length ? 1 : 0,
    fileBytes: file.size / tops.length,
    async prepare(signal) {
      // Bands are asked for in order, but several at once: each waits for the one before it.
      const mine = reading.then(async (): Promise<CodedEntry | undefined> => {
        if (failed) return undefined;
        try {
          signal?.throwIfAborted();
          leave ??= await large.enter(held);
          source ??= openRows(file, format ?? 'PNG', undefined, tops.length === 1);
          const from = await source;
          const entryOf = { name, layout, top, height: Math.min(height, layout.height - top), format };
          const rows = await from.read(entryOf.height);
          const last = isLast({ ...entryOf, before: 0, after: 0 });
          const before = top === 0 ? from.before : new Uint8Array();
          const after = last ? await from.end() : new Uint8Array();
          const stream = tops.length === 1 ? from.packed() : undefined;
          if (last) {
            from.close();
            source = undefined;
            leave();
            stored.set(file, { name, ...(await digestsOf(file, signal)) });
          }
          return { entry: { ...entryOf, before: before.length, after: after.length }, rows, before, after, stream };
        } catch (error) {
          failed = true;
          void source?.then((opened) => opened.close()).catch(() => {});
          source = undefined;
          leave?.();
          signal?.throwIfAborted();
          selection.breakOff(file, damagedPicture(file, error), isNoPicture(error));
          return undefined;
        }
      });
      reading = mine.catch(() => {});
      const read = await mine;
      return read === undefined ? undefined : prepared([read], index === 0 ? file.size : 0, coding);
    },
  }));
}

function prepared(
  pictures: readonly CodedEntry[],
  bytes: number,
  coding: Pick<UnitsContext, 'codec' | 'effort'>,
): Prepared {
  const names = encodeEntries(pictures.map(({ entry }) => entry));
  return {
    ...{ kind: 'chunk', items: pictures.length, checksum: checksumOf(...checkedOf(pictures), names), bytes },
    expected: pictures.map((picture) => {
      const { entry } = picture;
      const joined = entry.height < entry.layout.height;
      return {
        part: { name: entry.name, offset: entry.top, last: isLast(entry), ...(joined && { joined }) },
        digest: digestOf(meant(entry.layout, picture)),
      };
    }),
    content: () => undefined,
    encode: (signal) => encoded(pictures, { ...coding, signal }),
  };
}

/** What naming a model takes of an archive. */
const MODEL_BYTES = 90;
/** Records that are larger are not coded twice. */
const TRIED_BYTES = 1 << 14;

/** A record that gains less by the model than naming it takes is one without. */
async function encoded(pictures: readonly CodedEntry[], context: CodeContext): Promise<EncodedRecord> {
  const record = await encodeRecord(pictures, context);
  if (record.header.method !== 'coded' || record.bytes.length > TRIED_BYTES) return record;
  const without = await encodeRecord(pictures, { ...context, codec: undefined });
  return without.bytes.length <= record.bytes.length + MODEL_BYTES ? without : record;
}
