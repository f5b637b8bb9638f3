import { describe, expect, it } from 'vitest';
import { type Dim, GraphBuilder, type Shape, type Value } from '../../src/graph/index.js';
import type { AttributeInput } from '../../src/graph/operators/attributes.js';
import { expectVaeError, floats, run, waves } from './support.js';

type Attributes = Record<string, AttributeInput>;

/** The inferred shape of an operator on float inputs of these shapes. */
function shapeOf(op: string, shapes: readonly Shape[], attributes: Attributes = {}, opset = 18): Shape | undefined {
  const g = new GraphBuilder({ opset });
  const inputs = shapes.map((shape, index) => g.input(`x${index}`, 'float32', shape));
  return g.op(op, inputs, attributes).shape;
}

describe('inferred shapes', () => {
  it.each<[string, Shape[], Attributes, Shape]>([
    [
      'Add',
      [
        ['N', 1, 3],
        ['N', 4, 1],
      ],
      {},
      ['N', 4, 3],
    ],
    ['Add', [['N', 3], [1]], {}, ['N', 3]],
    [
      'Add',
      [
        ['N', 3],
        [7, 3],
      ],
      {},
      [7, 3],
    ],
    [
      'MatMul',
      [
        ['N', 'T', 8],
        [8, 16],
      ],
      {},
      ['N', 'T', 16],
    ],
    ['MatMul', [[4], ['N', 4, 2]], {}, ['N', 2]],
    [
      'Gemm',
      [
        [8, 'N'],
        [16, 8],
      ],
      { transA: 1, transB: 1 },
      ['N', 16],
    ],
    ['Flatten', [['N', 3, 'H', 'W']], { axis: 1 }, ['N', '3*H*W']],
    ['Transpose', [['N', 3, 'H', 'W']], { perm: [0, 2, 3, 1] }, ['N', 'H', 'W', 3]],
    [
      'Concat',
      [
        ['N', 3],
        ['N', 'C'],
      ],
      { axis: 1 },
      ['N', 'C + 3'],
    ],
    [
      'Conv',
      [
        ['N', 3, 'H', 32],
        [8, 3, 3, 3],
      ],
      { pads: [1, 1, 1, 1] },
      ['N', 8, 'H', 32],
    ],
    [
      'Conv',
      [
        ['N', 3, 'H', 32],
        [8, 3, 4, 4],
      ],
      { pads: [1, 1, 1, 1], strides: [2, 2] },
      ['N', 8, 'floor(H/2)', 16],
    ],
    [
      'Conv',
      [
        ['N', 4, 'H'],
        [8, 2, 3],
      ],
      { group: 2, auto_pad: 'SAME_UPPER', strides: [2] },
      ['N', 8, 'floor((H + 1)/2)'],
    ],
    [
      'Conv',
      [
        [1, 2, 9, 9, 9],
        [4, 2, 3, 3, 3],
      ],
      { dilations: [2, 1, 1] },
      [1, 4, 5, 7, 7],
    ],
    [
      'ConvTranspose',
      [
        ['N', 8, 'H', 7],
        [8, 3, 4, 4],
      ],
      { pads: [1, 1, 1, 1], strides: [2, 2] },
      ['N', 3, '2*H', 14],
    ],
    ['MaxPool', [['N', 3, 'H', 7]], { kernel_shape: [2, 2], strides: [2, 2] }, ['N', 3, 'floor(H/2)', 3]],
    ['AveragePool', [[1, 1, 5, 5]], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }, [1, 1, 3, 3]],
    ['GlobalAveragePool', [['N', 3, 'H', 'W']], {}, ['N', 3, 1, 1]],
    ['DepthToSpace', [['N', 12, 'H', 4]], { blocksize: 2 }, ['N', 3, '2*H', 8]],
    ['SpaceToDepth', [['N', 3, '2*H', 8]], { blocksize: 2 }, ['N', 12, 'H', 4]],
    [
      'Einsum',
      [
        ['N', 'H', 4],
        ['N', 4, 6],
      ],
      { equation: 'bij,bjk->bik' },
      ['N', 'H', 6],
    ],
    [
      'Einsum',
      [
        [2, 3, 4],
        [4, 5],
      ],
      { equation: '...j,jk' },
      [2, 3, 5],
    ],
  ])('%s of %j with %j', (op, shapes, attributes, wanted) => {
    expect(shapeOf(op, shapes, attributes)).toEqual(wanted);
  });

  it.each<[string, Shape[], Attributes, string]>([
    [
      'MatMul',
      [
        [2, 3],
        [4, 5],
      ],
      {},
      '3 and 4',
    ],
    ['Gemm', [[2, 3], [3, 4], [5]], {}, '[5]'],
    [
      'Conv',
      [
        [1, 3, 8, 8],
        [4, 2, 3, 3],
      ],
      {},
      '3 channels',
    ],
    [
      'Conv',
      [
        [1, 3, 2, 2],
        [4, 3, 3, 3],
      ],
      {},
      'window of 3',
    ],
    [
      'Conv',
      [
        [1, 3, 8, 8],
        [4, 3, 3, 3],
      ],
      { strides: [1] },
      'strides',
    ],
    [
      'Concat',
      [
        [2, 3],
        [4, 3],
      ],
      { axis: 1 },
      'axis 0',
    ],
    ['Transpose', [[2, 3]], { perm: [0, 0] }, 'perm'],
    ['Softmax', [[2, 3]], { axis: 2 }, 'axis 2'],
    ['LayerNormalization', [[2, 3], [4]], {}, '[4] and [3]'],
    ['GroupNormalization', [[1, 6, 4], [4], [4]], { num_groups: 4 }, '4 groups'],
    ['DepthToSpace', [[1, 6, 2, 2]], { blocksize: 2 }, 'divisible'],
    [
      'Einsum',
      [
        [2, 3],
        [4, 5],
      ],
      { equation: 'ij,jk->ik' },
      '"j"',
    ],
  ])('%s of %j with %j is refused', (op, shapes, attributes, text) => {
    expectVaeError(() => shapeOf(op, shapes, attributes), 'ERR_VAE_SHAPE', op, text);
  });

  it('follow Resize by scales and by sizes', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['N', 3, 'H', 8]);
    const scales = (values: number[]) => g.op('Resize', [x, undefined, g.constant(values)], { mode: 'nearest' }).shape;
    expect(scales([1, 1, 2, 2])).toEqual(['N', 3, '2*H', 16]);
    expect(scales([1, 1, 0.5, 0.5])).toEqual(['N', 3, 'floor(H/2)', 4]);
    expect(g.op('Resize', [x, undefined, undefined, g.int64s([5, 6])], { axes: [2, 3] }).shape).toEqual(['N', 3, 5, 6]);
  });

  it('follow Slice where the range is known', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['N', 10, 'T']);
    const slice = (start: number, end: number, axis: number, step = 1): Dim =>
      g.op('Slice', [x, g.int64s([start]), g.int64s([end]), g.int64s([axis]), g.int64s([step])]).shape![axis]!;
    expect(slice(2, 7, 1)).toBe(5);
    expect(slice(-3, 2 ** 40, 1)).toBe(3);
    expect(slice(9, -11, 1, -3)).toBe(4);
    expect(slice(0, 2 ** 31 - 1, 2)).toBe('T');
    expect(slice(1, 2 ** 53 - 1, 2)).toBe('T - 1');
    expect(slice(0, -1, 2)).toBe('T - 1');
    expect(slice(-1, -(2 ** 53 - 1), 2, -1)).toBe('T');
    // How much a symbolic axis has before its third element is not known.
    expect(slice(0, 3, 2)).toMatch(/^dim/);
  });

  it('never take two unknown lengths for one', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['dim', 3]);
    const lengths = [1, 2, 3].map(() => g.op('NonZero', [x]).shape![1]);
    expect(new Set([...lengths, 'dim']).size).toBe(4);
  });
});

