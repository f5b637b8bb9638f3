import { describe, it } from 'vitest';
import type { AttributeInput, Dim } from '../../src/graph/index.js';
import { checkGradients, type GradientCase } from './gradient-check.js';

interface Form {
  readonly name: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly shape?: readonly Dim[];
  readonly bias?: boolean;
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
}

const CONVS: readonly Form[] = [
  { name: '3×3, few channels', x: [2, 3, 5, 6], w: [4, 3, 3, 3], bias: true, attributes: { pads: [1, 1, 1, 1] } },
  { name: '3×3, many channels', x: [2, 9, 5, 6], w: [10, 9, 3, 3], bias: true, attributes: { pads: [1, 1, 1, 1] } },
  {
    name: 'many channels, batch of unknown length',
    x: [2, 9, 5, 6],
    shape: ['N', 9, 5, 6],
    w: [4, 9, 3, 2],
    attributes: { pads: [1, 0, 1, 1] },
  },
  {
    name: 'more channels than places',
    x: [3, 8, 4, 4],
    w: [12, 8, 3, 3],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { name: 'stride 2', x: [2, 3, 7, 6], w: [4, 3, 3, 3], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } },
  {
    name: 'stride 2, many channels',
    x: [2, 8, 7, 6],
    w: [4, 8, 4, 4],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { name: 'stride 2 that leaves a rest', x: [2, 8, 8, 7], w: [4, 8, 3, 3], attributes: { strides: [3, 2] } },
  { name: 'uneven padding', x: [2, 3, 5, 6], w: [4, 3, 3, 2], attributes: { pads: [0, 1, 2, 0] } },
  { name: 'dilated', x: [2, 3, 7, 8], w: [4, 3, 3, 2], attributes: { dilations: [2, 3], pads: [2, 1, 2, 1] } },
  {
    name: 'dilated with stride, many channels',
    x: [2, 8, 9, 8],
    w: [3, 8, 3, 2],
    attributes: { dilations: [2, 1], strides: [1, 2], pads: [1, 1, 1, 1] },
  },
  { name: 'few maps of many channels', x: [2, 9, 5, 6], w: [2, 9, 3, 2], attributes: { pads: [1, 0, 2, 1] } },
  {
    name: 'few maps, dilated',
    x: [2, 16, 5, 6],
    w: [8, 16, 3, 2],
    attributes: { dilations: [1, 2], pads: [1, 1, 1, 1] },
  },
  { name: '1×1', x: [2, 3, 4, 5], w: [4, 3, 1, 1], bias: true },
  { name: '1×1, stride 2', x: [2, 8, 5, 5], w: [4, 8, 1, 1], attributes: { strides: [2, 2] } },
  { name: 'two groups', x: [2, 4, 5, 6], w: [6, 2, 3, 3], bias: true, attributes: { group: 2, pads: [1, 1, 1, 1] } },
  { name: 'two groups, stride 2', x: [2, 4, 5, 6], w: [6, 2, 3, 3], attributes: { group: 2, strides: [2, 2] } },
  { name: 'depthwise', x: [2, 4, 5, 6], w: [4, 1, 3, 3], attributes: { group: 4, pads: [1, 1, 1, 1] } },
  { name: 'depthwise, two each', x: [2, 3, 5, 6], w: [6, 1, 3, 3], attributes: { group: 3, strides: [2, 1] } },
  { name: 'SAME_UPPER', x: [2, 3, 6, 5], w: [4, 3, 4, 3], attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] } },
  { name: 'SAME_LOWER', x: [2, 3, 6, 5], w: [4, 3, 4, 3], attributes: { auto_pad: 'SAME_LOWER', strides: [2, 1] } },
  { name: 'VALID', x: [2, 3, 6, 5], w: [4, 3, 4, 3], attributes: { auto_pad: 'VALID' } },
  { name: 'padding wider than the kernel', x: [2, 3, 4, 4], w: [2, 3, 2, 2], attributes: { pads: [2, 2, 2, 2] } },
  {
    name: 'lengths known late',
    x: [2, 3, 7, 6],
    shape: ['N', 3, 'H', 'W'],
    w: [4, 3, 3, 3],
    bias: true,
    attributes: { pads: [1, 1, 1, 1] },
  },
  {
    name: 'lengths known late, stride 2',
    x: [2, 3, 8, 6],
    shape: ['N', 3, 'H', 'W'],
    w: [4, 3, 3, 3],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  {
    name: 'lengths known late, two groups',
    x: [2, 4, 8, 7],
    shape: ['N', 4, 'H', 'W'],
    w: [6, 2, 3, 3],
    attributes: { group: 2, strides: [2, 2], pads: [1, 0, 0, 1] },
  },
  { name: '1-D', x: [2, 3, 9], w: [4, 3, 4], bias: true, attributes: { strides: [2], pads: [1, 2] } },
  { name: '1-D, many channels, dilated', x: [2, 8, 12], w: [4, 8, 3], attributes: { dilations: [2], pads: [2, 2] } },
  { name: '1-D, causal', x: [2, 8, 6], w: [8, 8, 3], attributes: { pads: [2, 0] } },
  { name: '3-D', x: [2, 2, 4, 5, 3], w: [3, 2, 2, 3, 2], bias: true, attributes: { pads: [1, 1, 0, 0, 1, 1] } },
  { name: '3-D, stride 2, many channels', x: [2, 8, 4, 5, 3], w: [3, 8, 2, 3, 2], attributes: { strides: [2, 2, 1] } },
];

