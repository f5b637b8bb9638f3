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
  /** 8: bytes 0 to 255. 16: float32 fractions of 65535. */
  depth: z.union([z.literal(8), z.literal(16)]),
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
