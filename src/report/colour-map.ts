/** Numbers as colours that people with every kind of colour vision read in the same order. */

/** Points of "viridis" (van der Walt and Smith 2015), dark for little, light for much. */
const VIRIDIS = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
] as const;

/** Red, green and blue, 0 to 255 each, of a part from 0 to 1; what lies outside is clipped. */
export function heat(part: number): [red: number, green: number, blue: number] {
  const place = Math.min(1, Math.max(0, part)) * (VIRIDIS.length - 1);
  const index = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const [from, to] = [VIRIDIS[index]!, VIRIDIS[index + 1]!];
  const between = (channel: 0 | 1 | 2): number =>
    Math.round(from[channel] + (to[channel] - from[channel]) * (place - index));
  return [between(0), between(1), between(2)];
}

/** Values from `low` to `high` as red, green and blue, 0 to 255 each; what lies outside is clipped. */
export function heatColours(values: ArrayLike<number>, low: number, high: number): Uint8Array {
  const out = new Uint8Array(values.length * 3);
  const span = Math.max(high - low, 1e-12);
  for (let at = 0; at < values.length; at += 1) out.set(heat((values[at]! - low) / span), 3 * at);
  return out;
}

/** Maps [N, height, width] as pictures [N, 3, height, width] on one scale from 0 to their largest value. */
export function heatPictures(
  maps: Float32Array,
  [count, height, width]: readonly [number, number, number],
): { data: Uint8Array; shape: readonly number[]; highest: number } {
  const highest = maps.reduce((most, value) => Math.max(most, value), 0);
  const plane = height * width;
  const data = new Uint8Array(3 * maps.length);
  const colours = heatColours(maps, 0, highest);
  for (let at = 0; at < maps.length; at += 1) {
    const picture = Math.floor(at / plane);
    for (let channel = 0; channel < 3; channel += 1) {
      data[(picture * 3 + channel) * plane + (at % plane)] = colours[3 * at + channel]!;
    }
  }
  return { data, shape: [count, 3, height, width], highest };
}
