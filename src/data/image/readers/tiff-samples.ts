/** The values of one page of a TIFF, whatever their type, in the order [height, width, samples]. */
import { inflateSync } from 'node:zlib';
import type { Samples, SampleType } from './stored.js';
import { TAG, type TiffPage, tagOf } from './tiff-directory.js';

const NONE = 1;
const LZW = 5;
const DEFLATE: readonly number[] = [8, 32946];
const PACKBITS = 32773;

const ARRAYS = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** @throws Error for what is packed in a way that is not known here, and for what is damaged. */
export function tiffSamples(bytes: Uint8Array, page: TiffPage, sample: SampleType): Samples {
  const [width, height] = [tagOf(page, TAG.width, 0), tagOf(page, TAG.height, 0)];
  const samples = tagOf(page, TAG.samples, 1);
  const planar = tagOf(page, TAG.planar, 1) === 2 && samples > 1;
  const tiled = page.tags.has(TAG.tileOffsets);
  const offsets = page.tags.get(tiled ? TAG.tileOffsets : TAG.stripOffsets) ?? [];
  const lengths = page.tags.get(tiled ? TAG.tileBytes : TAG.stripBytes) ?? [];
  const blockWidth = tiled ? tagOf(page, TAG.tileWidth, width) : width;
  const blockHeight = tiled
    ? tagOf(page, TAG.tileHeight, height)
    : Math.min(height, tagOf(page, TAG.rowsPerStrip, height));
  if (blockWidth < 1 || blockHeight < 1) throw new Error('its parts have no sides');
  const across = Math.ceil(width / blockWidth);
  const down = Math.ceil(height / blockHeight);
  const inBlock = planar ? 1 : samples;
  const out = new ARRAYS[sample](width * height * samples);
  for (let plane = 0; plane < (planar ? samples : 1); plane += 1) {
    for (let block = 0; block < across * down; block += 1) {
      const index = plane * across * down + block;
      const [offset, length] = [offsets[index], lengths[index]];
      if (offset === undefined || length === undefined || offset + length > bytes.length) {
        throw new Error('parts of its pixels lie outside of the file');
      }
      const top = Math.floor(block / across) * blockHeight;
      const left = (block % across) * blockWidth;
      const rows = tiled ? blockHeight : Math.min(blockHeight, height - top);
      const values = valuesOf(bytes.subarray(offset, offset + length), page, sample, {
        width: blockWidth,
        rows,
        samples: inBlock,
      });
      for (let y = 0; y < Math.min(rows, height - top); y += 1) {
        for (let x = 0; x < Math.min(blockWidth, width - left); x += 1) {
          const to = ((top + y) * width + left + x) * samples + plane;
          for (let k = 0; k < inBlock; k += 1) out[to + k] = values[(y * blockWidth + x) * inBlock + k]!;
        }
      }
    }
  }
  return out;
}

interface Block {
  readonly width: number;
  readonly rows: number;
  readonly samples: number;
}

function valuesOf(packed: Uint8Array, page: TiffPage, sample: SampleType, block: Block): Samples {
  const bits = tagOf(page, TAG.bits, 1);
  const perLine = block.width * block.samples;
  const lineBytes = Math.ceil((perLine * bits) / 8);
  const plain = unpacked(packed, tagOf(page, TAG.compression, NONE), lineBytes * block.rows);
  if (plain.length < lineBytes * block.rows) throw new Error('its pixels end too early');
  const predictor = tagOf(page, TAG.predictor, 1);
  const whole = predictor === 3 ? joinedBytes(plain, block, bits / 8) : plain;
  const little = predictor === 3 ? false : page.little;
  const values = numbersOf(whole, sample, bits, little, perLine, block.rows, lineBytes);
  if (predictor === 2) {
    for (let y = 0; y < block.rows; y += 1) {
      for (let at = y * perLine + block.samples; at < (y + 1) * perLine; at += 1) {
        values[at] = values[at]! + values[at - block.samples]!;
      }
    }
  } else if (predictor !== 1 && predictor !== 3) throw new Error(`its values are predicted by method ${predictor}`);
  return values;
}

function unpacked(packed: Uint8Array, method: number, length: number): Uint8Array {
  if (method === NONE) return packed;
  if (DEFLATE.includes(method)) return inflateSync(packed, { maxOutputLength: length + 65536 });
  if (method === LZW) return lzw(packed, length);
  if (method === PACKBITS) return packBits(packed, length);
  throw new Error(`its pixels are packed by method ${method}`);
}

