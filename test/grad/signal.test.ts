import { describe, it } from 'vitest';
import { checkGradients, type GradientCase } from './gradient-check.js';

interface Transform {
  readonly dims: readonly number[];
  readonly axis?: number;
  readonly length?: number;
  readonly attributes?: Readonly<Record<string, number>>;
}

const TRANSFORMS: readonly Transform[] = [
  { dims: [2, 8, 1], axis: 1 },
  { dims: [2, 7, 2], axis: 1 },
  { dims: [2, 3, 5, 4, 1], axis: 2 },
  { dims: [2, 3, 5, 4, 2], axis: 3 },
  { dims: [2, 3, 5, 4, 2], axis: -2, attributes: { inverse: 1 } },
  { dims: [2, 8, 1], axis: 1, attributes: { onesided: 1 } },
  { dims: [2, 3, 9, 1], axis: 2, attributes: { onesided: 1 } },
  { dims: [2, 8, 1], axis: 1, length: 5 },
  { dims: [2, 5, 2], axis: 1, length: 8 },
  { dims: [2, 5, 1], axis: 1, length: 8, attributes: { onesided: 1 } },
  // Without an axis: the second of opset 17, the last but one of opset 20.
  { dims: [3, 4, 1] },
];

const cases = [17, 19, 20, 23].flatMap((opset) =>
  TRANSFORMS.map(
    ({ dims, axis, length, attributes }): GradientCase => ({
      name: `DFT of opset ${opset} of [${dims}] ${JSON.stringify({ axis, length, ...attributes })}`,
      inputs: { x: { dims } },
      opset,
      build: (g, { x }) => {
        const given = length === undefined ? undefined : g.scalar(length, 'int64');
        const along = axis === undefined ? undefined : axis < 0 ? axis + dims.length : axis;
        const made =
          opset < 20
            ? g.op('DFT', [x!, given], { ...attributes, ...(along !== undefined && { axis: along }) })
            : g.op('DFT', [x!, given, along === undefined ? undefined : g.scalar(along, 'int64')], { ...attributes });
        return g.op('Sin', [made]);
      },
    }),
  ),
);

describe('gradients of Fourier transforms', () => {
  it.each(cases)('$name', async (one) => {
    await checkGradients(one);
  });
});
