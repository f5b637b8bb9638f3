/**
 * BMP of Windows and OS/2: 1 to 32 bits, with palettes, masks and run lengths. What npm has of kept readers knows 1, 8,
 * 24 and 32 bits only.
 */
import type { PictureReader, StoredHeader, StoredPixels } from './stored.js';

interface Parsed {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  readonly palette: Uint8Array;
  /** Bytes of an entry of the palette. */
  readonly entry: number;
  /** Red, green, blue, alpha. */
  readonly masks: readonly [number, number, number, number];
  readonly start: number;
}

const NONE = 0;
const RLE8 = 1;
const RLE4 = 2;
const FIELDS = 3;
const ALPHA_FIELDS = 6;
const ENOUGH = 4096;

export const bmpReader: PictureReader = {
  header(bytes, whole) {
    if (!whole && bytes.length < ENOUGH) return undefined;
    return headerOf(parse(bytes));
  },
  async decode(bytes, { warn }) {
    const parsed = parse(bytes);
    const { width, height, channels, colour, alpha } = headerOf(parsed);
    const data = pixelsOf(bytes, parsed, channels, warn);
    return { width, height, channels, colour, alpha, data } satisfies StoredPixels;
  },
};

function headerOf({ width, height, bits, palette, entry, masks }: Parsed): StoredHeader {
  const grey = bits <= 8 && isGrey(palette, entry);
  const alpha = masks[3] !== 0;
  return {
    ...{ width, height, alpha },
    channels: (grey ? 1 : 3) + (alpha ? 1 : 0),
    colour: grey ? 'grey' : 'rgb',
    sample: 'uint8',
    ...{ pages: 1, orientation: 1, profile: false, sequential: false },
  };
}

function isGrey(palette: Uint8Array, entry: number): boolean {
  for (let at = 0; at + 2 < palette.length; at += entry) {
    if (palette[at] !== palette[at + 1] || palette[at] !== palette[at + 2]) return false;
  }
  return true;
}

function parse(bytes: Uint8Array): Parsed {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 26) throw new Error('its header is not whole');
  const size = view.readUInt32LE(14);
  const old = size === 12;
  if (view.length < 14 + size || (!old && size < 16)) throw new Error('its header is not whole');
  const width = old ? view.readUInt16LE(18) : view.readInt32LE(18);
  const tall = old ? view.readUInt16LE(20) : view.readInt32LE(22);
  const bits = view.readUInt16LE(old ? 24 : 28);
  const compression = old || size < 20 ? NONE : view.readUInt32LE(30);
  if (width < 1 || tall === 0) throw new Error(`its header tells of ${width}×${tall} pixels`);
  if (![1, 2, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`it has ${bits} bits a pixel`);
  const fields = compression === FIELDS || compression === ALPHA_FIELDS;
  const fits =
    { [RLE8]: bits === 8, [RLE4]: bits === 4 }[compression] ?? (compression === NONE || (fits16(bits) && fields));
  if (!fits) throw new Error(`its pixels are packed by method ${compression} with ${bits} bits`);
  const masksInside = size >= 52;
  const masksAt = masksInside ? 54 : 14 + size;
  const mask = (index: number): number =>
    masksAt + 4 * index + 4 <= view.length ? view.readUInt32LE(masksAt + 4 * index) : 0;
  const withAlpha = compression === ALPHA_FIELDS || size >= 56;
  const plain: Parsed['masks'] = bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  const masks: Parsed['masks'] = fields ? [mask(0), mask(1), mask(2), withAlpha ? mask(3) : 0] : plain;
  const entry = old ? 3 : 4;
  const said = old || size < 36 ? 0 : view.readUInt32LE(46);
  const paletteAt = masksAt + (fields && !masksInside ? (compression === ALPHA_FIELDS ? 16 : 12) : 0);
  const begin = masksInside || !fields ? 14 + size : paletteAt;
  const start = view.readUInt32LE(10);
  const colours =
    bits > 8
      ? 0
      : Math.min(said || 1 << bits, 1 << bits, Math.floor(((start > begin ? start : view.length) - begin) / entry));
  return {
    ...{ width, bits, compression, masks, entry, start },
    height: Math.abs(tall),
    topDown: tall < 0,
    palette: view.subarray(begin, begin + colours * entry),
  };
}

