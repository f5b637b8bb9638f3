/** Pooling over every combination of odd and even sides, strides, dilations, padding before and after, and ceil_mode. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/index.js';
import { checkGradients, type GradientCase } from './gradient-check.js';

interface Form {
  readonly op: 'MaxPool' | 'AveragePool';
  readonly extra?: { readonly count_include_pad: 1 };
}
const FORMS: readonly Form[] = [
  { op: 'MaxPool' },
  { op: 'AveragePool' },
  { op: 'AveragePool', extra: { count_include_pad: 1 } },
];

function grid({ op, extra }: Form, opset: number): GradientCase[] {
  const cases: GradientCase[] = [];
  for (const side of [7, 8])
    for (const kernel of [2, 3])
      for (const stride of [1, 2, 3])
        for (const dilation of [1, 2])
          for (const [before, after] of [
            [0, 0],
            [1, 1],
            [0, 1],
            [1, 0],
          ] as const)
            for (const ceil_mode of [0, 1]) {
              // Until opset 18 averages have no dilations.
              if (op === 'AveragePool' && dilation > 1 && opset < 19) continue;
              const attributes = {
                kernel_shape: [kernel],
                strides: [stride],
                pads: [before, after],
                ceil_mode,
                ...(dilation > 1 && { dilations: [dilation] }),
                ...extra,
              };
              cases.push({
                name: `${op} of ${side}, opset ${opset} ${JSON.stringify(attributes)}`,
                inputs: { x: { dims: [1, 2, side], distinct: true } },
                opset,
                dtype: 'float32',
                build: (g, { x }) => g.op('Sin', [g.op(op, [x!], attributes)]),
              });
            }
  return cases;
}

/** The same in two dimensions that differ. */
const PLANES: GradientCase[] = FORMS.flatMap(({ op, extra }) =>
  [18, 20, 23].flatMap((opset) =>
    [
      { kernel_shape: [2, 2], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 },
      { kernel_shape: [3, 2], strides: [2, 3], pads: [1, 0, 0, 1], ceil_mode: 1 },
      { kernel_shape: [2, 3], strides: [3, 1], pads: [0, 2, 1, 0], ceil_mode: 0 },
      { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 1, 2], ceil_mode: 1 },
    ].map(
      (attributes): GradientCase => ({
        name: `${op} of a plane, opset ${opset} ${JSON.stringify({ ...attributes, ...extra })}`,
        inputs: { x: { dims: [2, 2, 9, 7], distinct: true, shape: ['N', 2, 9, 7] } },
        opset,
        dtype: 'float32',
        build: (g, { x }) => g.op('Sin', [g.op(op, [x!], { ...attributes, ...extra })]),
      }),
    ),
  ),
);

describe('gradients of pooling', () => {
  it.each(FORMS.flatMap((form) => [18, 23].map((opset) => ({ ...form, opset }))))(
    '$op, opset $opset $extra',
    async ({ op, extra, opset }) => {
      const cases = grid({ op, ...(extra && { extra }) }, opset);
      expect(cases.length).toBeGreaterThan(90);
      const failed: string[] = [];
      for (const one of cases) {
        await checkGradients(one).catch((error: Error) => failed.push(`${one.name}: ${error.message.split('\n')[0]}`));
      }
      expect(failed).toEqual([]);
    },
    120_000,
  );

  it.each(PLANES)('$name', async (one) => {
    await checkGradients(one);
  });

  it('what does not fit is refused when the graph is built', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [1, 1, 2]);
    expect(() => g.op('MaxPool', [x], { kernel_shape: [5] })).toThrow(/window of 5 does not fit/);
  });
});
