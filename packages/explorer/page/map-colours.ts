/** What the points of the map are coloured by. */
import { CLASSES, SCALE } from './colours.js';
import type { Painted } from './plot.js';
import type { Store } from './store.js';

export const COLOURS = {
  label: 'Label',
  score: 'Score (−ELBO)',
  error: 'Reconstruction error',
  kl: 'KL divergence',
  none: 'Nothing',
} as const;

export type ColourName = keyof typeof COLOURS;

/** Those that are known of the rows. */
export function coloursOf({ map }: Store): ColourName[] {
  const scored = map?.kl !== undefined;
  return [...(map?.labels ? (['label'] as const) : []), ...(scored ? (['score', 'error', 'kl'] as const) : []), 'none'];
}

export function colourOf(store: Store): ColourName {
  const known = coloursOf(store);
  return known.includes(store.chosen.colour as ColourName) ? (store.chosen.colour as ColourName) : known[0]!;
}

export interface Painting extends Omit<Painted, 'points'> {
  /** Of continuous values: what the ends of the scale stand for. */
  readonly range?: readonly [number, number] | undefined;
}

export function paintingOf(store: Store): Painting {
  const { map } = store;
  const name = colourOf(store);
  const of = valuesOf(store, name);
  if (map === undefined || of === undefined) return { categorical: false, colours: [CLASSES[0]!] };
  if (name === 'label') {
    const count = store.model.data.classes?.length ?? 1 + of.reduce((most, value) => Math.max(most, value), 0);
    const none = of.some((value) => value < 0);
    const colours = [
      ...Array.from({ length: count }, (_, index) => CLASSES[index % CLASSES.length]!),
      ...(none ? ['#888888'] : []),
    ];
    // A single colour would be no list.
    if (colours.length === 1) colours.push(colours[0]!);
    return { values: of.map((value) => (value < 0 ? count : value)), categorical: true, colours };
  }
  const sorted = of.slice().sort();
  const [low, high] = [sorted[Math.floor(0.01 * (sorted.length - 1))]!, sorted[Math.ceil(0.99 * (sorted.length - 1))]!];
  const span = high - low || 1;
  return {
    values: of.map((value) => Math.min(1, Math.max(0, (value - low) / span))),
    categorical: false,
    colours: SCALE,
    range: [low, high],
  };
}

function valuesOf({ map }: Store, name: ColourName): Float32Array | undefined {
  switch (name) {
    case 'label':
      return map?.labels && Float32Array.from(map.labels);
    case 'kl':
      return map?.kl;
    case 'error':
      return map?.reconstruction;
    case 'score':
      return map?.kl?.map((value, row) => value + map.reconstruction![row]!);
    case 'none':
      return undefined;
  }
}
