/** One-hot codes within a vector as learned vectors: Guo and Berkhahn, Entity Embeddings of Categorical Variables, 2016. */
import { z } from 'zod';
import type { Value } from '../graph/builder.js';
import { linear } from './layers.js';
import type { Scope } from './scope.js';

/** A one-hot code within a row: `values` places from `start` on become `size` numbers. */
export const embeddedCodeSchema = z.strictObject({
  start: z.int().min(0),
  values: z.int().positive().max(65536),
  size: z.int().positive().max(4096),
});

export type EmbeddedCode = z.output<typeof embeddedCodeSchema>;

/** Why these codes do not fit rows of this width, if they do not. */
export function refuseCodes(codes: readonly EmbeddedCode[], width: number): string | undefined {
  let end = 0;
  for (const { start, values } of codes) {
    if (start < end)
      return `"embed" names codes in the order of their places, apart from each other; one starts at ${start}, before ${end}`;
    end = start + values;
  }
  return end > width ? `"embed" reaches to place ${end}, and rows have ${width} values` : undefined;
}

/** Width of a row after embedding. */
export function embeddedWidth(codes: readonly EmbeddedCode[], width: number): number {
  return codes.reduce((sum, { values, size }) => sum + size - values, width);
}

/**
 * [N, width] with each code replaced by its vector. The product of a one-hot code with a matrix is the matrix's row; a
 * code of zeros, a value that is missing, becomes the bias: a vector of its own.
 */
export function embedCodes(scope: Scope, x: Value, codes: readonly EmbeddedCode[], width: number): Value {
  if (codes.length === 0) return x;
  const { g } = scope;
  const cut = (start: number, end: number): Value =>
    g.op('Slice', [x, g.int64s([start]), g.int64s([end]), g.int64s([1])]);
  const parts: Value[] = [];
  let at = 0;
  codes.forEach(({ start, values, size }, index) => {
    if (start > at) parts.push(cut(at, start));
    at = start + values;
    parts.push(linear(scope.at('embedding').at(index), cut(start, at), values, size, { kind: 'normal', std: 1 }));
  });
  if (at < width) parts.push(cut(at, width));
  return parts.length === 1 ? parts[0]! : g.op('Concat', parts, { axis: 1 });
}
