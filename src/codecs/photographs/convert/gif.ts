import { pngChunk } from '../../../data/image/png/chunks.js';
import type { StoredPixels } from '../../../data/image/readers/stored.js';
import type { Beside } from './beside.js';
import { textChunk } from './rows.js';

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const END = 0x3b;
const CONTROL = 0xf9;
const COMMENT = 0xfe;

/** @throws Error for what a PNG could not carry: frames above all. */
export function gifBeside(bytes: Buffer): Beside {
  const [width, height] = [bytes.readUInt16LE(6), bytes.readUInt16LE(8)];
  const chunks: Buffer[] = [];
  let frames = 0;
  const table = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + table(bytes[10]!);
  const blocks = (): Buffer => {
    const pieces: Buffer[] = [];
    for (;;) {
      const length = bytes[at];
      if (length === undefined || at + 1 + length > bytes.length) throw new Error('it ends too early');
      pieces.push(bytes.subarray(at + 1, at + 1 + length));
      at += 1 + length;
      if (length === 0) return Buffer.concat(pieces);
    }
  };
  for (;;) {
    const mark = bytes[at];
    if (mark === END) break;
    if (mark === IMAGE && at + 10 <= bytes.length) {
      frames += 1;
      const whole = [0, 0, width, height].every((value, index) => bytes.readUInt16LE(at + 1 + 2 * index) === value);
      if (!whole) throw new Error('its picture is a part of its screen');
      at += 10 + table(bytes[at + 9]!) + 1;
      blocks();
    } else if (mark === EXTENSION) {
      const label = bytes[at + 1];
      at += 2;
      const body = blocks();
      if (label === COMMENT) chunks.push(textChunk('Comment', body.toString('latin1')));
      // How often frames are shown says nothing of one.
      else if (label !== CONTROL && !body.toString('latin1', 0, 11).startsWith('NETSCAPE'))
        throw new Error('it has an extension of its own');
    } else throw new Error('it ends too early');
  }
  if (frames !== 1) throw new Error(`it has ${frames} frames`);
  if (at + 1 !== bytes.length) throw new Error('bytes stand behind its end');
  return { chunks, palette: true };
}

/** Colours as numbers of a palette, in the order in which they come. @throws Error for more than 256. */
export function withPalette({ data, channels }: StoredPixels): {
  readonly rows: Uint8Array;
  readonly chunks: readonly Uint8Array[];
} {
  const pixels = data.length / channels;
  const rows = new Uint8Array(pixels);
  const numbers = new Map<number, number>();
  const grey = channels <= 2;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const from = pixel * channels;
    const alpha = channels === 2 || channels === 4 ? data[from + channels - 1]! : 255;
    const key = ((data[from]! * 256 + data[from + (grey ? 0 : 1)]!) * 256 + data[from + (grey ? 0 : 2)]!) * 256 + alpha;
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      if (number === 256) throw new Error('it has more than 256 colours');
      numbers.set(key, number);
    }
    rows[pixel] = number;
  }
  const keys = [...numbers.keys()];
  const colours = Buffer.from(
    keys.flatMap((key) => [key / 2 ** 24, (key / 2 ** 16) % 256, (key / 256) % 256].map(Math.floor)),
  );
  const alphas = Buffer.from(keys.map((key) => key % 256));
  const clear = alphas.some((alpha) => alpha < 255);
  return { rows, chunks: [pngChunk('PLTE', colours), ...(clear ? [pngChunk('tRNS', alphas)] : [])] };
}
