/** Fourier transforms, which are linear: the gradient is the transform with its conjugate, cut or padded back. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { axisFromFront } from '../shapes.js';

/** The operator in the form of the graph's opset: until 19 the axis is an attribute. */
function transform(context: GradientContext, value: Value, axis: number, inverse: boolean): Value {
  const attributes = { inverse: inverse ? 1 : 0 };
  if (context.opset < 20) return context.op('DFT', [value], { ...attributes, axis });
  return context.op('DFT', [value, undefined, context.builder.scalar(axis, 'int64')], attributes);
}

function axisOf(context: GradientContext): number {
  const rank = context.rank(context.input(0));
  if (context.opset < 20) return axisFromFront(context.int('axis', 1), rank);
  if (context.inputs[2] === undefined) return rank - 2;
  const axis = context.elements(2)?.[0];
  return axis === undefined ? context.fail('its axis is not known before it runs') : axisFromFront(axis, rank);
}

/** The first `length` elements along an axis, with zeros behind where there are fewer. */
function resized(context: GradientContext, value: Value, axis: number, length: number): Value {
  const { builder } = context;
  const given = value.shape![axis] as number;
  if (given === length) return value;
  if (given > length) {
    return context.op('Slice', [value, ...[0, length, axis].map((number) => builder.int64s([number]))]);
  }
  const pads = Array.from({ length: 2 * value.shape!.length }, () => 0);
  pads[value.shape!.length + axis] = length - given;
  return context.op('Pad', [value, builder.int64s(pads)]);
}

function dft(context: GradientContext): readonly (Value | undefined)[] {
  const x = context.input(0);
  const axis = axisOf(context);
  const inverse = context.int('inverse', 0) !== 0;
  const onesided = context.int('onesided', 0) !== 0;
  if (inverse && onesided) context.fail('the inverse of a half spectrum');
  const given = x.shape![axis];
  const length = context.inputs[1] === undefined ? given : context.elements(1)?.[0];
  if (typeof given !== 'number' || typeof length !== 'number') {
    context.fail('the length of the signal is not known before it runs');
  }
  // What a half spectrum leaves out has no gradient.
  const whole = resized(context, context.gradient(), axis, length);
  const back = context.scale(transform(context, whole, axis, !inverse), inverse ? 1 / length : length);
  const cut = resized(context, back, axis, given);
  const parts = x.shape!.length - 1;
  return [x.shape![parts] === 1 ? resized(context, cut, parts, 1) : cut, undefined, undefined];
}

export const SIGNAL: GradientTable = { DFT: rule(dft) };
