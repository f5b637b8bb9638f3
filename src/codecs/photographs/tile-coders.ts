/** The ways to code one tile, in a table; the shortest is taken, tile by tile. */
import { damaged } from '../../archive/format.js';
import { VaeError } from '../../core/errors.js';
import { decodeLosslessWebp, encodeLosslessWebp, type WebpPixels } from '../../data/image/encode.js';
import type { CodingOptions } from '../kind.js';
import { decodeColours, encodeColours } from './colours.js';
import { decodeDifferences, encodeDifferences } from './differences.js';
import { isListed, type PhotoCodec } from './photo-codec.js';
import type { TileSamples, TileShape } from './tile-shape.js';

/** How a tile is coded: the byte that its data begin with. Numbers are part of the format. */
const TILE_CODES = {
  stored: 1,
  solid: 2,
  webp: 3,
  differences: 4,
  network: 5,
  vp8l: 6,
  listed: 7,
  colours: 8,
} as const;
/** Added where every 16-bit sample is a byte twice over, and bytes are coded. */
const DOUBLED = 0x80;
/** WebP has 14 bits for a side. */
const MOST_WEBP_SIDE = 16383;
const WEBP_EFFORT = 4;
/** Pictures of fewer pixels take no time at any effort. */
const SMALL = 1 << 16;
const SMALL_EFFORT = 6;
const LEAST_EFFORT = 0;
/** Shares of pixels that are as the one to their left: below it is a photograph, above it is none. */
const BUSY = 0.2;
const FLAT = 0.85;
/** Shares of pixels that are as none beside them: from the first on, colours seldom come again, from the second on it is likely a photograph. */
const NEW = 0.2;
const MOSTLY_NEW = 0.3;
/** How much longer than the network's WebP may be at its quickest for its slower ways to be tried. */
const NEAR = 1.2;
/** It takes about a second for four million pixels. */
const MOST_COLOUR_PIXELS = 1 << 24;
const QUICK = 5;
const SLOW = 9;

