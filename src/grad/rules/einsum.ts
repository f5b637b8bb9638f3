/** Einsum: the gradient of an operand is an Einsum of the result's gradient with the other operands. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';

interface Equation {
  readonly operands: readonly string[];
  readonly result: string;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The equation with one letter per axis: spaces gone, an ellipsis spelt out, the result written down. */
function parseEquation(text: string, ranks: readonly number[], fail: (reason: string) => never): Equation {
  const [left = '', right] = text.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (terms.length !== ranks.length) fail(`the equation "${text}" names ${terms.length} operands of ${ranks.length}`);
  const free = [...LETTERS].filter((letter) => !text.includes(letter));
  const widths = terms.map((term, index) => (term.includes('...') ? ranks[index]! - (term.length - 3) : 0));
  const widest = Math.max(0, ...widths);
  const ellipsis = free.slice(0, widest).join('');
  // Axes of an ellipsis are aligned at its end, as in broadcasting.
  const spell = (term: string, width: number) => term.replace('...', ellipsis.slice(widest - width));
  const operands = terms.map((term, index) => spell(term, widths[index]!));
  const counts = new Map<string, number>();
  for (const letter of terms.join('').replaceAll('...', '')) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  const once = [...counts].filter(([, count]) => count === 1).map(([letter]) => letter);
  const result = right === undefined ? ellipsis + once.sort().join('') : spell(right, widest);
  return { operands, result };
}

function einsum(context: GradientContext): readonly (Value | undefined)[] {
  const values = context.inputs as readonly Value[];
  const text = context.string('equation', '');
  const ranks = values.map((value) => context.rank(value));
  const { operands, result } = parseEquation(text, ranks, (reason) => context.fail(reason));
  const gradient = context.gradient();
  return values.map((value, index) => {
    if (!context.needs(index)) return undefined;
    const own = operands[index]!;
    if (new Set(own).size !== own.length) return context.fail(`the diagonal "${own}" of "${text}"`);
    const others = operands.filter((_, other) => other !== index);
    const reachable = result + others.join('');
    // An axis that only this operand has was summed: its gradient is the same all along.
    const present = [...own].filter((letter) => reachable.includes(letter)).join('');
    const equation = `${[result, ...others].join(',')}->${present}`;
    const inputs = [gradient, ...values.filter((_, other) => other !== index)];
    const product = equation === `${present}->${present}` ? gradient : context.op('Einsum', inputs, { equation });
    const absent = [...own].flatMap((letter, axis) => (reachable.includes(letter) ? [] : [axis]));
    const wide = absent.length === 0 ? product : context.op('Unsqueeze', [product, context.builder.int64s(absent)]);
    return absent.length > 0 ? wide : context.unbroadcast(wide, value, wide);
  });
}

export const EINSUM: GradientTable = { Einsum: rule(einsum) };
