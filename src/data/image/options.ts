/** Options of readImages(). */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import type { VaeError } from '../../core/errors.js';
import type { InputOf } from '../../core/options.js';
import { pictureLimitsShape } from './limits.js';
import { COLOURS, FITS, imageRecipeSchema } from './recipe.js';

const side = z.int().positive().max(16384);

export const imageOptionsSchema = z.strictObject({
  /**
   * Sides of a row in pixels, [height, width] or one number for both. Default: the pictures' own where all are
   * alike and at most 128, else 64.
   */
  size: z.union([side, z.tuple([side, side])]).optional(),
  /**
   * Default: `grey` where all pictures are, else `rgb`. Transparency is laid on white unless it is `rgba`. Grey from
   * colours is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
   */
  colour: z.enum(COLOURS).optional(),
  /**
   * What a value is: 8 gives bytes 0 to 255, 16 gives float32 fractions of `range`, 32 gives float32 with the values that
   * the files have. Default: 8 where all files have at most 8 bits, 16 where they have up to 16, 32 for floats, signed
   * and wider numbers.
   */
  depth: z.union([z.literal(8), z.literal(16), z.literal(32)]).optional(),
  /**
   * Values that become 0 and 1, such as [-1000, 3000] for CT; what lies outside is cut. Default: of 16-bit pictures the
   * bits that their tags name or their values use, 0 to 4095 for 12 of them.
   */
  range: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, 'expected a lower and a higher value')
    .optional(),
  /** Takes this page or frame of each file, from 0. Default: every page is a row. */
  page: z.int().min(0).optional(),
  /**
   * Makes rows of so many pages, [channels, volume, height, width], for `conv3d`: slices of a NIfTI or DICOM volume, or
   * pages of a TIFF. The last row of a file ends with its last page.
   */
  volume: z.int().positive().max(4096).optional(),
  /** How a picture of other sides is brought to `size`: cut (`cover`, default), with bars (`contain`), stretched (`fill`). */
  fit: z.enum(FITS).optional(),
  /**
   * For textures: so many random crops of `size` from each picture, at its own size, other ones every time they
   * are read. Default: the whole picture, once.
   */
  crops: z.int().positive().max(1_000_000).optional(),
  /** With `crops`: pictures whose longer side is longer are made smaller first. */
  longestSide: side.optional(),
  /** Of the crops. Default 0. */
  seed: z.int().min(0).optional(),
  /** Refuses files with oddities that decoders can pass over, rather than telling them in `notes`. Default false. */
  strict: z.boolean().optional(),
  /** Leaves out files that are damaged or no pictures, rather than refusing. Default false. */
  skipBad: z.boolean().optional(),
  /** Rows are kept in memory when they need no more than this, else decoded whenever they are read. Default: a quarter of the memory that this process may have, at most 512 MiB. */
  memoryBytes: z.number().min(0).optional(),
  ...pictureLimitsShape,
  /** How rows were made before, in place of size, colour, depth, range, volume and fit. */
  recipe: imageRecipeSchema.optional(),
  /** Called for every file that is left out. */
  onSkip: z.custom<(name: string, error: VaeError) => void>((value) => typeof value === 'function').optional(),
  ...signalShape,
});

export type ParsedImageOptions = z.output<typeof imageOptionsSchema>;

export interface ImageOptions extends Omit<InputOf<typeof imageOptionsSchema>, 'recipe' | 'onSkip' | 'signal'> {}

export interface ReadImagesOptions extends InputOf<typeof imageOptionsSchema> {}
