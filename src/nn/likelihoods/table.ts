import { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import { ZEROS } from '../initializers.js';
import type { Scope } from '../scope.js';
import { defineLikelihood } from './likelihood.js';

const LOG_2PI = Math.log(2 * Math.PI);

/** Columns of few distinct values would otherwise have their density grow without end. */
const LEAST_VARIANCE = 1e-3;

/**
 * Rows of a table: a normal density for each numeric column, with a learned variance of its own, and
 * probabilities for each categorical one (Nazábal et al., Handling Incomplete Heterogeneous Data using VAEs,
 * 2020, section 3.1, with the observed part of the data as in its equation 2). A row is, one after
 * another: `numeric` standardised numbers; for each of the first `masked` of them 1 where it was observed, else
 * 0; and a one-hot code of each categorical column, all zeros where it was not observed. What was not
 * observed costs nothing; the flags themselves are not modelled, and come out as 1.
 */
export const table = defineLikelihood({
  schema: z.strictObject({
    type: z.literal('table'),
    numeric: z.int().min(0).max(65536),
    masked: z.int().min(0).max(65536).default(0),
    /** Number of values of each categorical column. */
    categories: z.array(z.int().min(1).max(65536)).max(4096).default([]),
  }),
  make: ({ numeric, masked, categories }) => {
    const sizes = [masked, numeric - masked, masked, ...categories];
    return {
      heads: [{ name: 'output', perValue: 1 }],
      domain: 'real',
      negativeLog: (scope, x, [head]) => {
        const { g } = scope;
        const parts: Value[] = [];
        const given = cut(scope, x, sizes);
        const said = cut(scope, head!, sizes);
        if (numeric > 0) {
          const raw = scope.parameter('log_variance', [numeric], ZEROS, { decay: false });
          const variance = g.op('Add', [g.op('Exp', [raw]), g.scalar(LEAST_VARIANCE)]);
          const [left, right] = splitVector(scope, variance, [masked, numeric - masked]);
          if (masked > 0) {
            const flags = given[2]!;
            parts.push(g.op('Mul', [normal(scope, given[0]!, said[0]!, left!), flags]));
            if (numeric > masked) parts.push(normal(scope, given[1]!, said[1]!, right!));
            parts.push(g.op('Mul', [flags, g.scalar(0)]));
          } else parts.push(normal(scope, given[1]!, said[1]!, right!));
        }
        categories.forEach((_, index) => {
          const logits = g.op('LogSoftmax', [said[3 + index]], { axis: 1 });
          parts.push(g.op('Neg', [g.op('Mul', [given[3 + index], logits])]));
        });
        return parts.length === 1 ? parts[0]! : g.op('Concat', parts, { axis: 1 });
      },
      mean: (scope, [head]) => {
        const { g } = scope;
        const said = cut(scope, head!, sizes);
        const parts = sizes.flatMap((size, index) => {
          if (size === 0) return [];
          if (index < 2) return [said[index]!];
          if (index === 2) return [g.op('Add', [g.op('Mul', [said[2], g.scalar(0)]), g.scalar(1)])];
          return [g.op('Softmax', [said[index]], { axis: 1 })];
        });
        return parts.length === 1 ? parts[0]! : g.op('Concat', parts, { axis: 1 });
      },
    };
  },
});

function normal({ g }: Scope, x: Value, mean: Value, variance: Value): Value {
  const difference = g.op('Sub', [x, mean]);
  const scaled = g.op('Div', [g.op('Mul', [difference, difference]), variance]);
  const terms = g.op('Add', [scaled, g.op('Log', [variance])]);
  return g.op('Mul', [g.op('Add', [terms, g.scalar(LOG_2PI)]), g.scalar(0.5)]);
}

/** [N, …] in pieces of these widths; nothing for a width of 0. */
function cut({ g }: Scope, x: Value, sizes: readonly number[]): (Value | undefined)[] {
  let start = 0;
  const used = sizes.filter((size) => size > 0).length;
  return sizes.map((size) => {
    if (size === 0) return undefined;
    if (used === 1) return x;
    const piece = g.op('Slice', [x, g.int64s([start]), g.int64s([start + size]), g.int64s([1])]);
    start += size;
    return piece;
  });
}

function splitVector({ g }: Scope, x: Value, sizes: readonly number[]): (Value | undefined)[] {
  let start = 0;
  return sizes.map((size) => {
    if (size === 0) return undefined;
    if (sizes.includes(0)) return x;
    const piece = g.op('Slice', [x, g.int64s([start]), g.int64s([start + size]), g.int64s([0])]);
    start += size;
    return piece;
  });
}
