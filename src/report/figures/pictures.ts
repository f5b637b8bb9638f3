import { VaeError } from '../../core/errors.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import type { Figure } from '../figure.js';
import { drawSheet } from '../images/contact-sheet.js';
import { toPictures } from '../images/pixels.js';

export interface ReconstructionsOptions {
  /** Whether the model was trained on these very examples. Default false. */
  readonly seenInTraining?: boolean;
}

/**
 * Originals above their reconstructions.
 *
 * @param originals [N, channels, height, width], uint8 0 to 255 or floating-point 0 to 1; so are the others.
 * @throws VaeError ERR_VAE_SHAPE where the two differ in shape.
 */
export function reconstructions(
  originals: ArrayWithShape,
  reconstructed: ArrayWithShape,
  options: ReconstructionsOptions = {},
): Figure {
  if (originals.shape.join() !== reconstructed.shape.join()) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `reconstructions(): originals have shape [${originals.shape.join(', ')}], reconstructions [${reconstructed.shape.join(', ')}].`,
    );
  }
  const above = toPictures(originals, 'reconstructions()');
  const below = toPictures(reconstructed, 'reconstructions()');
  return {
    id: 'reconstructions',
    title: 'Originals and reconstructions',
    caption:
      `Examples the model was ${options.seenInTraining ? '' : 'not '}trained on, each above what the decoder makes of its ` +
      'posterior mean. What is lost is what the latent dimensions could not hold.',
    description: `${above.count} originals, each above its reconstruction.`,
    draw: (layout) =>
      drawSheet(
        [
          { pictures: above, label: 'original' },
          { pictures: below, label: 'reconstruction' },
        ],
        layout,
        layout.narrow ? 4 : 3,
      ),
  };
}

/** Decoded draws from the prior; `images` as for `reconstructions`. */
export function priorSamples(images: ArrayWithShape): Figure {
  const pictures = toPictures(images, 'priorSamples()');
  return {
    id: 'samples',
    title: 'Samples from the prior',
    caption: 'New examples: latents drawn from the standard normal prior, then decoded. None of them is in the data.',
    description: `${pictures.count} generated pictures.`,
    draw: (layout) => drawSheet([{ pictures }], layout, layout.narrow ? 9 : 7),
  };
}
