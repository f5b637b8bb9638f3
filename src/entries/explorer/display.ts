/** How the rows of a model are to be shown. */
import type { DataRecipe } from '../../data/recipe.js';
import { layoutOf, type TableRecipe } from '../../data/table/recipe.js';
import type { ByteRange } from '../../inference/networks.js';
import type { Display, DisplayColumn } from './types.js';

/** Frames a second of clips whose recipe does not say. */
const USUAL_FPS = 12;

/** @param bytes what 8-bit values stand for, which is the range of pictures. */
export function displayOf(rowShape: readonly number[], recipe: DataRecipe | undefined, bytes: ByteRange): Display {
  if (recipe?.kind === 'table') return { kind: 'table', columns: columnsOf(recipe) };
  if (recipe?.kind === 'audio') {
    const { channels, frame, sampleRate, mean, deviation, mel } = recipe;
    return { kind: 'sound', channels, frame, sampleRate, mean, deviation, ...(mel && { mel }) };
  }
  // Of arrays that are scaled by their own deviations, bytes stand for themselves.
  const range = bytes.scale === 1 ? ([0, 255] as const) : ([bytes.offset, 255 * bytes.scale + bytes.offset] as const);
  const [channels = 1, ...sides] = rowShape;
  const picture = [1, 3, 4].includes(channels);
  if (picture && sides.length === 2) {
    return { kind: 'image', channels, height: sides[0]!, width: sides[1]!, range };
  }
  if (picture && sides.length === 3) {
    const fps = recipe?.kind === 'video' ? recipe.rate[0] / recipe.rate[1] : USUAL_FPS;
    const [frames, height, width] = sides as [number, number, number];
    return { kind: 'video', channels, frames, height, width, range, fps };
  }
  return { kind: 'vector', length: rowShape.reduce((size, side) => size * side, 1) };
}

function columnsOf(recipe: TableRecipe): DisplayColumn[] {
  const { numeric, masked, categories } = layoutOf(recipe);
  const found = new Map<string, DisplayColumn>();
  for (const [at, { name, mean, deviation, decimals, unit, date }] of numeric.entries()) {
    found.set(name, {
      ...{ name, at, mean, deviation, decimals },
      ...(at < masked && { flag: numeric.length + at }),
      ...(unit && { prefix: unit.prefix, suffix: unit.suffix }),
      ...(date && { date: true }),
    });
  }
  for (const { column, start } of categories) {
    found.set(column.name, { name: column.name, at: start, values: column.values });
  }
  // In the order of the table.
  return recipe.columns.map(({ name }) => found.get(name)!);
}
