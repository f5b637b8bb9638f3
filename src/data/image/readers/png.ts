/**
 * PNG (ISO/IEC 15948): what stands before the pixels, and the pixels of small pictures. A pipeline of libvips costs half
 * a millisecond however small the picture is, five times what inflating 64×64 pixels does.
 */
import { inflateSync } from 'node:zlib';
import { unfilterRow } from '../png/filters.js';
import { GREY, GREY_ALPHA, PALETTE, RGB, RGB_ALPHA } from '../png/layout.js';
import { decodeBySharp } from './by-sharp.js';
import { exifOrientation } from './exif.js';
import type { PictureReader, StoredHeader, StoredPixels } from './stored.js';

/** Larger ones go to libvips, on a thread of its own. */
const SMALL_BYTES = 1 << 18;

const VALUES: Readonly<Record<number, number | undefined>> = {
  [GREY]: 1,
  [RGB]: 3,
  [PALETTE]: 1,
  [GREY_ALPHA]: 2,
  [RGB_ALPHA]: 4,
};

interface Chunks {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly type: number;
  readonly interlaced: boolean;
  readonly palette: Uint8Array | undefined;
  readonly transparency: Uint8Array | undefined;
  readonly significant: number | undefined;
  readonly orientation: number;
  readonly profile: boolean;
  readonly frames: number;
  readonly data: readonly Uint8Array[];
}

/** Chunks up to the pixels, and those too where `whole`; undefined where the bytes end before. */
function chunksOf(bytes: Uint8Array, whole: boolean): Chunks | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 33) return undefined;
  if (view.toString('latin1', 12, 16) !== 'IHDR') throw new Error('its first chunk is not IHDR');
  const found = {
    width: view.readUInt32BE(16),
    height: view.readUInt32BE(20),
    depth: view[24]!,
    type: view[25]!,
    interlaced: view[28] !== 0,
    palette: undefined as Uint8Array | undefined,
    transparency: undefined as Uint8Array | undefined,
    significant: undefined as number | undefined,
    orientation: 1,
    profile: false,
    frames: 1,
    data: [] as Uint8Array[],
  };
  if (VALUES[found.type] === undefined || ![1, 2, 4, 8, 16].includes(found.depth)) {
    throw new Error(`its header tells of colour type ${found.type} with ${found.depth} bits`);
  }
  for (let at = 33; ; ) {
    if (at + 8 > view.length) return whole || found.data.length > 0 ? found : undefined;
    const length = view.readUInt32BE(at);
    const kind = view.toString('latin1', at + 4, at + 8);
    const body = view.subarray(at + 8, at + 8 + length);
    if (kind === 'IDAT') {
      found.data.push(body);
      if (!whole) return found;
    } else if (kind === 'IEND') return found;
    else if (body.length < length) return whole ? found : undefined;
    else if (kind === 'PLTE') found.palette = body;
    else if (kind === 'tRNS') found.transparency = body;
    else if (kind === 'sBIT') found.significant = Math.max(...body.subarray(0, 4));
    else if (kind === 'iCCP') found.profile = !/^sRGB/i.test(body.toString('latin1', 0, 79));
    else if (kind === 'eXIf') found.orientation = exifOrientation(body);
    else if (kind === 'acTL' && length >= 4) found.frames = body.readUInt32BE(0);
    at += 12 + length;
  }
}

function headerOf(chunks: Chunks): StoredHeader {
  const { width, height, depth, type, transparency, significant } = chunks;
  const grey = type === GREY || type === GREY_ALPHA;
  const alpha = type === GREY_ALPHA || type === RGB_ALPHA || transparency !== undefined;
  return {
    ...{ width, height, alpha },
    channels: (grey ? 1 : 3) + (alpha ? 1 : 0),
    colour: grey ? 'grey' : 'rgb',
    sample: depth === 16 ? 'uint16' : 'uint8',
    ...(significant !== undefined && significant > 8 && significant < depth && { bits: significant }),
    // Frames of an animated PNG are for those who know of them; all others see the picture that stands for them.
    pages: 1,
    orientation: chunks.orientation,
    profile: chunks.profile,
    sequential: !chunks.interlaced,
  };
}

export const pngReader: PictureReader = {
  header(bytes, whole) {
    const chunks = chunksOf(bytes, whole);
    return chunks && headerOf(chunks);
  },
  async decode(bytes, options) {
    const { header, size, warn } = options;
    const small = header.width * header.height * header.channels <= SMALL_BYTES && header.sequential;
    if (!small || (size && (size.width !== header.width || size.height !== header.height))) {
      return decodeBySharp(bytes, options);
    }
    const chunks = chunksOf(bytes, true)!;
    if (chunks.frames > 1) warn(`it is an animation of ${chunks.frames} frames, of which the first is taken`);
    return pixelsOf(chunks, header);
  },
};

