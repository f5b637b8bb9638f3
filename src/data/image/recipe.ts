import { z } from 'zod';

export const COLOURS = ['grey', 'rgb', 'rgba'] as const;
export const FITS = ['cover', 'contain', 'fill'] as const;
const side = z.int().positive().max(16384);

/** How picture files become rows; in config.json under `data`, so that serving does as training did. */
export const imageRecipeSchema = z.strictObject({
  kind: z.literal('image'),
  height: side,
  width: side,
  colour: z.enum(COLOURS),
  /** 8: bytes 0 to 255. 16: float32 fractions, of 65535 or of `range`. 32: float32, the values of the files. */
  depth: z.union([z.literal(8), z.literal(16), z.literal(32)]),
  /** Values that become 0 and 1 (0 and 255 with depth 8). Bytes go from 0 to 255 unless `clip` is set. */
  range: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, 'expected a lower and a higher value')
    .optional(),
  /** Whether values outside of `range` are cut to it, as was asked for; else they are refused. */
  clip: z.literal(true).optional(),
  /** Whether every page or frame of a file is a row; else the first. */
  pages: z.literal('all').optional(),
  /** Pages of a row, for volumes: rows are [channels, volume, height, width]. */
  volume: z.int().positive().max(4096).optional(),
  /**
   * Values as they are stored, by no colour profile, and grey by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B). Absent in
   * models of releases that brought colours to sRGB by their profiles, and made grey of linear light.
   */
  values: z.literal('stored').optional(),
  /**
   * How a picture of other sides is brought to these: `cover` cuts off what stands out, `contain` adds black bars,
   * `fill` stretches.
   */
  fit: z.enum(FITS),
  /**
   * Whether rows are crops of pictures at their own size: then `height` and `width` are those of a crop, and
   * pictures of any size are encoded whole.
   */
  anySize: z.boolean(),
});

export interface ImageRecipe extends z.output<typeof imageRecipeSchema> {}
export type Colour = ImageRecipe['colour'];

export const CHANNELS: Readonly<Record<Colour, 1 | 3 | 4>> = { grey: 1, rgb: 3, rgba: 4 };

/** [channels, height, width], or [channels, volume, height, width]. */
export function imageRowShape({ colour, height, width, volume }: ImageRecipe): number[] {
  return volume === undefined ? [CHANNELS[colour], height, width] : [CHANNELS[colour], volume, height, width];
}
