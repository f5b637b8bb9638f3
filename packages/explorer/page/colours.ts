/** Colours that people with every kind of colour vision can tell apart. */

/** Ten colours of Petroff 2021, "Accessible color sequences for data visualization". */
export const CLASSES = [
  '#3f90da',
  '#ffa90e',
  '#bd1f01',
  '#94a4a2',
  '#832db6',
  '#a96b59',
  '#e76300',
  '#b9ac70',
  '#717581',
  '#92dadd',
];

/** Points of "viridis" (van der Walt and Smith 2015). */
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

export function heat(part: number): [number, number, number] {
  const place = Math.min(1, Math.max(0, part)) * (VIRIDIS.length - 1);
  const index = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const [from, to] = [VIRIDIS[index]!, VIRIDIS[index + 1]!];
  return [0, 1, 2].map((at) => Math.round(from[at]! + (to[at]! - from[at]!) * (place - index))) as [
    number,
    number,
    number,
  ];
}

function hex([red, green, blue]: readonly number[]): string {
  return `#${[red, green, blue].map((value) => value!.toString(16).padStart(2, '0')).join('')}`;
}

/** Of much and little, as many steps as are told apart. */
export const SCALE = Array.from({ length: 64 }, (_, index) => hex(heat(index / 63)));

export const SCALE_CSS = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((part) => hex(heat(part))).join(', ')})`;
