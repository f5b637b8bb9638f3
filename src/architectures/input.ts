/** What one example is: the shape of the data, and the recipe that turns stored values into it. */
import { z } from 'zod';
import type { InputOf } from '../core/options.js';

const size = z
  .int()
  .positive()
  .max(1 << 20);

const channels = size.max(1024);

const INPUT_KINDS = [
  z.strictObject({ kind: z.literal('image'), height: size, width: size, channels: channels.default(1) }),
  z.strictObject({ kind: z.literal('vector'), length: size }),
  z.strictObject({ kind: z.literal('sequence'), length: size, channels: channels.default(1) }),
  z.strictObject({ kind: z.literal('video'), frames: size, height: size, width: size, channels: channels.default(1) }),
] as const;

export const inputSchema = z.discriminatedUnion('kind', INPUT_KINDS, {
  error:
    `expected { kind: 'image', height, width, channels }, { kind: 'vector', length }, ` +
    `{ kind: 'sequence', length, channels } or { kind: 'video', frames, height, width, channels }`,
});

export type InputSpec = z.output<typeof inputSchema>;
export type InputOptions = InputOf<typeof inputSchema>;

/** Shape of one example, channels first. */
export function dataShapeOf(input: InputSpec): number[] {
  switch (input.kind) {
    case 'image':
      return [input.channels, input.height, input.width];
    case 'vector':
      return [input.length];
    case 'sequence':
      return [input.channels, input.length];
    case 'video':
      return [input.channels, input.frames, input.height, input.width];
  }
}

/** 8-bit values 0..255 stand for 0..1; floating-point values are taken as they are. */
export const BYTE_SCALE = 1 / 255;
