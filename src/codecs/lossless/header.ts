/** Headers of archives of items of one shape. */
import { z } from 'zod';
import type { CompactKind } from '../../archive/compact.js';
import { checkedHeader, damaged, type Header, MAX_CHUNK_BYTES } from '../../archive/format.js';

/** What comes out of decompress: a file of the kind that went in. */
export const IMAGES = 'images';
export const SOURCE_KINDS = ['idx', 'npy', IMAGES] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

const dim = z
  .int()
  .min(1)
  .max(2 ** 24);

const schema = z.strictObject({
  /** SHA-256 of the codec model, in hexadecimal. Absent where no chunk needs one. */
  model: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Shape of an item, channels first where it has channels. */
  itemShape: z.array(dim).min(1).max(8),
  dtype: z.literal('uint8'),
  kind: z.enum(SOURCE_KINDS),
  /** File name of the array that went in; not a path. Absent for images, whose names are with the items. */
  name: z.string().min(1).max(255).optional(),
  /** Shape of one row of the array that went in, where it differs from itemShape by axes of 1. */
  rowShape: z.array(dim).max(8).optional(),
});

export interface ArchiveHeader extends z.output<typeof schema> {
  readonly [key: string]: unknown;
}

/** @throws VaeError ERR_VAE_FORMAT naming the key that is wrong. */
export function readItemsHeader(value: Header): { readonly header: ArchiveHeader; readonly itemSize: number } {
  const header = checkedHeader(schema, value);
  const itemSize = header.itemShape.reduce((product, each) => product * each, 1);
  if (itemSize > MAX_CHUNK_BYTES) throw damaged('its items are larger than 1 GiB');
  const { rowShape } = header;
  if (rowShape && rowShape.reduce((product, each) => product * each, 1) !== itemSize) {
    throw damaged('its row shape and item shape differ in size');
  }
  return { header, itemSize };
}

export const compactItems: readonly CompactKind[] = SOURCE_KINDS.map((kind, code) => ({
  ...{ kind, code },
  toShape: (header) => {
    const { itemShape, rowShape = [], name = '' } = header as ArchiveHeader;
    return { itemShape, rowShape, name };
  },
  fromShape: ({ itemShape, rowShape, name }) => ({
    ...{ itemShape, dtype: 'uint8', kind },
    ...(name !== '' && { name }),
    // Pictures have no rows of another shape; the rows of an array of numbers have none at all.
    ...(kind !== IMAGES && { rowShape }),
  }),
}));