describe('shape arithmetic', () => {
  it('keeps the batch symbolic through what exporters write around a reshape', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['N', 'C', 'H', 'W']);
    const shape = g.op('Shape', [x]);
    const at = (index: number) => g.op('Gather', [shape, g.constant(index, 'int64')]);
    const list = (value: Value) => g.op('Unsqueeze', [value, g.int64s([0])]);
    const area = g.op('Mul', [at(2), at(3)]);
    const half = g.op('Div', [at(1), g.constant(2, 'int64')]);
    const target = g.op('Concat', [list(at(0)), g.int64s([2]), list(half), list(area)], { axis: 0 });
    const y = g.op('Reshape', [x, g.op('Cast', [g.op('Cast', [target], { to: 'float32' })], { to: 'int64' })]);
    expect(y.shape).toEqual(['N', 2, 'floor(C/2)', 'H*W']);
    g.output('y', y);
    const results = await run(g.model, { x: floats(waves(48), [2, 4, 2, 3]) });
    expect(results['y']!.dims).toEqual([2, 2, 2, 6]);
  });

  it('follows the pads that PyTorch turns around in a matrix', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['N', 3, 'H', 16]);
    const given = g.op(
      'Concat',
      [
        g.int64s([0, 1, 0, 2]),
        g.op('ConstantOfShape', [g.int64s([4])], { value: { dtype: 'int64', dims: [1], data: new Uint8Array(8) } }),
      ],
      { axis: 0 },
    );
    const rows = g.op('Reshape', [given, g.int64s([-1, 2])]);
    const turned = g.op('Slice', [rows, g.int64s([-1]), g.int64s([-(2 ** 53 - 1)]), g.int64s([0]), g.int64s([-1])]);
    const pads = g.op('Reshape', [g.op('Transpose', [turned], { perm: [1, 0] }), g.int64s([-1])]);
    expect(g.known.get(pads.name)).toEqual([0, 0, 0, 0, 0, 0, 2, 1]);
    expect(g.op('Pad', [x, pads]).shape).toEqual(['N', 3, 'H + 2', 17]);
  });

  it('agrees with onnxruntime-node on integer and float arithmetic', async () => {
    const numbers = [-7, -2, 0, 3, 8];
    const g = new GraphBuilder();
    const known = new Map<string, readonly unknown[]>();
    const check = (name: string, value: Value) => {
      const elements = g.known.get(value.name);
      expect(elements, name).toBeDefined();
      known.set(name, elements!);
      g.output(name, g.op('Cast', [value], { to: 'float32' }));
    };
    for (const dtype of ['int64', 'float32'] as const) {
      const a = g.constant(numbers, dtype);
      for (const divisor of [3, -2]) {
        const b = g.constant(divisor, dtype);
        for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'])
          check(`${op} ${dtype} ${divisor}`, g.op(op, [a, b]));
        check(`Mod ${dtype} ${divisor}`, g.op('Mod', [a, b], { fmod: dtype === 'float32' ? 1 : 0 }));
        for (const op of ['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'])
          check(`${op} ${dtype} ${divisor}`, g.op(op, [a, b]));
      }
      for (const op of ['Neg', 'Abs', 'Sign']) check(`${op} ${dtype}`, g.op(op, [a]));
      check(`Clip ${dtype}`, g.op('Clip', [a, g.constant(-3, dtype), g.constant(4, dtype)]));
      check(`Where ${dtype}`, g.op('Where', [g.op('Less', [a, g.constant(0, dtype)]), g.constant(9, dtype), a]));
    }
    const halves = g.constant([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.1]);
    for (const op of ['Floor', 'Ceil', 'Round', 'Reciprocal']) check(op, g.op(op, [halves]));
    check('Sqrt', g.op('Sqrt', [g.constant([2, 0.1, 9])]));
    check('Cast', g.op('Cast', [halves], { to: 'int64' }));
    check('Range', g.op('Range', [g.constant(7, 'int64'), g.constant(-4, 'int64'), g.constant(-3, 'int64')]));
    check('ReduceProd', g.op('ReduceProd', [g.constant([2, 3, 7], 'int64')]));
    check('Gather', g.op('Gather', [g.constant(numbers, 'int64'), g.constant([-1, 0], 'int64')]));
    const results = await run(g.model, {});
    for (const [name, elements] of known)
      expect([...(results[name]!.data as Float32Array)], name).toEqual(
        elements.map((element) => Math.fround(element as number)),
      );
  });
});

