import { VaeError } from '../../core/errors.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import { heatPictures } from '../colour-map.js';
import type { Figure } from '../figure.js';
import { drawSheet } from '../images/contact-sheet.js';
import { toPictures } from '../images/pixels.js';

/**
 * Where examples differ from their reconstructions: for anomalies.
 *
 * @param originals [N, channels, height, width], uint8 0 to 255 or floats 0 to 1; the worst first.
 * @throws VaeError ERR_VAE_SHAPE where the two differ in shape.
 */
export function residuals(originals: ArrayWithShape, reconstructed: ArrayWithShape): Figure {
  if (originals.shape.join() !== reconstructed.shape.join() || originals.shape.length !== 4) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `residuals(): expected two arrays [N, channels, height, width] alike, received [${originals.shape.join(', ')}] and [${reconstructed.shape.join(', ')}].`,
    );
  }
  const [count, channels, height, width] = originals.shape as [number, number, number, number];
  const scale = originals.data instanceof Uint8Array ? 1 / 255 : 1;
  const plane = height * width;
  const maps = new Float32Array(count * plane);
  for (let at = 0; at < maps.length; at += 1) {
    const picture = Math.floor(at / plane);
    for (let channel = 0; channel < channels; channel += 1) {
      const place = (picture * channels + channel) * plane + (at % plane);
      maps[at]! += Math.abs(Number(originals.data[place]) * scale - Number(reconstructed.data[place])) / channels;
    }
  }
  const heat = heatPictures(maps, [count, height, width]);
  const rows = [
    { pictures: toPictures(originals, 'residuals()'), label: 'original' },
    { pictures: toPictures(reconstructed, 'residuals()'), label: 'reconstruction' },
    { pictures: toPictures({ data: heat.data, shape: heat.shape }, 'residuals()'), label: 'difference' },
  ];
  return {
    id: 'residuals',
    title: 'What the model cannot explain',
    caption:
      'The examples with the lowest bound of log p(x), worst first; under each its reconstruction and the absolute difference of both, ' +
      `from 0 (dark) to ${heat.highest.toFixed(2)} of the range of values (light).`,
    description: `${count} examples with reconstructions and heat maps of the difference.`,
    draw: (layout) => drawSheet(rows, layout, layout.narrow ? 2 : 1),
  };
}