export interface CodeContext {
  readonly codec: PhotoCodec | undefined;
  readonly effort?: CodingOptions['effort'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The bytes that a checksum of samples covers: 16-bit numbers have the low byte first. */
export function bytesOfSamples(samples: TileSamples): Uint8Array {
  if (samples instanceof Uint8Array) return samples;
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return LITTLE ? bytes : Buffer.from(bytes).swap16();
}

const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function samplesOfBytes(bytes: Uint8Array, bits: number): TileSamples {
  if (bits <= 8) return bytes;
  const copy = Buffer.from(bytes);
  if (!LITTLE) copy.swap16();
  return new Uint16Array(copy.buffer.slice(copy.byteOffset, copy.byteOffset + copy.length));
}

function sampleCount({ width, height, channels }: TileShape): number {
  return width * height * channels;
}

/** @param natural whether its values are amounts of light: numbers of colours in a palette are not. */
export async function encodeTile(
  samples: TileSamples,
  shape: TileShape,
  natural: boolean,
  context: CodeContext,
): Promise<Uint8Array> {
  const pixel = samples.subarray(0, shape.channels);
  if (isSolid(samples, shape.channels)) return coded(TILE_CODES.solid, bytesOfSamples(pixel));
  const halved = shape.bits === 16 ? halvedSamples(samples as Uint16Array) : undefined;
  if (halved !== undefined) {
    const inner = await encodeTile(halved, { ...shape, bits: 8 }, natural, context);
    return Buffer.concat([Buffer.of(inner[0]! | DOUBLED), inner.subarray(1)]);
  }
  let best = coded(TILE_CODES.stored, bytesOfSamples(samples));
  const consider = (code: number, data: Uint8Array | undefined): void => {
    if (data !== undefined && data.length + 1 < best.length) best = coded(code, data);
  };
  const same = repeats(samples, shape.channels);
  const byNetwork = natural && context.codec !== undefined && same < FLAT;
  if (byNetwork) {
    const { signal, effort = 'best' } = context;
    // The archive is verified as a whole.
    const options = { verify: false, effort, ...(signal && { signal }) };
    const data = await context.codec.encodeTile(samples, shape, options);
    consider(isListed(data) ? TILE_CODES.listed : TILE_CODES.network, data);
  }
  // Photographs seldom have the same colour twice in a row: nothing else comes near the network there.
  if (byNetwork && same < BUSY) return best;
  if (shape.bits > 8) consider(TILE_CODES.differences, await encodeDifferences(samples, shape, SLOW));
  else {
    const pixels = shape.width * shape.height;
    const isSmall = pixels < SMALL;
    const fresh = natural && !isSmall ? novelty(samples, shape) : 0;
    const byCodec = best.length;
    if (byNetwork && fresh >= MOSTLY_NEW) {
      const quick = await webpOf(samples, shape, LEAST_EFFORT);
      if (quick !== undefined && quick.length > NEAR * byCodec) return best;
    }
    const webp = await webpOf(samples, shape, isSmall ? SMALL_EFFORT : WEBP_EFFORT);
    const bare = webp && bareWebp(webp);
    consider(bare === undefined ? TILE_CODES.webp : TILE_CODES.vp8l, bare ?? webp);
    const comeAgain = fresh < NEW || (byNetwork && best.length < byCodec);
    if (isSmall || (comeAgain && pixels <= MOST_COLOUR_PIXELS))
      consider(TILE_CODES.colours, await encodeColours(samples as Uint8Array, shape, context.signal));
    if (webp === undefined) consider(TILE_CODES.differences, await encodeDifferences(samples, shape, QUICK));
  }
  return best;
}

/** @throws VaeError ERR_VAE_FORMAT for bytes that are damaged, ERR_VAE_REPRODUCIBILITY for a coder that is not here. */
export async function decodeTile(
  data: Uint8Array,
  shape: TileShape,
  { codec, signal }: CodeContext,
): Promise<TileSamples> {
  const [first] = data;
  if (first === undefined) throw damaged('a tile has no bytes');
  if ((first & DOUBLED) !== 0) {
    if (shape.bits !== 16) throw damaged('a tile of bytes says that they stand twice');
    const inner = Buffer.concat([Buffer.of(first & ~DOUBLED), data.subarray(1)]);
    return doubledSamples((await decodeTile(inner, { ...shape, bits: 8 }, { codec, signal })) as Uint8Array);
  }
  const rest = data.subarray(1);
  const samples = await decodeBy(first, rest, shape, { codec, signal });
  if (samples.length !== sampleCount(shape)) throw damaged('a tile has another size than it says');
  if (shape.bits < 8 || (shape.bits > 8 && shape.bits < 16)) {
    const top = 2 ** shape.bits - 1;
    for (const value of samples) if (value > top) throw damaged(`a tile of ${shape.bits} bits has a larger value`);
  }
  return samples;
}

async function decodeBy(
  code: number,
  data: Uint8Array,
  shape: TileShape,
  { codec, signal }: CodeContext,
): Promise<TileSamples> {
  if (code === TILE_CODES.stored) {
    if (data.length !== sampleCount(shape) * (shape.bits > 8 ? 2 : 1)) throw damaged('a tile has another size');
    return samplesOfBytes(data, shape.bits);
  }
  if (code === TILE_CODES.solid) return solid(data, shape);
  if (code === TILE_CODES.webp) return fromWebp(data, shape);
  if (code === TILE_CODES.vp8l) return fromWebp(wholeWebp(data), shape);
  if (code === TILE_CODES.differences) return decodeDifferences(data, shape);
  if (code === TILE_CODES.colours) {
    if (shape.bits > 8) throw damaged('a tile of few colours has more than 8 bits');
    return decodeColours(data, shape, signal);
  }
  if (code !== TILE_CODES.network && code !== TILE_CODES.listed) {
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `A tile of the archive is coded by method ${code}, which this node-vae does not know: use a newer one.`,
    );
  }
  if (codec !== undefined) return codec.decodeTile(data, shape, { ...(signal && { signal }) });
  throw new VaeError('ERR_VAE_REPRODUCIBILITY', 'A tile of the archive needs the model that it was made with.');
}

/** Whether the network coded a tile. */
export function needsModel(data: Uint8Array): boolean {
  const code = (data[0] ?? 0) & ~DOUBLED;
  return code === TILE_CODES.network || code === TILE_CODES.listed;
}

function coded(code: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(code), data]);
}

function isSolid(samples: TileSamples, channels: number): boolean {
  for (let at = channels; at < samples.length; at += 1) if (samples[at] !== samples[at - channels]) return false;
  return true;
}

function solid(data: Uint8Array, shape: TileShape): TileSamples {
  const wide = shape.bits > 8 ? 2 : 1;
  if (data.length !== wide * shape.channels) throw damaged('a tile of one colour has no colour');
  const pixel = samplesOfBytes(data, shape.bits);
  const out = shape.bits > 8 ? new Uint16Array(sampleCount(shape)) : new Uint8Array(sampleCount(shape));
  for (let at = 0; at < out.length; at += 1) out[at] = pixel[at % shape.channels]!;
  return out;
}

