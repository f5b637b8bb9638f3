/** Fourier transforms and what goes with them. */
import { addDims, asLength, floorDivide, multiplyDims, subtractDims } from '../infer/dims.js';
import type { Dim } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import { define, expectRank, expectType, freshShape, int, tensor } from './helpers.js';

/** Number of frequencies of a transform of this length. */
function frequencies(length: Dim | undefined, onesided: boolean): Dim | undefined {
  return onesided ? addDims(floorDivide(length, 2), 1) : length;
}

function fourier(context: InferenceContext, axis: number | undefined): ReturnType<OperatorDefinition['infer']> {
  const dtype = expectType(context, 0, 'float');
  const shape = expectRank(context, 0, 2, Number.POSITIVE_INFINITY);
  if (shape === undefined) return [tensor(dtype, undefined)];
  const onesided = context.int('onesided') !== 0;
  const inverse = context.int('inverse') !== 0;
  // The inverse of a half spectrum is real; everything else is complex, as pairs.
  const parts = onesided && inverse ? 1 : 2;
  if (axis === undefined) return [tensor(dtype, [...freshShape(context, shape.length - 1), parts])];
  const along = context.axis(axis, shape.length);
  const result = [...shape];
  const given = context.given(1) ? context.elements(1)?.[0] : undefined;
  let length = context.given(1) ? given : shape[along];
  if (onesided) {
    if (!inverse) length = frequencies(length, true);
    else if (!context.given(1)) length = multiplyDims(subtractDims(length, 1), 2);
  }
  result[along] = asLength(length) ?? context.freshDim();
  result[result.length - 1] = parts;
  return [tensor(dtype, result)];
}

export const SIGNALS: readonly OperatorDefinition[] = [
  define('DFT', {
    since: 17,
    inputs: [1, 2],
    attributes: { axis: int(1), inverse: int(0), onesided: int(0) },
    infer: (context) => fourier(context, context.int('axis')),
  }),
  define('DFT', {
    since: 20,
    inputs: [1, 3],
    attributes: { inverse: int(0), onesided: int(0) },
    infer: (context) => fourier(context, context.given(2) ? context.numbers(2)?.[0] : -2),
  }),
  define('STFT', {
    since: 17,
    inputs: [2, 4],
    attributes: { onesided: int(1) },
    infer: (context) => {
      const dtype = expectType(context, 0, 'float');
      const signal = expectRank(context, 0, 2, 3);
      const frame = context.given(3) ? context.elements(3)?.[0] : context.shape(2)?.[0];
      const step = context.elements(1)?.[0];
      const frames = addDims(floorDivide(subtractDims(signal?.[1], frame), step), 1);
      const bins = frequencies(frame, context.int('onesided') !== 0);
      return [
        tensor(dtype, [
          signal?.[0] ?? context.freshDim(),
          asLength(frames) ?? context.freshDim(),
          asLength(bins) ?? context.freshDim(),
          2,
        ]),
      ];
    },
  }),
  define('MelWeightMatrix', {
    since: 17,
    inputs: 5,
    attributes: { output_datatype: int(1) },
    infer: (context) => {
      const bins = context.elements(0)?.[0];
      const length = addDims(floorDivide(context.elements(1)?.[0], 2), 1);
      return [
        tensor(context.dtype('output_datatype', 'float32'), [
          asLength(length) ?? context.freshDim(),
          asLength(bins) ?? context.freshDim(),
        ]),
      ];
    },
  }),
];
