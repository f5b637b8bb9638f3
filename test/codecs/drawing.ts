/** Pictures with edges, slopes and texture, the same for the same seed. */
import type { Picture } from '../../src/codecs/index.js';
import { randomNumbers } from './random-spec.js';

export function drawing(seed: number, width: number, height: number, channels: 1 | 3 = 3): Picture {
  const random = randomNumbers(seed);
  const shapes = Array.from({ length: 12 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: (0.05 + 0.25 * random()) * Math.max(width, height),
    colour: [random() * 255, random() * 255, random() * 255],
    stripes: random() < 0.3 ? 0.2 + random() : 0,
  }));
  const slope = [random() * 100, random() * 100, random() * 100];
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const over = shapes.findLast((shape) => (x - shape.x) ** 2 + (y - shape.y) ** 2 < shape.radius ** 2);
      for (let channel = 0; channel < channels; channel += 1) {
        const base = over ? over.colour[channel]! : 60 + (slope[channel]! * (x + y)) / (width + height);
        const texture = over?.stripes ? 40 * Math.sin(over.stripes * (x + 2 * y)) : 0;
        data[(y * width + x) * channels + channel] = Math.min(255, Math.max(0, base + texture + 4 * random()));
      }
    }
  }
  return { width, height, channels, data };
}