/** The share of pixels that are as the one to their left, of a few thousand. */
function repeats(samples: TileSamples, channels: number): number {
  const pixels = samples.length / channels;
  const step = Math.max(1, Math.floor(pixels / 8192)) * channels;
  let [same, seen] = [0, 0];
  for (let at = channels; at < samples.length; at += step, seen += 1) {
    let equal = true;
    for (let k = 0; k < channels; k += 1) equal &&= samples[at + k] === samples[at + k - channels];
    if (equal) same += 1;
  }
  return seen === 0 ? 1 : same / seen;
}

/** The share of pixels that are as none of the four beside them that were before, of a few thousand. */
function novelty(samples: TileSamples, { width, height, channels }: TileShape): number {
  const step = Math.max(1, Math.floor((width * height) / 8192));
  const differs = (a: number, b: number): boolean => {
    for (let k = 0; k < channels; k += 1) if (samples[a * channels + k] !== samples[b * channels + k]) return true;
    return false;
  };
  let [fresh, seen] = [0, 0];
  for (let at = width + 1; at < width * height - 1; at += step, seen += 1) {
    const before = [at - 1, at - width, at - width - 1, at - width + 1];
    if (before.every((other) => differs(at, other))) fresh += 1;
  }
  return seen === 0 ? 0 : fresh / seen;
}

function halvedSamples(samples: Uint16Array): Uint8Array | undefined {
  for (const value of samples) if (value >> 8 !== (value & 255)) return undefined;
  return Uint8Array.from(samples, (value) => value & 255);
}

function doubledSamples(samples: Uint8Array): Uint16Array {
  return Uint16Array.from(samples, (value) => value * 257);
}

/** Bytes of a WebP file before what its one chunk holds. */
const WEBP_START = 20;

/** What the only chunk of a WebP file without loss holds; undefined where there is anything else. */
function bareWebp(bytes: Uint8Array): Uint8Array | undefined {
  const { length } = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(WEBP_START);
  for (const bare of [bytes.subarray(WEBP_START), bytes.subarray(WEBP_START, WEBP_START + length - 1)])
    if (Buffer.compare(wholeWebp(bare), bytes) === 0) return bare;
  return undefined;
}

function wholeWebp(bare: Uint8Array): Uint8Array {
  const start = Buffer.from('RIFF\0\0\0\0WEBPVP8L\0\0\0\0', 'latin1');
  const even = bare.length + (bare.length & 1);
  start.writeUInt32LE(WEBP_START - 8 + even, 4);
  start.writeUInt32LE(bare.length, WEBP_START - 4);
  return Buffer.concat([start, bare, Buffer.alloc(even - bare.length)]);
}

/** Undefined where WebP cannot have it. */
async function webpOf(samples: TileSamples, shape: TileShape, effort: number): Promise<Uint8Array | undefined> {
  const { width, height, channels } = shape;
  if (Math.max(width, height) > MOST_WEBP_SIDE) return undefined;
  const data = channels >= 3 ? (samples as Uint8Array) : spread(samples as Uint8Array, channels);
  const pixels: WebpPixels = { width, height, channels: channels === 3 || channels === 1 ? 3 : 4, data };
  const bytes = await encodeLosslessWebp(pixels, effort);
  // What an encoder of pictures promises of its pixels is looked at before it is believed.
  const back = await fromWebp(bytes, shape).catch(() => undefined);
  return back !== undefined && Buffer.compare(back, samples as Uint8Array) === 0 ? bytes : undefined;
}

/** Grey as three equal colours, alpha behind them. */
function spread(samples: Uint8Array, channels: number): Uint8Array {
  const pixels = samples.length / channels;
  const wide = channels + 2;
  const out = new Uint8Array(pixels * wide);
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const grey = samples[pixel * channels]!;
    out.fill(grey, pixel * wide, pixel * wide + 3);
    if (channels === 2) out[pixel * wide + 3] = samples[pixel * 2 + 1]!;
  }
  return out;
}

async function fromWebp(bytes: Uint8Array, shape: TileShape): Promise<Uint8Array> {
  const { width, height, channels } = shape;
  const found = await decodeLosslessWebp(bytes, { width, height }).catch((cause: unknown) => {
    throw damaged('a tile in WebP does not decode', cause);
  });
  const alpha = channels === 2 || channels === 4;
  const pixels = width * height;
  const out = new Uint8Array(pixels * channels);
  const colours = alpha ? channels - 1 : channels;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    for (let k = 0; k < colours; k += 1) out[pixel * channels + k] = found.data[pixel * found.channels + k]!;
    if (alpha) out[pixel * channels + colours] = found.channels === 4 ? found.data[pixel * 4 + 3]! : 255;
  }
  return out;
}
