/** Products of matrices. */
import { describeShape } from '../infer/broadcast.js';
import type { Dim, Shape } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import {
  allInputs,
  broadcastOrFail,
  define,
  expectRank,
  expectType,
  float,
  int,
  sameType,
  tensor,
  unify,
} from './helpers.js';

/** The shape of a product of (stacks of) matrices, as numpy.matmul has it. */
function matmulShape(context: InferenceContext, left: number, right: number): Shape | undefined {
  const a = expectRank(context, left, 1, Number.POSITIVE_INFINITY);
  const b = expectRank(context, right, 1, Number.POSITIVE_INFINITY);
  if (a === undefined || b === undefined) return undefined;
  const rows = a.length === 1 ? [1, ...a] : a;
  const columns = b.length === 1 ? [...b, 1] : b;
  const inner = rows[rows.length - 1]!;
  const other = columns[columns.length - 2]!;
  if (typeof inner === 'number' && typeof other === 'number' && inner !== other) {
    context.fail(
      `cannot multiply ${describeShape(a)} by ${describeShape(b)}: the inner lengths ${inner} and ${other} differ.`,
    );
  }
  const stack = broadcastOrFail(context, [rows.slice(0, -2), columns.slice(0, -2)]) ?? [];
  const result: Dim[] = [...stack];
  if (a.length > 1) result.push(rows[rows.length - 2]!);
  if (b.length > 1) result.push(columns[columns.length - 1]!);
  return result;
}

function einsumShape(context: InferenceContext): Shape | undefined {
  const equation = context.string('equation').replaceAll(' ', '');
  const [left, right, ...more] = equation.split('->');
  const terms = left!.split(',');
  const valid = /^(?:[A-Za-z]*(?:\.\.\.)?[A-Za-z]*)$/;
  if (
    more.length > 0 ||
    terms.length !== context.inputs.length ||
    ![...terms, right ?? ''].every((term) => valid.test(term))
  ) {
    context.fail(
      `the equation "${equation.slice(0, 80)}" does not fit its ${context.inputs.length} inputs.`,
      'ERR_VAE_GRAPH',
    );
  }
  const lengths = new Map<string, Dim>();
  const stacks: Shape[] = [];
  let unknown = false;
  terms.forEach((term, index) => {
    const shape = context.shape(index);
    const letters = term.replace('...', '');
    const before = term.includes('...') ? term.indexOf('...') : term.length;
    if (shape === undefined) {
      unknown = true;
      return;
    }
    const extra = shape.length - letters.length;
    if (extra < 0 || (extra > 0 && before === term.length)) {
      context.fail(`the term "${term}" of the equation does not fit input ${index} of shape ${describeShape(shape)}.`);
    }
    if (term.includes('...')) stacks.push(shape.slice(before, before + extra));
    [...letters].forEach((letter, position) => {
      const dim = shape[position < before ? position : position + extra]!;
      const seen = lengths.get(letter);
      // A length of one is broadcast against another.
      if (seen === undefined || seen === 1) lengths.set(letter, dim);
      else if (dim !== 1) lengths.set(letter, unify(context, seen, dim, `the lengths of "${letter}"`));
    });
  });
  if (unknown && equation.includes('...')) return undefined;
  const stack = broadcastOrFail(context, stacks) ?? [];
  const counts = new Map<string, number>();
  for (const letter of terms.join('').replaceAll('.', '')) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  const implicit = [...counts.keys()].filter((letter) => counts.get(letter) === 1).sort();
  const output = right ?? `${equation.includes('...') ? '...' : ''}${implicit.join('')}`;
  const shapeOf = (letters: string) =>
    [...letters].map((letter) => {
      if (!counts.has(letter))
        context.fail(`the equation "${equation.slice(0, 80)}" makes "${letter}" from nothing.`, 'ERR_VAE_GRAPH');
      return lengths.get(letter) ?? context.freshDim();
    });
  const [head, tail] = output.split('...');
  return tail === undefined ? shapeOf(head!) : [...shapeOf(head!), ...stack, ...shapeOf(tail)];
}

export const MATMUL: readonly OperatorDefinition[] = [
  define('MatMul', {
    inputs: 2,
    infer: (context) => [tensor(sameType(context, [0, 1], 'number'), matmulShape(context, 0, 1))],
  }),
  define('Gemm', {
    inputs: [2, 3],
    attributes: { alpha: float(1), beta: float(1), transA: int(0), transB: int(0) },
    infer: (context) => {
      const dtype = sameType(context, [0, 1, 2], 'number');
      const a = expectRank(context, 0, 2);
      const b = expectRank(context, 1, 2);
      if (a === undefined || b === undefined)
        return [tensor(dtype, a || b ? [context.freshDim(), context.freshDim()] : undefined)];
      const [rows, inner] = context.int('transA') !== 0 ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
      const [other, columns] = context.int('transB') !== 0 ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
      unify(context, inner, other, 'the inner lengths of A and B');
      const c = context.shape(2);
      if (c !== undefined) {
        const merged = broadcastOrFail(context, [[rows, columns], c])!;
        const grown = merged.some(
          (dim, axis) =>
            typeof dim === 'number' && dim !== (axis === 0 ? rows : columns) && [rows, columns][axis] === 1,
        );
        if (merged.length > 2 || grown)
          context.fail(`C of shape ${describeShape(c)} cannot be broadcast to [${rows}, ${columns}].`);
      }
      return [tensor(dtype, [rows, columns])];
    },
  }),
  define('Einsum', {
    inputs: [1, Number.POSITIVE_INFINITY],
    attributes: { equation: 'string' },
    infer: (context) => [tensor(sameType(context, allInputs(context), 'number'), einsumShape(context))],
  }),
  define('MatMulInteger', {
    inputs: [2, 4],
    infer: (context) => {
      expectType(context, 0, 'byte');
      expectType(context, 1, 'byte');
      return [tensor('int32', matmulShape(context, 0, 1))];
    },
  }),
  define('QLinearMatMul', {
    inputs: 8,
    infer: (context) => [tensor(context.input(7).dtype, matmulShape(context, 0, 3))],
  }),
  define('Det', {
    infer: (context) => {
      const shape = expectRank(context, 0, 2, Number.POSITIVE_INFINITY);
      if (shape !== undefined)
        unify(context, shape[shape.length - 1]!, shape[shape.length - 2]!, 'the sides of the matrices');
      return [tensor(expectType(context, 0, 'float'), shape?.slice(0, -2))];
    },
  }),
];
