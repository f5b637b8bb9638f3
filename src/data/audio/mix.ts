/** Many channels to two or one, by where they belong (ITU-R BS.775-3, annex 4). */

/** Bits of a WAV file's channel mask. */
const SPEAKER = {
  frontLeft: 0x1,
  frontRight: 0x2,
  frontCentre: 0x4,
  lowFrequency: 0x8,
  backLeft: 0x10,
  backRight: 0x20,
  leftOfCentre: 0x40,
  rightOfCentre: 0x80,
  backCentre: 0x100,
  sideLeft: 0x200,
  sideRight: 0x400,
} as const;

const HALF_POWER = Math.SQRT1_2;

/** What each place gives to left and right; all others, as those for low frequencies, give nothing. */
const PARTS: ReadonlyMap<number, readonly [number, number]> = new Map([
  [SPEAKER.frontLeft, [1, 0]],
  [SPEAKER.frontRight, [0, 1]],
  [SPEAKER.frontCentre, [HALF_POWER, HALF_POWER]],
  [SPEAKER.backLeft, [HALF_POWER, 0]],
  [SPEAKER.backRight, [0, HALF_POWER]],
  [SPEAKER.leftOfCentre, [1, 0]],
  [SPEAKER.rightOfCentre, [0, 1]],
  [SPEAKER.backCentre, [0.5, 0.5]],
  [SPEAKER.sideLeft, [HALF_POWER, 0]],
  [SPEAKER.sideRight, [0, HALF_POWER]],
]);

/** What files without a mask mean by so many channels: 3.0, quadraphonic, 5.0, 5.1, 6.1, 7.1. */
const USUAL: Readonly<Record<number, number | undefined>> = { 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3f, 7: 0x70f, 8: 0x63f };

/**
 * Weights of each channel in left and right.
 *
 * @returns undefined where nothing is known of where the channels belong.
 */
export function stereoWeights(channels: number, mask: number): (readonly [number, number])[] | undefined {
  const places: number[] = [];
  const layout = mask === 0 ? (USUAL[channels] ?? 0) : mask;
  for (let bit = 1; bit <= 0x20000; bit *= 2) if (layout & bit) places.push(bit);
  if (places.length !== channels) return undefined;
  return places.map((place) => PARTS.get(place) ?? [0, 0]);
}
