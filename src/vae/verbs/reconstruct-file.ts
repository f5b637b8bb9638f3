/** vae.reconstructFile() */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { RebuiltFile } from '../files.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...signalShape,
  /** Sound: see AudioOptions. */
  acceptTruncated: z.boolean().optional(),
  /** Sound: bits of a sample of the file written; 32 are floats. Default 16. */
  bits: z.union([z.literal(8), z.literal(16), z.literal(24), z.literal(32)]).optional(),
  /**
   * Video, models of single frames: each frame is decoded from the weighted mean of the latents of so many frames around
   * it, an odd number. More flickers less, and blurs what moves. Default 1: every frame by itself.
   */
  window: z.number().default(1),
  /** Pictures: which page or frame of a file with several, from 0. */
  page: z.int().min(0).optional(),
  /** Pictures: refuses files with oddities that decoders can pass over. Default false. */
  strict: z.boolean().optional(),
  /** Pictures: the largest number of pixels, in place of the limit in bytes. */
  maxPixels: z.number().positive().optional(),
});

export interface ReconstructFileOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * Passes a file of the kind the model was trained on through it, and writes what comes out: pictures (whole ones of
     * any size, for models of crops) as PNG, sound as WAV, video as .y4m or through ffmpeg, tables as CSV or JSON lines with
     * missing values filled in. Sound and video of any length need the memory of a few rows.
     *
     * @returns how far the result is from the original.
     * @throws VaeError ERR_VAE_OPTION for a model that was trained on arrays; ERR_VAE_IO, ERR_VAE_FORMAT.
     */
    reconstructFile(input: string, output: string, options?: ReconstructFileOptions): Promise<RebuiltFile>;
  }
}

export function reconstructFile(
  this: Vae,
  input: string,
  output: string,
  options: ReconstructFileOptions = {},
): Promise<RebuiltFile> {
  return stateOf(this).lifetime.run(async () => {
    const call = parseOptions(schema, options, 'reconstructFile()');
    const { rebuildFile } = await import('../files.js');
    return rebuildFile(this, input, output, call);
  });
}
