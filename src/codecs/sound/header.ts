/** Headers of archives of sound files. */
import { z } from 'zod';
import type { CompactKind } from '../../archive/compact.js';
import { checkedHeader, type Header } from '../../archive/format.js';

/** What headers call the kind. */
export const SOUNDS = 'sounds';

const schema = z.strictObject({
  /** SHA-256 of the codec model, in hexadecimal. Absent where no chunk needs one. */
  model: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  kind: z.literal(SOUNDS),
});

/** Sound files of any length, without loss. Each chunk is a part of one file. */
export interface SoundArchiveHeader extends z.output<typeof schema> {
  readonly [key: string]: unknown;
}

/** @throws VaeError ERR_VAE_FORMAT naming the key that is wrong. */
export function readSoundHeader(value: Header): { readonly header: SoundArchiveHeader; readonly itemSize: number } {
  return { header: checkedHeader(schema, value), itemSize: 0 };
}

/** The shape of a sound is the length of its part. */
export const compactSounds: CompactKind = {
  ...{ kind: SOUNDS, code: 3 },
  toShape: (_, data) => ({ itemShape: [data.length], rowShape: [], name: '' }),
  fromShape: () => ({ kind: SOUNDS }),
};
