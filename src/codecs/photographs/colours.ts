/**
 * Pictures of few colours: drawings, icons, screenshots, scans of text. Each pixel is one of those beside it, or what
 * followed the same surroundings before, or a colour that was there, or a new one, told by bits whose chances are learned
 * (bit-coder.ts). docs/archive-format.md has the order of everything.
 */
import { setImmediate } from 'node:timers/promises';
import { type BitCoder, BitReader, BitWriter, Guesses, MIXED, Mixer } from './bit-coder.js';
import type { TileShape } from './tile-shape.js';

/** Pixels that are worked on before others have their turn. */
const SLICE = 1 << 15;
/** Colours that are remembered, the last one first. */
const MOST_RECENT = 64;
/** Candidates for a pixel. */
const SOURCES = 7;
const SURE = 4;
/** The first of the guesses for pixels amid one colour. */
const FLAT = 1 << 12;
/** Classes of how large a difference is. */
const CLASSES = 9;
/** Channels in the order of coding: alpha, then green. */
const ORDERS = [[0], [1, 0], [1, 0, 2], [3, 1, 0, 2]] as const;

/** Slots of the guesses that are mixed, and of the surroundings that are remembered. */
function tableBits({ width, height }: TileShape): number {
  return Math.min(22, Math.max(14, sizeOf(width * height - 1) + 4));
}

function mixed(hash: number, value: number): number {
  const next = Math.imul(hash ^ value, 0x9e3779b1);
  return next ^ (next >>> 15);
}

/** One pass over a tile, which writes it or reads it. */
class Pass {
  readonly #shape: TileShape;
  readonly #coder: BitCoder;
  readonly #pixels: Uint32Array;
  readonly #bits: number;
  readonly #mixer: Mixer;
  readonly #followed: Uint32Array;
  readonly #sure: Uint8Array;
  readonly #plain = new Guesses(1 << 13);
  readonly #recent = new Uint32Array(MOST_RECENT);
  #recentCount = 0;
  readonly #contexts = new Int32Array(MIXED);
  readonly #sources = new Uint32Array(SOURCES);
  /** Those that were asked about, each once. */
  readonly #candidates = new Uint32Array(SOURCES + 1);
  readonly #others = new Uint32Array(MOST_RECENT);
  /** How much was new of late. */
  #novelty = 0;

  constructor(shape: TileShape, pixels: Uint32Array, coder: BitCoder) {
    this.#shape = shape;
    this.#coder = coder;
    this.#pixels = pixels;
    this.#bits = tableBits(shape);
    this.#mixer = new Mixer(new Guesses(1 << this.#bits), SOURCES * 8 + 4 * 16);
    this.#followed = new Uint32Array(1 << (this.#bits - 2));
    this.#sure = new Uint8Array(1 << (this.#bits - 2));
  }

  row(y: number): void {
    const { width } = this.#shape;
    for (let x = 0; x < width; x += 1) this.#pixel(x, y);
  }