function fits16(bits: number): boolean {
  return bits === 16 || bits === 32;
}

function pixelsOf(bytes: Uint8Array, parsed: Parsed, channels: number, warn: (why: string) => void): Uint8Array {
  const { width, height, bits, compression, topDown } = parsed;
  const out = new Uint8Array(width * height * channels);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(parsed.start);
  const place = (x: number, y: number): number => ((topDown ? y : height - 1 - y) * width + x) * channels;
  const paint = painter(parsed, channels, out, warn);
  if (compression === RLE8 || compression === RLE4) {
    unpackRuns(view, parsed, (x, y, entry) => paint(place(x, y), entry));
    return out;
  }
  const line = Math.ceil((width * bits) / 32) * 4;
  if (view.length < line * (height - 1) + Math.ceil((width * bits) / 8)) throw new Error('its pixels end too early');
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * line;
      let value: number;
      if (bits === 32) value = view.readUInt32LE(at + 4 * x);
      else if (bits === 24) value = view.readUIntLE(at + 3 * x, 3);
      else if (bits === 16) value = view.readUInt16LE(at + 2 * x);
      else value = (view[at + ((x * bits) >> 3)]! >> (8 - bits - ((x * bits) & 7))) & ((1 << bits) - 1);
      paint(place(x, y), value);
    }
  }
  return out;
}

/** Puts one pixel's value, an entry of the palette or masked colours, at a place. */
function painter(
  { bits, palette, entry, masks }: Parsed,
  channels: number,
  out: Uint8Array,
  warn: (why: string) => void,
) {
  if (bits <= 8) {
    return (to: number, value: number): void => {
      const at = value * entry;
      if (at + 2 >= palette.length) {
        warn('colours that are not in its palette are black');
        return;
      }
      if (channels === 1) {
        out[to] = palette[at]!;
        return;
      }
      out[to] = palette[at + 2]!;
      out[to + 1] = palette[at + 1]!;
      out[to + 2] = palette[at]!;
    };
  }
  const parts = masks.slice(0, channels).map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    return { mask, shift, most: mask >>> shift || 1 };
  });
  return (to: number, value: number): void => {
    for (const [index, { mask, shift, most }] of parts.entries()) {
      const level = (value & mask) >>> shift;
      out[to + index] = most === 255 ? level : Math.floor((level * 255) / most);
    }
  };
}

/** Runs of one colour, stretches of many, and moves over pixels that stay the first colour. */
function unpackRuns(
  view: Buffer,
  { width, height, compression }: Parsed,
  put: (x: number, y: number, entry: number) => void,
): void {
  const four = compression === RLE4;
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) put(x, y, 0);
  let [x, y, at] = [0, 0, 0];
  const place = (entry: number): void => {
    if (x < width && y < height) put(x, y, entry);
    x += 1;
  };
  while (y < height) {
    if (at + 2 > view.length) throw new Error('its pixels end too early');
    const [count, code] = [view[at]!, view[at + 1]!];
    at += 2;
    if (count > 0) {
      for (let index = 0; index < count; index += 1) place(four ? (index % 2 === 0 ? code >> 4 : code & 15) : code);
    } else if (code === 0) {
      [x, y] = [0, y + 1];
    } else if (code === 1) return;
    else if (code === 2) {
      x += view[at] ?? 0;
      y += view[at + 1] ?? 0;
      at += 2;
    } else {
      const length = four ? Math.ceil(code / 2) : code;
      if (at + length > view.length) throw new Error('its pixels end too early');
      for (let index = 0; index < code; index += 1) {
        const byte = view[at + (four ? index >> 1 : index)]!;
        place(four ? (index % 2 === 0 ? byte >> 4 : byte & 15) : byte);
      }
      at += length + (length % 2);
    }
  }
}
