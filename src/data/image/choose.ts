/** What pictures become where nobody says: from their headers, their tags and, of 16-bit ones, their values. */
import { inParallel } from '../parallel.js';
import type { OpenedPicture } from './items.js';
import type { ParsedImageOptions } from './options.js';
import { decodePixels } from './pixels.js';
import type { ImageRecipe } from './recipe.js';

const LARGEST_OWN_SIDE = 128;
const DEFAULT_SIDE = 64;
/** 16-bit pictures without tags that are looked at for the bits they use. */
const MEASURED_FILES = 256;

export async function chooseRecipe(
  opened: readonly OpenedPicture[],
  options: ParsedImageOptions,
  notes: string[],
): Promise<ImageRecipe> {
  const { size, crops, range, volume, page } = options;
  const own = opened[0]!.header;
  const alike = opened.every(({ header }) => header.width === own.width && header.height === own.height);
  const usable = alike && crops === undefined && Math.max(own.width, own.height) <= LARGEST_OWN_SIDE;
  const [height, width] =
    typeof size === 'number'
      ? [size, size]
      : (size ?? (usable ? [own.height, own.width] : [DEFAULT_SIDE, DEFAULT_SIDE]));
  const values = await chooseValues(opened, options, notes);
  return {
    kind: 'image',
    height,
    width,
    colour: options.colour ?? (opened.every(({ header }) => header.colour === 'grey') ? 'grey' : 'rgb'),
    ...values,
    ...(range && { range: [...range] as [number, number], clip: true as const }),
    fit: options.fit ?? 'cover',
    anySize: crops !== undefined,
    ...(page === undefined && crops === undefined && { pages: 'all' as const }),
    ...(volume !== undefined && { volume }),
    values: 'stored',
  };
}

/** Depth, and the range of values that become 0 to 1. */
async function chooseValues(
  opened: readonly OpenedPicture[],
  options: ParsedImageOptions,
  notes: string[],
): Promise<Pick<ImageRecipe, 'depth' | 'range'>> {
  const samples = new Set(opened.map(({ header }) => header.sample));
  const wide = samples.has('uint16');
  const others = [...samples].filter((sample) => sample !== 'uint8' && sample !== 'uint16');
  if (options.range) return { depth: options.depth ?? (wide || others.length > 0 ? 16 : 8) };
  const depth = options.depth ?? (others.length > 0 ? 32 : wide ? 16 : 8);
  if (depth === 32 || !wide) return { depth };
  const { bits, how } = await bitsOf(opened, options);
  const most = 2 ** bits - 1;
  notes.push(
    `values of ${bits} bits (${how}): ${most} becomes ${depth === 8 ? 255 : 1} (--range LOW,HIGH for others, --depth 32 keeps them)`,
  );
  return { depth, range: [0, most] };
}

/** Bits that 16-bit pictures use. */
async function bitsOf(
  opened: readonly OpenedPicture[],
  { signal, page, maxDecodeBytes, maxPixels }: ParsedImageOptions,
): Promise<{ bits: number; how: string }> {
  const wide = opened.filter(({ header }) => header.sample === 'uint16');
  const said = wide.reduce((most, { header }) => Math.max(most, header.bits ?? 0), 0);
  const silent = wide.filter(({ header }) => header.bits === undefined);
  if (silent.length === 0) return { bits: said, how: 'by their tags' };
  const step = Math.max(1, silent.length / MEASURED_FILES);
  const looked = silent.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
  const most = await inParallel(looked, async ({ file, bytes }) => {
    const source = bytes ? { bytes, name: file.name } : file;
    // Damaged ones are told or skipped when their rows are read.
    const pixels = await decodePixels(source, { page: page ?? 0, signal, maxDecodeBytes, maxPixels }).catch(
      () => undefined,
    );
    signal?.throwIfAborted();
    return pixels === undefined ? 0 : largest(pixels);
  });
  const top = most.reduce((a, b) => Math.max(a, b), 1);
  const measured = Math.max(8, Math.ceil(Math.log2(top + 1)));
  const of = looked.length === 1 ? 'the largest value' : `the largest value of ${looked.length} pictures`;
  return { bits: Math.max(said, measured), how: `${of} is ${top}` };
}

function largest({ data, channels, alpha }: Awaited<ReturnType<typeof decodePixels>>): number {
  let most = 0;
  for (let at = 0; at < data.length; at += 1) {
    if (alpha && at % channels === channels - 1) continue;
    if (data[at]! > most) most = data[at]!;
  }
  return most;
}
