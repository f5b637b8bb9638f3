import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import type { InputOf } from '../core/options.js';
import type { Encoding } from './call-options.js';

export const wholePictureSchema = z.strictObject(signalShape);

export interface WholePictureOptions extends InputOf<typeof wholePictureSchema> {}

export interface EncodedPicture extends Encoding {
  /** Sides of the picture; the latents may stand for a few rows and columns more. */
  readonly width: number;
  readonly height: number;
}