function pixelsOf(chunks: Chunks, header: StoredHeader): StoredPixels {
  const { width, height, depth, type, data } = chunks;
  const values = VALUES[type]!;
  const lineBytes = Math.ceil((width * values * depth) / 8);
  const packed = data.length === 1 ? data[0]! : Buffer.concat(data);
  const lines = inflateSync(packed, { maxOutputLength: height * (lineBytes + 1) + 65536 });
  if (lines.length < height * (lineBytes + 1)) throw new Error('its pixels end too early');
  unfilter(lines, height, lineBytes, Math.max(1, (values * depth) / 8));
  const flat = depth === 16 ? wide(lines, height, lineBytes) : bytesOf(lines, chunks, lineBytes, values);
  const { colour, alpha, channels } = header;
  const out = type === PALETTE ? coloured(flat, chunks, channels) : withTransparency(flat, chunks, channels);
  return { width, height, channels, colour, alpha, data: out };
}

/** The lines keep the byte of their filter. */
function unfilter(lines: Uint8Array, height: number, lineBytes: number, step: number): void {
  const stride = lineBytes + 1;
  for (let y = 0; y < height; y += 1) {
    const start = y * stride + 1;
    unfilterRow(lines, start, y === 0 ? -1 : start - stride, lineBytes, step, lines[start - 1]!);
  }
}

function wide(lines: Uint8Array, height: number, lineBytes: number): Uint16Array {
  const width = lineBytes / 2;
  const out = new Uint16Array(width * height);
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let at = y * (lineBytes + 1) + 1, end = at + lineBytes; at < end; at += 2) {
      out[to++] = (lines[at]! << 8) | lines[at + 1]!;
    }
  }
  return out;
}

/** Values of up to 8 bits: grey ones brought to 0 to 255, those of a palette as they are. */
function bytesOf(lines: Uint8Array, chunks: Chunks, lineBytes: number, values: number): Uint8Array {
  const { width, height, depth, type } = chunks;
  const out = new Uint8Array(width * height * values);
  if (depth === 8) {
    for (let y = 0; y < height; y += 1) {
      const start = y * (lineBytes + 1) + 1;
      out.set(lines.subarray(start, start + lineBytes), y * lineBytes);
    }
    return out;
  }
  const top = (1 << depth) - 1;
  const scale = type === PALETTE ? 1 : 255 / top;
  const perByte = 8 / depth;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const byte = lines[y * (lineBytes + 1) + 1 + Math.floor(x / perByte)]!;
      out[y * width + x] = ((byte >> (8 - depth * ((x % perByte) + 1))) & top) * scale;
    }
  }
  return out;
}

function coloured(numbers: Uint8Array | Uint16Array, chunks: Chunks, channels: number): Uint8Array {
  const { palette, transparency } = chunks;
  if (!palette) throw new Error('it has no palette');
  const out = new Uint8Array(numbers.length * channels);
  for (let at = 0, to = 0; at < numbers.length; at += 1) {
    const entry = numbers[at]!;
    if (3 * entry + 2 >= palette.length) throw new Error(`colour ${entry} is not in its palette`);
    out[to++] = palette[3 * entry]!;
    out[to++] = palette[3 * entry + 1]!;
    out[to++] = palette[3 * entry + 2]!;
    if (channels === 4) out[to++] = transparency?.[entry] ?? 255;
  }
  return out;
}

/** One colour may stand for nothing (tRNS). */
function withTransparency<T extends Uint8Array | Uint16Array>(values: T, chunks: Chunks, channels: number): T {
  const { transparency, type, depth } = chunks;
  if (!transparency || type === GREY_ALPHA || type === RGB_ALPHA) return values;
  const colours = channels - 1;
  const scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  const clear = Array.from(
    { length: colours },
    (_, index) => (((transparency[2 * index] ?? 0) << 8) | (transparency[2 * index + 1] ?? 0)) * scale,
  );
  const pixels = values.length / colours;
  const out = (depth === 16 ? new Uint16Array(pixels * channels) : new Uint8Array(pixels * channels)) as T;
  const full = depth === 16 ? 65535 : 255;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    let same = true;
    for (let index = 0; index < colours; index += 1) {
      const value = values[pixel * colours + index]!;
      out[pixel * channels + index] = value;
      same &&= value === clear[index];
    }
    out[pixel * channels + colours] = same ? 0 : full;
  }
  return out;
}
