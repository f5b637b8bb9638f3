/** How much memory decoding may take: a picture of some hundred bytes may say that it is 16,000 pixels a side. */
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import type { InputOf } from '../../core/options.js';
import { readingMemory } from '../memory.js';

export const pictureLimitsShape = {
  /**
   * Bytes that decoding one picture may hold, and all that are decoded at the same time. Default: a quarter of the
   * memory that this process may have, at most 512 MiB.
   */
  maxDecodeBytes: z.number().positive().optional(),
  /** Pixels of one picture. Given, it stands in place of `maxDecodeBytes` for a single picture. */
  maxPixels: z.number().positive().optional(),
};

export interface PictureLimits extends InputOf<z.ZodObject<typeof pictureLimitsShape>> {}

/** What decoding a picture takes. */
export interface DecodeCost {
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
}

/** @throws VaeError ERR_VAE_DATA for a picture that would take more than the limits allow. */
export function checkLimits({ width, height, bytes }: DecodeCost, limits: PictureLimits, name: string): void {
  const { maxPixels } = limits;
  if (maxPixels !== undefined) {
    if (width * height <= maxPixels) return;
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name}: ${width}×${height} pixels are more than the ${maxPixels} that are allowed. Raise maxPixels (--max-pixels) if that is meant.`,
    );
  }
  const most = limits.maxDecodeBytes ?? readingMemory();
  if (bytes <= most) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${name}: decoding ${width}×${height} pixels would hold ${megabytes(bytes)} MB in memory; ${megabytes(most)} MB are allowed. ` +
      `Set maxPixels to ${width * height} (--max-pixels ${width * height}) if that is meant.`,
  );
}

let held = 0;
const waiting: { readonly bytes: number; readonly most: number; readonly go: () => void }[] = [];

/** Does work once there is room for its bytes beside what is being decoded; in the order of asking. */
export async function withRoom<T>(bytes: number, limits: PictureLimits, work: () => Promise<T>): Promise<T> {
  const most = limits.maxDecodeBytes ?? readingMemory();
  // Something larger than all the room goes alone.
  if (waiting.length > 0 || (held > 0 && held + bytes > most)) {
    await new Promise<void>((go) => waiting.push({ bytes, most, go }));
  } else held += bytes;
  try {
    return await work();
  } finally {
    held -= bytes;
    while (waiting.length > 0 && (held === 0 || held + waiting[0]!.bytes <= waiting[0]!.most)) {
      const next = waiting.shift()!;
      held += next.bytes;
      next.go();
    }
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
