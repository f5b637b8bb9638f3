/** Pad in every mode. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { axisFromFront } from '../shapes.js';
import { transposeMap, unitVectors } from './axis-map.js';

type Gradients = readonly (Value | undefined)[];

/** What was added is cut off again: a Pad by the negative amounts. */
function padConstant(context: GradientContext): Gradients {
  const { builder } = context;
  const gradient = context.gradient();
  const pads = context.elements(1);
  const negative = pads ? builder.int64s(pads.map((pad) => -pad)) : context.op('Neg', [context.input(1)]);
  const inner = context.op('Pad', [gradient, negative, undefined, context.inputs[3]]);
  const fill = context.inputs[2];
  if (fill === undefined || !context.needs(2)) return [inner, undefined, undefined, undefined];
  const total = (value: Value) => context.op('ReduceSum', [value], { keepdims: 0 });
  const margin = context.sub(total(gradient), total(inner));
  return [inner, undefined, context.reshapeLike(margin, fill), undefined];
}

/** Copies of elements go back to those, one axis at a time. */
function padCopies(context: GradientContext, mode: string): Gradients {
  const { builder } = context;
  const x = context.input(0);
  const rank = context.rank(x);
  const pads = context.elements(1);
  const axes = context.inputs[3] === undefined ? undefined : context.elements(3);
  if (pads === undefined || (context.inputs[3] !== undefined && axes === undefined)) {
    return context.fail(`pads and axes of mode "${mode}" must be constants`);
  }
  let gradient = context.gradient();
  const count = pads.length / 2;
  for (let index = 0; index < count; index += 1) {
    const [before, after] = [pads[index]!, pads[index + count]!];
    if (before === 0 && after === 0) continue;
    const axis = axisFromFront(axes?.[index] ?? index, rank);
    const map = context.op('Pad', [unitVectors(context, x, axis), builder.int64s([0, before, 0, after])], { mode });
    gradient = transposeMap(context, gradient, axis, map);
  }
  return [gradient, undefined, undefined, undefined];
}

export const PAD: GradientTable = {
  Pad: rule((context) => {
    const mode = context.string('mode', 'constant');
    return mode === 'constant' ? padConstant(context) : padCopies(context, mode);
  }),
};
