/** Slice: the gradient goes back to where the elements were cut out, zeros elsewhere. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { axisFromFront, lengthTensor } from '../shapes.js';

/** Zeros before and after the gradient along one axis: numbers, or int64 tensors of shape [1]. */
interface Margin {
  readonly before: number | Value;
  readonly after: number | Value;
}

function sliced(context: GradientContext): readonly (Value | undefined)[] {
  const { builder } = context;
  const x = context.input(0);
  const rank = context.rank(x);
  const starts = context.elements(1);
  const count = starts?.length ?? context.inputs[1]?.shape?.[0];
  const axes = context.inputs[3] === undefined ? range(Number(count)) : context.elements(3);
  const steps = context.inputs[4] === undefined ? axes?.map(() => 1) : context.elements(4);
  if (axes === undefined || steps === undefined || typeof count !== 'number') {
    return context.fail('axes and steps of Slice must be constants');
  }
  let gradient = context.gradient();
  const margins: Margin[] = Array.from({ length: rank }, () => ({ before: 0, after: 0 }));
  for (const [index, given] of axes.entries()) {
    const axis = axisFromFront(given, rank);
    const step = steps[index]!;
    if (Math.abs(step) === 1 && x.shape![axis] === context.output().shape?.[axis] && step > 0) continue;
    const first = firstIndex(context, starts?.[index], index, axis, step);
    if (step === 1) {
      margins[axis] = marginsAround(context, gradient, axis, first);
      continue;
    }
    const kept = gradient.shape?.[axis];
    if (step < 0) gradient = reverseAxis(context, gradient, axis);
    if (Math.abs(step) > 1) gradient = dilateAxis(context, gradient, axis, Math.abs(step));
    // Counted from the front, a backward slice begins at its last element.
    const lowest =
      step > 0
        ? first
        : typeof first === 'number' && typeof kept === 'number'
          ? first + (kept - 1) * step
          : lowestIndex(context, first, axis, step);
    margins[axis] = marginsAround(context, gradient, axis, lowest);
  }
  if (margins.every(({ before, after }) => before === 0 && after === 0)) return [gradient];
  const pads = [...margins.map(({ before }) => before), ...margins.map(({ after }) => after)];
  const list = pads.every((pad) => typeof pad === 'number')
    ? builder.int64s(pads as number[])
    : context.op(
        'Concat',
        pads.map((pad) => (typeof pad === 'number' ? builder.int64s([pad]) : pad)),
        { axis: 0 },
      );
  return [context.op('Pad', [gradient, list])];
}

/** Index of the first element taken, counted from the front and kept inside the axis. */
function firstIndex(
  context: GradientContext,
  start: number | undefined,
  index: number,
  axis: number,
  step: number,
): number | Value {
  const { builder } = context;
  const x = context.input(0);
  const length = x.shape![axis]!;
  if (start !== undefined && typeof length === 'number') {
    const front = start < 0 ? start + length : start;
    return step > 0 ? Math.min(Math.max(front, 0), length) : Math.min(Math.max(front, -1), length - 1);
  }
  // A slice that takes anything at all begins inside the axis.
  if (start !== undefined && start >= 0 && step > 0) return start;
  const zero = builder.int64s([0]);
  const given =
    start !== undefined
      ? builder.int64s([start])
      : context.op('Slice', [context.input(1), builder.int64s([index]), builder.int64s([index + 1]), zero]);
  const size = lengthTensor(builder, x, axis);
  const front = context.op('Where', [context.op('Less', [given, zero]), context.op('Add', [given, size]), given]);
  const last = step > 0 ? size : context.op('Sub', [size, builder.int64s([1])]);
  return context.op('Max', [context.op('Min', [front, last]), zero]);
}

/** first + (kept - 1)·step, worked out by the graph. */
function lowestIndex(context: GradientContext, first: number | Value, axis: number, step: number): Value {
  const { builder } = context;
  const start = typeof first === 'number' ? builder.int64s([first]) : first;
  const kept = lengthTensor(builder, context.output(), axis);
  const steps = context.op('Sub', [kept, builder.int64s([1])]);
  return context.op('Add', [start, context.op('Mul', [steps, builder.int64s([step])])]);
}

/** What is missing from the gradient's length to the input's, `before` of it in front. */
function marginsAround(context: GradientContext, gradient: Value, axis: number, before: number | Value): Margin {
  const { builder } = context;
  const x = context.input(0);
  const [whole, kept] = [x.shape![axis]!, gradient.shape?.[axis]];
  if (typeof whole === 'number' && typeof kept === 'number' && typeof before === 'number') {
    return { before, after: whole - kept - before };
  }
  const missing = context.op('Sub', [lengthTensor(builder, x, axis), lengthTensor(builder, gradient, axis)]);
  const front = typeof before === 'number' ? builder.int64s([before]) : before;
  return { before, after: context.op('Sub', [missing, front]) };
}

/** A tensor read backwards along one axis. */
function reverseAxis(context: GradientContext, value: Value, axis: number): Value {
  const { builder } = context;
  const lowest = -Number.MAX_SAFE_INTEGER;
  return context.op('Slice', [
    value,
    builder.int64s([-1]),
    builder.int64s([lowest]),
    builder.int64s([axis]),
    builder.int64s([-1]),
  ]);
}

/** `step - 1` zeros between neighbours along one axis: each gets them behind it, and the last loses them again. */
function dilateAxis(context: GradientContext, value: Value, axis: number, step: number): Value {
  if (step === 1 || value.shape?.[axis] === 1) return value;
  const { builder } = context;
  const rank = context.rank(value);
  const spread = context.op('Unsqueeze', [value, builder.int64s([axis + 1])]);
  const pads = new Array<number>(2 * (rank + 1)).fill(0);
  pads[rank + 1 + axis + 1] = step - 1;
  const padded = context.op('Pad', [spread, builder.int64s(pads)]);
  const length = value.shape![axis]!;
  const parts = value.shape!.map((dim, each) => {
    if (each !== axis) return typeof dim === 'number' ? dim : lengthTensor(builder, value, each);
    if (typeof length === 'number') return length * step;
    return context.op('Mul', [lengthTensor(builder, value, axis), builder.int64s([step])]);
  });
  const open = parts.filter((part) => typeof part !== 'number').length;
  const target =
    open <= 1
      ? builder.int64s(parts.map((part) => (typeof part === 'number' ? part : -1)))
      : context.op(
          'Concat',
          parts.map((part) => (typeof part === 'number' ? builder.int64s([part]) : part)),
          { axis: 0 },
        );
  const merged = context.op('Reshape', [padded, target]);
  return context.op('Slice', [merged, builder.int64s([0]), builder.int64s([1 - step]), builder.int64s([axis])]);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

export const SLICING: GradientTable = {
  Slice: rule((context) => [...sliced(context), undefined, undefined, undefined, undefined]),
};
