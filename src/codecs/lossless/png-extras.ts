/**
 * What stands in a PNG file beside its pixels. Chunks that say nothing of how the pixels are stored are kept with the
 * pixels and come out again: resolution, text, time, gamma. A file with others is not one that pixels stand for.
 */
import { crc32 } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** The pixels themselves. */
const PIXELS = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);
/** What holds for the same pixels in another PNG file too. */
const KEPT = new Set(['pHYs', 'tEXt', 'zTXt', 'iTXt', 'tIME', 'gAMA', 'cHRM', 'sRGB']);
/** What our own encoder writes beside the pixels: 1,000 pixels a metre. */
const OWN = chunk('pHYs', Buffer.from('000003e8000003e801', 'hex')).toString('base64');

interface PngChunk {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** The chunks of a PNG file; undefined for anything else, and for one that is not whole. */
function chunksOf(bytes: Uint8Array): PngChunk[] | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!SIGNATURE.equals(view.subarray(0, 8))) return undefined;
  const chunks: PngChunk[] = [];
  let at = 8;
  while (at + 12 <= view.length) {
    const end = at + 12 + view.readUInt32BE(at);
    const type = view.toString('latin1', at + 4, at + 8);
    if (end > view.length) return undefined;
    chunks.push({ type, start: at, end });
    at = end;
    if (type === 'IEND') return at === view.length ? chunks : undefined;
  }
  return undefined;
}

/**
 * What a PNG file holds beside its pixels, in base64: undefined where that is what our encoder writes, '' for nothing.
 * Undefined altogether for a file whose pixels are not all of it, with the reason.
 */
export function splitExtras(
  bytes: Uint8Array,
):
  | { readonly extras: string | undefined; readonly refused?: undefined }
  | { readonly refused: string; readonly extras?: undefined } {
  const chunks = chunksOf(bytes);
  if (chunks === undefined) return { refused: 'it is no whole PNG file' };
  const odd = chunks.find(({ type }) => !PIXELS.has(type) && !KEPT.has(type));
  if (odd !== undefined)
    return { refused: WHY[odd.type] ?? `it has a part "${odd.type}" that pixels do not stand for` };
  const kept = chunks.filter(({ type }) => KEPT.has(type)).map(({ start, end }) => bytes.subarray(start, end));
  const extras = Buffer.concat(kept).toString('base64');
  return { extras: extras === OWN ? undefined : extras };
}

const WHY: Readonly<Record<string, string>> = {
  iCCP: 'it has a colour profile',
  cICP: 'it has a colour profile',
  eXIf: 'it has EXIF data',
  acTL: 'it has several frames',
};

/** A PNG file of our encoder with other extras. */
export function withExtras(png: Buffer, extras: string | undefined): Buffer {
  if (extras === undefined) return png;
  const chunks = chunksOf(png);
  if (chunks === undefined) return png;
  const pixels = chunks.filter(({ type }) => PIXELS.has(type)).map(({ start, end }) => png.subarray(start, end));
  return Buffer.concat([SIGNATURE, pixels[0]!, Buffer.from(extras, 'base64'), ...pixels.slice(1)]);
}

function chunk(type: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}