describe('GraphBuilder', () => {
  it('refuses a second value of one name, and values of another graph', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    expectVaeError(() => g.input('x', 'float32', [2]), 'ERR_VAE_GRAPH', '"x"');
    expectVaeError(
      () => g.op('Relu', [{ name: 'foreign', dtype: 'float32', shape: [2] }]),
      'ERR_VAE_GRAPH',
      '"foreign"',
    );
    expectVaeError(() => g.ops('Relu', [x], {}, { outputs: ['x'] }), 'ERR_VAE_GRAPH', '"x"');
    expectVaeError(() => g.op('Relu', [x], { alpha: 1 }), 'ERR_VAE_GRAPH', 'no attribute "alpha"');
    expectVaeError(() => g.op('Elu', [x], { alpha: 'big' }), 'ERR_VAE_GRAPH', '"alpha"', 'float');
    expectVaeError(() => g.op('Cast', [x], { to: 'float33' }), 'ERR_VAE_GRAPH', 'float33');
    expectVaeError(() => g.op('Nothing', [x]), 'ERR_VAE_UNSUPPORTED_OPERATOR', 'Nothing');
  });

  it('shares equal literals, and never a parameter', () => {
    const g = new GraphBuilder();
    expect(g.scalar(0.5)).toEqual(g.scalar(0.5));
    expect(g.scalar(0).name).not.toBe(g.scalar(-0).name);
    expect(g.int64s([1]).name).not.toBe(g.constant([1], 'int32').name);
    expect(g.constant(['a'], 'string').name).not.toBe(g.constant(['b'], 'string').name);
  });

  it('gives nodes names in linear time', () => {
    const g = new GraphBuilder();
    let x = g.input('x', 'float32', ['N', 8]);
    const start = performance.now();
    for (let index = 0; index < 20_000; index += 1) x = g.op('Relu', [x]);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(x.name).toBe('Relu_19999_out');
  });
});
