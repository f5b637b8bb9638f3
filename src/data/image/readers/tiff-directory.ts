/** The directories of a TIFF (Adobe, TIFF 6.0, 1992; and BigTIFF): what each page's tags say. */

export interface TiffPage {
  readonly tags: ReadonlyMap<number, readonly number[]>;
  /** Number of its directory in the file. */
  readonly index: number;
  readonly little: boolean;
}

export const TAG = {
  subfile: 254,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  rowsPerStrip: 278,
  stripBytes: 279,
  mostValue: 281,
  planar: 284,
  predictor: 317,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileBytes: 325,
  extraSamples: 338,
  sampleFormat: 339,
  profile: 34675,
} as const;

/** Tags that are kept; others may be of any length. */
const KEPT: ReadonlySet<number> = new Set(Object.values(TAG));
const MOST_PAGES = 65535;

/** Bytes of one value of each type that is read as a number; 13 to 18 are those of BigTIFF and offsets. */
const WIDTHS: Readonly<Record<number, number>> = {
  1: 1,
  3: 2,
  4: 4,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};

/** @throws Error where the directories do not lie in the file. */
export function tiffPages(bytes: Uint8Array): TiffPage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 8) throw new Error('its header is not whole');
  const little = view.getUint16(0) === 0x4949;
  const big = view.getUint16(2, little) === 43;
  const offset = (at: number): number => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const pages: TiffPage[] = [];
  const seen = new Set<number>();
  for (let at = offset(big ? 8 : 4); at !== 0; ) {
    if (seen.has(at) || pages.length >= MOST_PAGES) break;
    seen.add(at);
    if (at + 2 > view.byteLength) throw new Error('a directory lies outside of the file');
    const count = big ? Number(view.getBigUint64(at, little)) : view.getUint16(at, little);
    const first = at + (big ? 8 : 2);
    const width = big ? 20 : 12;
    if (first + count * width > view.byteLength) throw new Error('a directory lies outside of the file');
    const tags = new Map<number, readonly number[]>();
    for (let entry = 0; entry < count; entry += 1) {
      const tag = view.getUint16(first + entry * width, little);
      if (KEPT.has(tag)) tags.set(tag, valuesOf(view, first + entry * width, little, big));
    }
    pages.push({ tags, index: pages.length, little });
    const next = first + count * width;
    at = next + (big ? 8 : 4) <= view.byteLength ? offset(next) : 0;
  }
  if (pages.length === 0) throw new Error('it has no pages');
  return pages;
}

function valuesOf(view: DataView, at: number, little: boolean, big: boolean): number[] {
  const type = view.getUint16(at + 2, little);
  const count = big ? Number(view.getBigUint64(at + 4, little)) : view.getUint32(at + 4, little);
  const width = WIDTHS[type];
  if (width === undefined) return [];
  const room = big ? 8 : 4;
  const field = at + (big ? 12 : 8);
  const start =
    count * width <= room ? field : big ? Number(view.getBigUint64(field, little)) : view.getUint32(field, little);
  if (start + count * width > view.byteLength) throw new Error('a tag lies outside of the file');
  return Array.from({ length: count }, (_, index) => {
    const place = start + index * width;
    if (width === 1) return view.getUint8(place);
    if (width === 2) return view.getUint16(place, little);
    if (width === 4) return view.getUint32(place, little);
    return Number(view.getBigUint64(place, little));
  });
}

/** The first value of a tag. */
export function tagOf({ tags }: TiffPage, tag: number, otherwise: number): number {
  return tags.get(tag)?.[0] ?? otherwise;
}
