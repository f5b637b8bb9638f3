/** What one example is: the shape of the data, and the recipe that turns stored values into it. */
import { z } from 'zod';

const size = z
  .int()
  .positive()
  .max(1 << 20);

const INPUT_KINDS = [
  z.strictObject({ kind: z.literal('image'), height: size, width: size, channels: size.max(1024).default(1) }),
  z.strictObject({ kind: z.literal('vector'), length: size }),
] as const;

export const inputSchema = z.discriminatedUnion('kind', INPUT_KINDS, {
  error: `expected { kind: 'image', height, width, channels } or { kind: 'vector', length }`,
});

export type InputSpec = z.output<typeof inputSchema>;
export type InputOptions = z.input<typeof inputSchema>;

/** Shape of one example, channels first. */
export function dataShapeOf(input: InputSpec): number[] {
  switch (input.kind) {
    case 'image':
      return [input.channels, input.height, input.width];
    case 'vector':
      return [input.length];
  }
}

/** 8-bit values 0..255 stand for 0..1; floating-point values are taken as they are. */
export const BYTE_SCALE = 1 / 255;
