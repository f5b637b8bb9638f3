/** Headers of archives of photographs. */
import { z } from 'zod';
import { checkedHeader, type Header } from '../../archive/format.js';
import { VaeError } from '../../core/errors.js';

/** What headers call the kind. */
export const PHOTOGRAPHS = 'photographs';
/** How the records of such archives are laid out; a change that this reader could not follow has another number. */
export const LAYOUT = 1;

const schema = z.strictObject({
  kind: z.literal(PHOTOGRAPHS),
  layout: z.int().min(1),
  /** SHA-256 of the model that coded tiles, in hexadecimal. Absent where none did. */
  model: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** How that model's tiles are coded: PhotoCodec.version. */
  coding: z.int().min(1).optional(),
});

/** Pictures of any size, without loss. */
export interface PhotographHeader extends z.output<typeof schema> {
  readonly [key: string]: unknown;
}

/** @throws VaeError ERR_VAE_FORMAT naming the key that is wrong, ERR_VAE_REPRODUCIBILITY for the layout of a later release. */
export function readPhotographHeader(value: Header): { readonly header: PhotographHeader; readonly itemSize: number } {
  const { layout } = value;
  if (typeof layout === 'number' && layout > LAYOUT) {
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `The archive of photographs has layout ${layout}, this node-vae reads layouts up to ${LAYOUT}: use a newer one.`,
    );
  }
  return { header: checkedHeader(schema, value), itemSize: 0 };
}
