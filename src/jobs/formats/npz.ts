/** .npz: an array for each column, and the names, labels and captions as arrays of text; what numpy.load() opens. */
import { Readable } from 'node:stream';
import { writeNpyHeader } from '../../data/npy/header.js';
import type { RowNote } from '../rows/piece.js';
import { bytesOf, type Format, integersOf, type ShardContent } from './format.js';

export const npzFormat: Format = {
  ending: '.npz',
  files: (stem, content) => [{ name: `${stem}.npz`, chunks: zipOf(content) }],
};

/** The same bytes on every machine, whatever its clock. */
const ENTRY = { mtime: new Date(1980, 0, 1), mode: 0o100644, compress: false, forceDosTimestamp: true } as const;

async function* zipOf(content: ShardContent): AsyncGenerator<Uint8Array> {
  const { ZipFile } = await import('yazl');
  const zip = new ZipFile();
  const add = (name: string, header: Uint8Array, size: number, body: () => AsyncIterable<Uint8Array>): void => {
    const whole = async function* (): AsyncGenerator<Uint8Array> {
      yield header;
      yield* body();
    };
    zip.addReadStreamLazy(`${name}.npy`, { ...ENTRY, size: header.length + size }, (give) =>
      give(null, Readable.from(whole(), { objectMode: false })),
    );
  };
  const { rows } = content;
  for (const column of content.columns) {
    const size = column.dims.reduce((product, dim) => product * dim, rows) * 4;
    const header = writeNpyHeader({ descr: '<f4', fortranOrder: false, shape: [rows, ...column.dims] });
    add(column.name, header, size, () => bytesOf(column, rows));
  }
  const texts = async (name: string, of: (note: RowNote) => string): Promise<void> => {
    let width = 1;
    for await (const notes of content.notes()) for (const note of notes) width = Math.max(width, lengthOf(of(note)));
    const header = writeNpyHeader({ descr: `<U${width}`, fortranOrder: false, shape: [rows] });
    add(name, header, rows * width * 4, () => utf32(content, of, width));
  };
  const numbers = (name: string, of: (note: RowNote) => number): void => {
    const header = writeNpyHeader({ descr: '<i8', fortranOrder: false, shape: [rows] });
    add(name, header, rows * 8, () => integersOf(content, of));
  };
  await texts('names', ({ name }) => name);
  if (content.parts) numbers('parts', ({ part = 0 }) => part);
  if (content.labels === 'text') await texts('labels', ({ label }) => String(label ?? ''));
  if (content.labels === 'number') numbers('labels', ({ label }) => Number(label ?? -1));
  if (content.captions) await texts('captions', ({ caption = '' }) => caption);
  zip.end();
  yield* zip.outputStream as unknown as AsyncIterable<Uint8Array>;
}

function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

/** NumPy's texts: code points of four bytes, filled up with zeros. */
async function* utf32(content: ShardContent, of: (note: RowNote) => string, width: number): AsyncGenerator<Uint8Array> {
  for await (const notes of content.notes()) {
    const bytes = Buffer.alloc(notes.length * width * 4);
    for (const [row, note] of notes.entries()) {
      let at = row * width * 4;
      for (const character of of(note)) {
        bytes.writeUInt32LE(character.codePointAt(0)!, at);
        at += 4;
      }
    }
    yield bytes;
  }
}
