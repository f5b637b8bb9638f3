/** Dropout, which is random forward and replays its mask backward. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';

/** Kept elements were scaled by 1/(1 - ratio) (Srivastava et al. 2014, inverted). */
function dropout(context: GradientContext): readonly (Value | undefined)[] {
  const x = context.input(0);
  const gradient = context.gradient();
  const training = context.inputs[2];
  const isTraining = training === undefined ? false : context.constantNumber(2);
  if (isTraining === false || isTraining === 0) return [gradient, undefined, undefined];
  const mask = context.extraOutput(1, { dtype: 'bool', shape: x.shape });
  const ratio = context.inputs[1] === undefined ? 0.5 : context.constantNumber(1);
  const one = context.scalar(1, x.dtype);
  const kept =
    ratio !== undefined
      ? context.scalar(1 / (1 - ratio), x.dtype)
      : context.op('Reciprocal', [context.op('Sub', [one, context.cast(context.input(1), x.dtype)])]);
  // With ratio 1 nothing is kept, and a product with the infinite scale would not be zero.
  const masked = context.keepWhere(mask, context.mul(gradient, kept));
  if (isTraining !== undefined) return [masked, undefined, undefined];
  return [context.op('Where', [training, masked, gradient]), undefined, undefined];
}

export const RANDOM: GradientTable = { Dropout: rule(dropout) };
