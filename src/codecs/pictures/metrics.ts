/** How near a picture is to its original: PSNR and MS-SSIM. */
import { loadAddon } from '../../binding/index.js';
import { Lifetime } from '../../core/disposal.js';
import { VaeError } from '../../core/errors.js';
import { psnrOfError } from '../../data/image/psnr.js';
import type { Picture } from './picture.js';

/** Exponents of the five scales (Wang, Simoncelli and Bovik 2003, section 3); the rest is in native/pictures. */
const EXPONENTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/** Below this the smallest scale has no window of 11 pixels left. */
const LEAST_MS_SSIM_SIDE = 11 * 2 ** (EXPONENTS.length - 1);

export interface PictureQuality {
  /** Peak signal-to-noise ratio over all channels in decibels; Infinity for equal pictures. */
  readonly psnr: number;
  /** Multi-scale structural similarity, mean over channels, 0..1; undefined below 176 pixels a side. */
  readonly msSsim: number | undefined;
}

/** Compares pictures off the JavaScript thread, row by row: it takes some megabytes, however large they are. */
export class PictureMetrics implements AsyncDisposable {
  readonly #lifetime = new Lifetime('PictureMetrics');

  /** @throws VaeError ERR_VAE_SHAPE unless both have the same size and channels. */
  compare(original: Picture, other: Picture): Promise<PictureQuality> {
    return this.#lifetime.run(async () => {
      const { width, height, channels, data } = original;
      if (width !== other.width || height !== other.height || channels !== other.channels) {
        throw new VaeError(
          'ERR_VAE_SHAPE',
          `PictureMetrics: expected two pictures of one size, received ${width} × ${height} × ${channels} and ${other.width} × ${other.height} × ${other.channels}.`,
        );
      }
      const size = { width, height, channels };
      const addon = loadAddon();
      const found = await Promise.all(
        Array.from({ length: channels }, (_, channel) => addon.pictureDifference(data, other.data, size, channel)),
      );
      const squares = found.reduce((sum, [own]) => sum + own!, 0);
      const psnr = psnrOfError(squares / data.length, 255);
      if (Math.min(width, height) < LEAST_MS_SSIM_SIDE) return { psnr, msSsim: undefined };
      return { psnr, msSsim: found.reduce((sum, [, ...means]) => sum + similarityOf(means), 0) / channels };
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close(async () => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Equation 7. A negative mean has no real power; such pictures have nothing in common. */
function similarityOf(means: readonly number[]): number {
  return means.reduce((product, mean, scale) => product * Math.max(0, mean) ** EXPONENTS[scale]!, 1);
}
