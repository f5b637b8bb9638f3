/** Options of readImages(). */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import type { VaeError } from '../../core/errors.js';
import { type PictureLimits, pictureLimitsShape } from './limits.js';
import { COLOURS, FITS, type ImageRecipe, imageRecipeSchema } from './recipe.js';

const side = z.int().positive().max(16384);

export const imageOptionsSchema = z.strictObject({
  size: z.union([side, z.tuple([side, side])]).optional(),
  colour: z.enum(COLOURS).optional(),
  depth: z.union([z.literal(8), z.literal(16), z.literal(32)]).optional(),
  range: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, 'expected a lower and a higher value')
    .optional(),
  page: z.int().min(0).optional(),
  volume: z.int().positive().max(4096).optional(),
  fit: z.enum(FITS).optional(),
  crops: z.int().positive().max(1_000_000).optional(),
  longestSide: side.optional(),
  seed: z.int().min(0).optional(),
  strict: z.boolean().optional(),
  skipBad: z.boolean().optional(),
  memoryBytes: z.number().min(0).optional(),
  ...pictureLimitsShape,
  recipe: imageRecipeSchema.optional(),
  onSkip: z.custom<(name: string, error: VaeError) => void>((value) => typeof value === 'function').optional(),
  ...signalShape,
});

export type ParsedImageOptions = z.output<typeof imageOptionsSchema>;

export interface ImageOptions extends PictureLimits {
  /**
   * Sides of a row in pixels, [height, width] or one number for both. Default: the pictures' own where all are
   * alike and at most 128, else 64.
   */
  readonly size?: number | readonly [height: number, width: number];
  /**
   * Default: `grey` where all pictures are, else `rgb`. Transparency is laid on white unless it is `rgba`. Grey from
   * colours is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
   */
  readonly colour?: 'grey' | 'rgb' | 'rgba';
  /**
   * What a value is: 8 gives bytes 0 to 255, 16 gives float32 fractions of `range`, 32 gives float32 with the values that
   * the files have. Default: 8 where all files have at most 8 bits, 16 where they have up to 16, 32 for floats, signed
   * and wider numbers.
   */
  readonly depth?: 8 | 16 | 32;
  /**
   * Values that become 0 and 1, such as [-1000, 3000] for CT; what lies outside is cut. Default: of 16-bit pictures the
   * bits that their tags name or their values use, 0 to 4095 for 12 of them.
   */
  readonly range?: readonly [low: number, high: number];
  /** Takes this page or frame of each file, from 0. Default: every page is a row. */
  readonly page?: number;
  /**
   * Makes rows of so many pages, [channels, volume, height, width], for `conv3d`: slices of a NIfTI or DICOM volume, or
   * pages of a TIFF. The last row of a file ends with its last page.
   */
  readonly volume?: number;
  /** How a picture of other sides is brought to `size`: cut (`cover`, default), with bars (`contain`), stretched (`fill`). */
  readonly fit?: 'cover' | 'contain' | 'fill';
  /**
   * For textures: so many random crops of `size` from each picture, at its own size, other ones every time they
   * are read. Default: the whole picture, once.
   */
  readonly crops?: number;
  /** With `crops`: pictures whose longer side is longer are made smaller first. */
  readonly longestSide?: number;
  /** Of the crops. Default 0. */
  readonly seed?: number;
  /** Refuses files with oddities that decoders can pass over, rather than telling them in `notes`. Default false. */
  readonly strict?: boolean;
  /** Leaves out files that are damaged or no pictures, rather than refusing. Default false. */
  readonly skipBad?: boolean;
  /** Rows are kept in memory when they need no more than this, else decoded whenever they are read. Default 512 MiB. */
  readonly memoryBytes?: number;
}

export interface ReadImagesOptions extends ImageOptions {
  /** How rows were made before, in place of size, colour, depth, range, volume and fit. */
  readonly recipe?: ImageRecipe;
  /** Called for every file that is left out. */
  readonly onSkip?: (name: string, error: VaeError) => void;
  readonly signal?: AbortSignal;
}
