/** PBM, PGM, PPM and PAM of Netpbm: a header in words, then numbers, as text or as bytes. */
import type { PictureReader, StoredHeader, StoredPixels } from './stored.js';

interface Parsed {
  readonly kind: number;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly alpha: boolean;
  readonly most: number;
  readonly start: number;
}

const VALUES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 3, 4: 1, 5: 1, 6: 3 };
const MOST_HEADER = 4096;

export const pnmReader: PictureReader = {
  header(bytes, whole) {
    const parsed = parse(bytes);
    if (parsed) return headerOf(parsed);
    if (whole || bytes.length > MOST_HEADER) throw new Error('its header is not whole');
    return undefined;
  },
  async decode(bytes) {
    return pixelsOf(bytes, parse(bytes)!);
  },
};

function headerOf({ width, height, channels, alpha, most }: Parsed): StoredHeader {
  const bits = Math.ceil(Math.log2(most + 1));
  return {
    ...{ width, height, channels, alpha },
    colour: channels >= 3 ? 'rgb' : 'grey',
    sample: most > 255 ? 'uint16' : 'uint8',
    ...(bits > 8 && bits < 16 && { bits }),
    ...{ pages: 1, orientation: 1, profile: false, sequential: false },
  };
}

function parse(bytes: Uint8Array): Parsed | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MOST_HEADER)).toString('latin1');
  const kind = Number(text[1]);
  if (kind === 7) return parsePam(text);
  // Numbers with white space and comments between, and one white space before bytes.
  const wanted = kind === 1 || kind === 4 ? 2 : 3;
  const numbers: number[] = [];
  const mark = /(?:\s|#[^\n\r]*[\n\r])+(\d+)/y;
  mark.lastIndex = 2;
  while (numbers.length < wanted) {
    const found = mark.exec(text);
    if (!found || mark.lastIndex >= text.length) return undefined;
    numbers.push(Number(found[1]));
  }
  const [width, height, most = 1] = numbers as [number, number, number?];
  return checked({ kind, width, height, channels: VALUES[kind]!, alpha: false, most, start: mark.lastIndex + 1 });
}

function parsePam(text: string): Parsed | undefined {
  const end = text.indexOf('ENDHDR\n');
  if (end < 0) return undefined;
  const number = (name: string): number =>
    Number(new RegExp(`^${name}[ \\t]+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const channels = number('DEPTH');
  const parsed = { width: number('WIDTH'), height: number('HEIGHT'), channels, most: number('MAXVAL') };
  if (!(channels >= 1 && channels <= 4)) throw new Error(`it has ${channels} values a pixel`);
  return checked({ kind: 7, ...parsed, alpha: channels === 2 || channels === 4, start: end + 7 });
}

function checked(parsed: Parsed): Parsed {
  const { width, height, most } = parsed;
  if (!(width >= 1 && height >= 1 && most >= 1 && most <= 65535)) {
    throw new Error(`its header tells of ${width}×${height} pixels up to ${most}`);
  }
  return parsed;
}

function pixelsOf(bytes: Uint8Array, { kind, width, height, channels, alpha, most, start }: Parsed): StoredPixels {
  const count = width * height * channels;
  const wide = most > 255;
  const out = wide ? new Uint16Array(count) : new Uint8Array(count);
  if (kind === 1 || kind === 2 || kind === 3) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start - 1);
    // Bits may stand without a space between them.
    const numbers = text.replace(/#[^\n\r]*/g, ' ').match(kind === 1 ? /[01]/g : /\d+/g) ?? [];
    if (numbers.length < count) throw new Error('its pixels end too early');
    for (let at = 0; at < count; at += 1) out[at] = Number(numbers[at]);
  } else if (kind === 4) {
    const line = Math.ceil(width / 8);
    if (bytes.length < start + line * height) throw new Error('its pixels end too early');
    for (let at = 0; at < count; at += 1) {
      const x = at % width;
      out[at] = (bytes[start + Math.floor(at / width) * line + (x >> 3)]! >> (7 - (x & 7))) & 1;
    }
  } else {
    const width8 = wide ? 2 : 1;
    if (bytes.length < start + count * width8) throw new Error('its pixels end too early');
    for (let at = 0; at < count; at += 1) {
      out[at] = wide ? (bytes[start + 2 * at]! << 8) | bytes[start + 2 * at + 1]! : bytes[start + at]!;
    }
  }
  scale(out, most, kind === 1 || kind === 4);
  return { width, height, channels, colour: channels >= 3 ? 'rgb' : 'grey', alpha, data: out };
}

/** Levels up to a number that is no power of two are brought to the whole range; in bitmaps 1 is black. */
function scale(values: Uint8Array | Uint16Array, most: number, bitmap: boolean): void {
  if (bitmap) {
    for (let at = 0; at < values.length; at += 1) values[at] = values[at] === 1 ? 0 : 255;
    return;
  }
  for (let at = 0; at < values.length; at += 1) {
    if (values[at]! > most) throw new Error(`a value is ${values[at]}, above its largest, ${most}`);
  }
  const kept = most === 255 || (most > 255 && Number.isInteger(Math.log2(most + 1)));
  if (kept) return;
  const top = most > 255 ? 65535 : 255;
  for (let at = 0; at < values.length; at += 1) values[at] = Math.round((values[at]! * top) / most);
}