  #at(x: number, y: number): number {
    const { width } = this.#shape;
    return x < 0 || y < 0 || x >= width ? 0 : this.#pixels[y * width + x]!;
  }

  #pixel(x: number, y: number): void {
    const at = y * this.#shape.width + x;
    const pixel = this.#pixels[at]!;
    const n = y > 0 ? this.#at(x, y - 1) : this.#at(x - 1, y);
    const w = x > 0 ? this.#at(x - 1, y) : n;
    const nw = this.#at(x - 1, y - 1);
    const ne = x + 1 < this.#shape.width ? this.#at(x + 1, y - 1) : n;
    const ww = this.#at(x - 2, y);
    const nn = this.#at(x, y - 2);
    const nww = this.#at(x - 2, y - 1);
    const nne = this.#at(x + 1, y - 2);
    const nee = this.#at(x + 2, y - 1);
    const nnw = this.#at(x - 1, y - 2);
    const www = this.#at(x - 3, y);
    const isFlat = w === n && w === nw && w === ne && w === ww && w === nn && w === nww && w === nee;
    if (isFlat) {
      const slot = FLAT + (((mixed(1, w) >>> 24) << 2) | (Number(w === nne && w === nnw) << 1) | Number(w === www));
      if (this.#coder.one(this.#plain, slot, Number(pixel === w)) === 1) {
        this.#pixels[at] = w;
        return;
      }
    }
    const near = mixed(mixed(1, w), n);
    const close = mixed(mixed(near, nw), ne);
    const wide = mixed(mixed(close, ww), nn);
    const wider = mixed(mixed(mixed(wide, nww), nne), nee);
    const widest = mixed(mixed(mixed(mixed(wider, nnw), www), this.#at(x, y - 3)), this.#at(x - 2, y - 2));
    const pattern =
      Number(w === n) |
      (Number(n === nw) << 1) |
      (Number(w === nw) << 2) |
      (Number(n === ne) << 3) |
      (Number(w === ww) << 4) |
      (Number(n === nn) << 5) |
      (Number(nw === nww) << 6);
    const followedBits = 32 - (this.#bits - 2);
    const far = mixed(wider, 7) >>> followedBits;
    const middle = mixed(wide, 5) >>> followedBits;
    const first = this.#sure[far]! > 0 ? this.#followed[far]! : w;
    const second = this.#sure[middle]! > 0 ? this.#followed[middle]! : ww;
    const sure = this.#sure[far]!;

    const sources = this.#sources;
    sources[0] = first;
    sources[1] = w;
    sources[2] = n;
    sources[3] = ne;
    sources[4] = nw;
    sources[5] = second;
    sources[6] = nn;
    const candidates = this.#candidates;
    const { slots } = this.#mixer;
    const shift = 32 - this.#bits;
    const steady = Math.min(1, this.#novelty >> 6);
    let count = 0;
    if (isFlat) {
      candidates[0] = w;
      count = 1;
    }
    let found: number | undefined;
    for (let source = 0; source < SOURCES; source += 1) {
      const candidate = sources[source]!;
      let known = false;
      for (let index = 0; index < count; index += 1) known ||= candidates[index] === candidate;
      if (known) continue;
      candidates[count] = candidate;
      count += 1;
      const start = mixed(source + 11 + 16 * count, candidate);
      slots[0] = mixed(source * 8 + count, pattern | (sure << 8)) >>> shift;
      slots[1] = mixed(start, near) >>> shift;
      slots[2] = mixed(start, close) >>> shift;
      slots[3] = mixed(start, wide) >>> shift;
      slots[4] = mixed(start, wider) >>> shift;
      slots[5] = mixed(start, widest) >>> shift;
      const set = source * 8 + (sure << 1) + steady;
      if (this.#mixer.code(this.#coder, set, Number(pixel === candidate)) === 1) {
        found = candidate;
        break;
      }
    }
    if (found === undefined && this.#shape.channels === 1) found = this.#number(pixel, w, n, nw, ne);
    found ??= this.#other(pixel, count, w, n, nw);
    this.#pixels[at] = found;
    this.#remember(far, found);
    this.#remember(middle, found);
    this.#recall(found);
  }

  #remember(slot: number, found: number): void {
    const sure = this.#sure[slot]!;
    if (sure > 0 && this.#followed[slot] === found) {
      if (sure < SURE - 1) this.#sure[slot] = sure + 1;
    } else if (sure > 1) this.#sure[slot] = 1;
    else {
      this.#followed[slot] = found;
      this.#sure[slot] = 1;
    }
  }

  /** Puts a colour before all others. */
  #recall(found: number): void {
    const recent = this.#recent;
    if (this.#recentCount > 0 && recent[0] === found) return;
    let index = 0;
    while (index < this.#recentCount && recent[index] !== found) index += 1;
    if (index === this.#recentCount) {
      if (this.#recentCount < MOST_RECENT) this.#recentCount += 1;
      else index -= 1;
    }
    recent.copyWithin(1, 0, index);
    recent[0] = found;
  }

  /** A pixel that is none of the candidates. */
  #other(pixel: number, count: number, w: number, n: number, nw: number): number {
    const coder = this.#coder;
    const recent = this.#recent;
    let left = 0;
    let place = -1;
    const others = this.#others;
    for (let index = 0; index < this.#recentCount; index += 1) {
      const colour = recent[index]!;
      let refused = false;
      for (let other = 0; other < count; other += 1) refused ||= this.#candidates[other] === colour;
      if (refused) continue;
      if (colour === pixel) place = left;
      others[left] = colour;
      left += 1;
    }
    if (left > 0) {
      const isNew = coder.one(this.#plain, 1 + (this.#novelty >> 4) * 2 + Number(w === n), Number(place < 0));
      this.#novelty += isNew === 1 ? (127 - this.#novelty) >> 3 : -(this.#novelty >> 3);
      if (isNew === 0) return others[this.#rank(place, left)]!;
    }
    return this.#fresh(pixel, w, n, nw);
  }

  /** A number below `left`, which is at most 64: its bits, the highest first. */
  #rank(place: number, left: number): number {
    const bits = 32 - Math.clz32(left - 1);
    let node = 1;
    for (let index = bits - 1; index >= 0; index -= 1) {
      // What would be beyond the end is 0.
      const prefix = ((node << 1) | 1) << index;
      if ((prefix & ((1 << bits) - 1)) >= left) node <<= 1;
      else node = (node << 1) | this.#coder.one(this.#plain, 64 + bits * 64 + node, (place >> index) & 1);
    }
    return node & ((1 << bits) - 1);
  }

  /** A sample that stands alone, bit by bit. */
  #number(sample: number, w: number, n: number, nw: number, ne: number): number {
    const { bits } = this.#shape;
    const contexts = this.#contexts;
    contexts[0] = 64;
    contexts[1] = mixed(128, w);
    contexts[2] = mixed(192, n);
    contexts[3] = mixed(mixed(256, w), n);
    contexts[4] = mixed(mixed(320, ne), nw);
    contexts[5] = mixed(384, (w + n - nw) & 255);
    let node = 1;
    for (let bit = bits - 1; bit >= 0; bit -= 1) node = (node << 1) | this.#part(node, 0, (sample >> bit) & 1);
    return node - (1 << bits);
  }

  /** A colour that was not there, as differences from the median of left, above, and left + above - corner. */
  #fresh(pixel: number, w: number, n: number, nw: number): number {
    const { channels, bits } = this.#shape;
    const most = 2 ** bits - 1;
    const half = 2 ** (bits - 1);
    const order = ORDERS[channels - 1]!;
    let made = 0;
    let carried = 0;
    let before = 0;
    let earlier = 0;
    for (const [index, channel] of order.entries()) {
      const shift = channel * 8;
      const [a, b, c] = [(w >>> shift) & 255, (n >>> shift) & 255, (nw >>> shift) & 255];
      const median = c >= Math.max(a, b) ? Math.min(a, b) : c <= Math.min(a, b) ? Math.max(a, b) : a + b - c;
      const guess = Math.max(0, Math.min(most, median + carried));
      const wanted = ((((pixel >>> shift) & 255) - guess + half) & most) - half;
      const spread = sizeOf(Math.abs(a - b) + Math.abs(b - c));
      const contexts = this.#contexts;
      contexts[0] = mixed(index + 64, before);
      contexts[1] = mixed(index + 128, (before << 4) | spread);
      contexts[2] = mixed(index + 192, spread);
      contexts[3] = mixed(index + 256, (guess >> 2) | (earlier << 8));
      contexts[4] = mixed(mixed(index + 320, a), b);
      contexts[5] = mixed(mixed(index + 384, earlier), before);
      const difference = this.#difference(wanted, index);
      const value = (guess + difference) & most;
      if (!(channels % 2 === 0 && index === 0)) carried = value - median;
      before = sizeOf(Math.abs(difference)) * 2 + Number(difference < 0);
      earlier = value;
      made = (made | (value << shift)) >>> 0;
    }
    return made;
  }

  /** A bit of a difference. */
  #part(node: number, index: number, bit: number): number {
    const { slots } = this.#mixer;
    const shift = 32 - this.#bits;
    for (let input = 0; input < MIXED; input += 1) slots[input] = mixed(this.#contexts[input]!, node) >>> shift;
    return this.#mixer.code(this.#coder, SOURCES * 8 + index * 16 + Math.min(15, node), bit);
  }

  /** Class of the size, sign, and the bits below the highest. */
  #difference(wanted: number, index: number): number {
    const size = sizeOf(Math.abs(wanted));
    let found = 0;
    while (found < CLASSES - 1 && this.#part(found, index, Number(found < size)) === 1) found += 1;
    if (found === 0) return 0;
    const negative = this.#part(32 + found, index, Number(wanted < 0));
    let value = 1;
    for (let bit = found - 2; bit >= 0; bit -= 1) {
      const top = found - 2 - bit;
      const context = 64 + found * 8 + (top < 2 ? value - 1 : 3 + top);
      value = (value << 1) | this.#part(context, index, (Math.abs(wanted) >> bit) & 1);
    }
    return negative === 1 ? -value : value;
  }
}

function sizeOf(value: number): number {
  return 32 - Math.clz32(value);
}

function packed(samples: Uint8Array, channels: number): Uint32Array {
  const out = new Uint32Array(samples.length / channels);
  for (let at = 0, from = 0; at < out.length; at += 1) {
    let value = 0;
    for (let channel = 0; channel < channels; channel += 1, from += 1) value |= samples[from]! << (8 * channel);
    out[at] = value;
  }
  return out;
}

async function run(pass: Pass, { width, height }: TileShape, signal: AbortSignal | undefined): Promise<void> {
  for (let y = 0, since = 0; y < height; y += 1, since += width) {
    if (since >= SLICE) {
      since = 0;
      await setImmediate();
      signal?.throwIfAborted();
    }
    pass.row(y);
  }
}

/** @param samples of at most 8 bits. */
export async function encodeColours(samples: Uint8Array, shape: TileShape, signal?: AbortSignal): Promise<Uint8Array> {
  const coder = new BitWriter();
  await run(new Pass(shape, packed(samples, shape.channels), coder), shape, signal);
  return coder.end();
}

/** @throws VaeError ERR_VAE_FORMAT for bytes that end too early. */
export async function decodeColours(data: Uint8Array, shape: TileShape, signal?: AbortSignal): Promise<Uint8Array> {
  const { width, height, channels } = shape;
  const pixels = new Uint32Array(width * height);
  await run(new Pass(shape, pixels, new BitReader(data)), shape, signal);
  const out = new Uint8Array(pixels.length * channels);
  for (let at = 0, to = 0; at < pixels.length; at += 1)
    for (let channel = 0; channel < channels; channel += 1, to += 1) out[to] = (pixels[at]! >>> (8 * channel)) & 255;
  return out;
}
