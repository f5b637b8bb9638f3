/** Sound as a data set that a codec model of sound is trained on. */
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { handleSource } from '../../archive/bytes.js';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { Dataset } from '../../data/dataset.js';
import { toDataset } from '../../data/to-dataset.js';
import { soundIn, soundPaths } from './files.js';
import { toItems } from './residuals.js';
import { SEGMENT_BYTES } from './segment.js';

const DEFAULT_WIDTH = 256;

const optionsSchema = z.strictObject({
  /** Samples in an item. Default 256, as "sound-codec" has it. */
  width: z.int().min(1).max(65536).default(DEFAULT_WIDTH),
  /** Reading ends after so many items. Default 1,000,000, which are 256 MB. */
  maxItems: z.int().min(1).default(1_000_000),
  ...signalShape,
});

export interface SoundItemsOptions extends InputOf<typeof optionsSchema> {}

/**
 * WAV files as compress() gives them to a codec model of sound: what an adaptive predictor could not tell,
 * [1, 1, width] bytes an item. Train a VAE with the likelihood `local-mixture` on them, and `toCodec()` of it
 * compresses WAV files.
 *
 * @param paths WAV files of 8 to 24 bits, and folders of them.
 * @throws VaeError ERR_VAE_DATA where there are none.
 */
export async function soundItems(paths: string | readonly string[], options: SoundItemsOptions = {}): Promise<Dataset> {
  const { width, maxItems, signal } = parseOptions(optionsSchema, options, 'soundItems()');
  const all = typeof paths === 'string' ? [paths] : paths;
  const items: Uint8Array[] = [];
  let count = 0;
  for (const path of await soundPaths(all)) {
    const part = await soundIn(path);
    // Samples of 32 bits have no items of their own: compress() takes from them what they waste, where they do.
    if (part === undefined || part.bytesPerSample === 4) continue;
    const { channels, bytesPerSample, start, frames } = part;
    const format = { channels, bytesPerSample };
    const frameBytes = channels * bytesPerSample;
    const step = Math.floor(SEGMENT_BYTES / frameBytes);
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw ioError(error, `opening ${path}`);
    });
    const source = handleSource(handle, start + frames * frameBytes, String(path));
    try {
      for (let first = 0; first < frames && count < maxItems; first += step) {
        signal?.throwIfAborted();
        const samples = await source.read(start + first * frameBytes, Math.min(step, frames - first) * frameBytes);
        const { items: made } = await toItems(samples, format, width, signal);
        items.push(made.subarray(0, (maxItems - count) * width));
        count += Math.min(maxItems - count, made.length / width);
      }
    } finally {
      await source.close();
    }
  }
  if (count === 0) {
    throw new VaeError('ERR_VAE_DATA', `soundItems(): no WAV files of 8 to 24 bits in ${all.join(', ')}.`);
  }
  return toDataset({ data: new Uint8Array(Buffer.concat(items)), shape: [count, 1, 1, width] });
}