const TRANSPOSED: readonly Form[] = [
  {
    name: 'stride 2',
    x: [2, 3, 3, 4],
    w: [3, 4, 4, 4],
    bias: true,
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  {
    name: 'stride 2, many channels',
    x: [2, 9, 3, 4],
    w: [9, 8, 4, 4],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  {
    name: 'stride 2, kernel 3',
    x: [2, 3, 3, 4],
    shape: ['N', 3, 3, 4],
    w: [3, 4, 3, 3],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
  },
  { name: 'stride 1', x: [2, 3, 4, 4], w: [3, 2, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { name: 'two groups', x: [2, 4, 3, 3], w: [4, 3, 3, 3], bias: true, attributes: { group: 2, strides: [2, 2] } },
  { name: 'dilated', x: [2, 3, 4, 4], w: [3, 2, 3, 2], attributes: { dilations: [2, 3], strides: [1, 2] } },
  { name: 'SAME_UPPER', x: [2, 3, 4, 3], w: [3, 2, 3, 3], attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] } },
  { name: 'SAME_LOWER', x: [2, 3, 4, 3], w: [3, 2, 3, 3], attributes: { auto_pad: 'SAME_LOWER', strides: [2, 2] } },
  { name: 'output_shape', x: [2, 3, 4, 3], w: [3, 2, 4, 4], attributes: { strides: [2, 2], output_shape: [9, 7] } },
  {
    name: 'lengths known late',
    x: [2, 3, 4, 3],
    shape: ['N', 3, 'H', 'W'],
    w: [3, 2, 4, 4],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { name: '1-D', x: [2, 3, 5], w: [3, 2, 4], bias: true, attributes: { strides: [3], pads: [1, 0] } },
  { name: '3-D', x: [2, 2, 3, 2, 3], w: [2, 3, 2, 3, 2], attributes: { strides: [2, 1, 2], pads: [0, 1, 0, 0, 1, 1] } },
];

const cases = (op: string, forms: readonly Form[]): GradientCase[] =>
  forms.map(({ name, x, w, shape, bias, attributes }) => ({
    name: `${op} ${name}`,
    inputs: {
      x: { dims: x, ...(shape ? { shape } : {}), range: [-1, 1] },
      w: { dims: w, range: [-1, 1] },
      ...(bias ? { b: { dims: [op === 'Conv' ? w[0]! : w[1]! * Number(attributes?.['group'] ?? 1)] } } : {}),
    },
    build: (g, inputs) => g.op(op, [inputs['x'], inputs['w'], inputs['b']], attributes ?? {}),
  }));

const CASES = [...cases('Conv', CONVS), ...cases('ConvTranspose', TRANSPOSED)];

describe('gradients of convolutions', () => {
  it.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
