/** Rows in memory, read in order like those of a file. */
import { deflateSync } from 'node:zlib';
import { pngChunk } from '../../../data/image/png/chunks.js';
import { type PngLayout, rowBytesOf } from '../../../data/image/png/layout.js';

/** The rows of one picture, read in order. */
export interface RowSource {
  readonly layout: PngLayout;
  /** PNG chunks that stand between IHDR and the rows. */
  readonly before: Uint8Array;
  read(count: number): Promise<Uint8Array>;
  /** PNG chunks that stand behind the rows, once those were read. */
  end(): Promise<Uint8Array>;
  /** The stream of a PNG file, once it was read. */
  packed(): Uint8Array | undefined;
  close(): void;
}

export function rowsOf(layout: PngLayout, rows: Uint8Array, before: Uint8Array): RowSource {
  const rowBytes = rowBytesOf(layout);
  let row = 0;
  return {
    ...{ layout, before },
    async read(count) {
      row += count;
      return rows.subarray((row - count) * rowBytes, row * rowBytes);
    },
    end: async () => new Uint8Array(),
    packed: () => undefined,
    close() {},
  };
}

/** A colour profile (ISO 15076). */
export function profileChunk(profile: Uint8Array): Buffer {
  return pngChunk('iCCP', Buffer.from('ICC profile\0\0'), deflateSync(profile, { level: 9 }));
}

/** Pixels a metre; `unit` 0: their ratio only. */
export function resolutionChunk(across: number, down: number, unit: 0 | 1): Buffer {
  const body = Buffer.alloc(9);
  body.writeUInt32BE(across, 0);
  body.writeUInt32BE(down, 4);
  body[8] = unit;
  return pngChunk('pHYs', body);
}

export function xmpChunk(xmp: Uint8Array): Buffer {
  return pngChunk('iTXt', Buffer.from('XML:com.adobe.xmp\0\0\0\0\0'), xmp);
}

/** Text: of Latin-1 as it is, else as UTF-8. */
export function textChunk(keyword: string, text: string): Buffer {
  if (/^[\n\x20-\x7e\xa0-\xff]*$/.test(text)) return pngChunk('tEXt', Buffer.from(`${keyword}\0${text}`, 'latin1'));
  return pngChunk('iTXt', Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8'));
}