function numbersOf(
  bytes: Uint8Array,
  sample: SampleType,
  bits: number,
  little: boolean,
  perLine: number,
  lines: number,
  lineBytes: number,
): Samples {
  const out = new ARRAYS[sample](perLine * lines);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const float = sample.startsWith('float');
  const signed = sample.startsWith('int');
  const read: ((at: number) => number) | undefined = float
    ? {
        16: (at: number) => half(view.getUint16(at, little)),
        32: (at: number) => view.getFloat32(at, little),
        64: (at: number) => view.getFloat64(at, little),
      }[bits]
    : signed
      ? {
          8: (at: number) => view.getInt8(at),
          16: (at: number) => view.getInt16(at, little),
          32: (at: number) => view.getInt32(at, little),
        }[bits]
      : {
          8: (at: number) => view.getUint8(at),
          16: (at: number) => view.getUint16(at, little),
          32: (at: number) => view.getUint32(at, little),
        }[bits];
  if (read) {
    for (let at = 0; at < out.length; at += 1) out[at] = read((at * bits) / 8);
    return out;
  }
  if (float || signed) throw new Error(`its values are ${sample.replace(/\d+$/, '')}s of ${bits} bits`);
  // Bits one after another, the highest first, each line from a whole byte on.
  for (let line = 0; line < lines; line += 1) {
    let at = line * lineBytes * 8;
    for (let index = 0; index < perLine; index += 1) {
      let value = 0;
      for (let bit = 0; bit < bits; bit += 1, at += 1) value = value * 2 + ((bytes[at >> 3]! >> (7 - (at & 7))) & 1);
      out[line * perLine + index] = value;
    }
  }
  return out;
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Adobe Photoshop TIFF Technical Note 3: bytes of a line lie by their weight, each the difference from the one before. */
function joinedBytes(bytes: Uint8Array, { width, rows, samples }: Block, size: number): Uint8Array {
  const perLine = width * samples;
  const lineBytes = perLine * size;
  const out = new Uint8Array(lineBytes * rows);
  for (let y = 0; y < rows; y += 1) {
    const line = bytes.slice(y * lineBytes, (y + 1) * lineBytes);
    for (let at = samples; at < lineBytes; at += 1) line[at] = line[at]! + line[at - samples]!;
    for (let index = 0; index < perLine; index += 1) {
      for (let byte = 0; byte < size; byte += 1)
        out[y * lineBytes + index * size + byte] = line[byte * perLine + index]!;
    }
  }
  return out;
}

function packBits(packed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let to = 0;
  for (let at = 0; at < packed.length && to < length; ) {
    const code = (packed[at++]! << 24) >> 24;
    if (code >= 0) {
      out.set(packed.subarray(at, at + Math.min(code + 1, length - to)), to);
      at += code + 1;
      to += code + 1;
    } else if (code !== -128) {
      out.fill(packed[at++]!, to, Math.min(length, to + 1 - code));
      to += 1 - code;
    }
  }
  if (to < length) throw new Error('its pixels end too early');
  return out;
}

const CLEAR = 256;
const END = 257;

/** TIFF 6.0, section 13: codes of 9 to 12 bits, the highest bit first, widened one code early. */
function lzw(packed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const starts = new Uint32Array(4097);
  const lengths = new Uint32Array(4097);
  let [to, next, width, previous] = [0, 258, 9, -1];
  let [buffer, held] = [0, 0];
  for (let at = 0; to < length; ) {
    while (held < width) {
      if (at >= packed.length) return out.subarray(0, to);
      buffer = ((buffer << 8) | packed[at++]!) & 0xffffff;
      held += 8;
    }
    const code = (buffer >> (held - width)) & ((1 << width) - 1);
    held -= width;
    if (code === END) break;
    if (code === CLEAR) {
      [next, width, previous] = [258, 9, -1];
      continue;
    }
    const start = to;
    if (code < 256) out[to++] = code;
    else {
      if (code > next || previous < 0 || code < CLEAR + 2) throw new Error('its pixels are damaged (LZW)');
      const from = code === next ? previous : starts[code]!;
      const count = code === next ? start - previous + 1 : lengths[code]!;
      for (let index = 0; index < count && to < length; index += 1) out[to++] = out[from + index]!;
    }
    if (previous >= 0 && next < 4096) {
      starts[next] = previous;
      lengths[next] = start - previous + 1;
      next += 1;
      if (next + 1 >= 1 << width && width < 12) width += 1;
    }
    previous = start;
  }
  return out.subarray(0, to);
}
