/** Headers of archives of pictures with loss. */
import { z } from 'zod';
import { checkedHeader, type Header } from '../../archive/format.js';

/** What headers call the kind. */
export const PICTURES = 'pictures';

const schema = z.strictObject({
  /** SHA-256 of the lossy model, in hexadecimal. */
  model: z.string().regex(/^[0-9a-f]{64}$/),
  kind: z.literal(PICTURES),
});

/** Pictures of any size, compressed with loss. Everything else about them stands with each picture. */
export interface PictureArchiveHeader extends z.output<typeof schema> {
  readonly [key: string]: unknown;
}

/** @throws VaeError ERR_VAE_FORMAT naming the key that is wrong. */
export function readPictureArchiveHeader(value: Header): {
  readonly header: PictureArchiveHeader;
  readonly itemSize: number;
} {
  return { header: checkedHeader(schema, value), itemSize: 0 };
}
