/** Small codec models with random numbers: for tests of everything around the model. */
import type { IntegerLayer, ItemCodecSpec } from '../../src/binding/coder.js';

/** A generator of numbers in [0, 1) that is the same everywhere (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `upper` has the latents of the levels above the first. */
export function randomSpec(
  seed: number,
  height = 6,
  width = 5,
  channels = 1,
  upper: readonly number[] = [],
): ItemCodecSpec {
  const random = randomNumbers(seed);
  const within = (range: number) => Math.round((random() * 2 - 1) * range);
  const layer = (inputs: number, outputs: number, low: number, high: number): IntegerLayer => ({
    inputs,
    outputs,
    weights: Int16Array.from({ length: inputs * outputs }, () => within(200)),
    bias: Int32Array.from({ length: outputs }, () => within(100_000)),
    shift: new Uint8Array(outputs).fill(8),
    low,
    high,
  });
  const [latents, features, components, hidden] = [3, 2, 3, 17];
  const neighbours = [1, -1, 1, 0, 1, 1, 0, -2, 0, -1];
  const size = height * width * channels;
  return {
    height,
    width,
    channels,
    latents,
    latentBits: 8,
    features,
    components,
    neighbours: Int32Array.from(neighbours),
    encoder: [layer(size, hidden, 0, 4095), layer(hidden, 2 * latents, -8000, 8000)],
    decoder: [layer(latents, hidden, 0, 4095), layer(hidden, size * features, -2000, 2000)],
    local: [
      layer(neighbours.length / 2 + features, hidden, 0, 4095),
      layer(hidden + neighbours.length / 2, 3 * components + 1, -32768, 32767),
    ],
    levels: upper.map((size, index) => {
      const below = upper[index - 1] ?? latents;
      return {
        latents: size,
        encoder: [layer(below, hidden, 0, 4095), layer(hidden, 2 * size, -8000, 8000)],
        prior: [layer(size, 2 * below, -8000, 8000)],
      };
    }),
  };
}

/** Items from flat to noisy. */
export function randomItems(seed: number, count: number, size: number, density = 0.3): Uint8Array {
  const random = randomNumbers(seed);
  return Uint8Array.from({ length: count * size }, () => (random() < density ? Math.floor(random() * 256) : 0));
}
