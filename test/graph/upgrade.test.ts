import type { MessageInitShape } from '@bufbuild/protobuf';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { readModel, writeModel } from '../../src/graph/index.js';
import { AttributeProto_AttributeType as AttributeType, type NodeProtoSchema } from '../../src/graph/proto/onnx_pb.js';
import { expectVaeError, type Feeds, floats, graphBytes, run, valueInfo, waves } from './support.js';

const ints = (name: string, values: number[]) => ({ name, type: AttributeType.INTS, ints: values.map(BigInt) });
const int = (name: string, value: number) => ({ name, type: AttributeType.INT, i: BigInt(value) });
type NodeInit = Exclude<MessageInitShape<typeof NodeProtoSchema>, { $typeName: string }>;

function model(opset: number, node: NodeInit, shape: number[]): Uint8Array {
  return graphBytes(
    {
      name: 'g',
      input: [valueInfo('x', shape), valueInfo('rois', [2, 4]), valueInfo('batch', [2], 7)],
      node: [{ name: 'n', input: ['x'], output: ['y'], ...node }],
      output: (node.output ?? ['y']).map((name) => ({
        name,
        type: { value: { case: 'tensorType', value: { elemType: 1 } } },
      })),
    },
    opset,
  );
}

/** A model of an old opset and its raised form must give the same numbers. */
async function expectSame(bytes: Uint8Array, feeds: Feeds): Promise<void> {
  const raised = readModel(bytes);
  expect(raised.opsets.get('')).toBe(18);
  const [before, after] = [await run(bytes, feeds), await run(writeModel(raised), feeds)];
  for (const name of Object.keys(before)) {
    expect(after[name]!.dims).toEqual(before[name]!.dims);
    expect(after[name]!.data).toEqual(before[name]!.data);
    const { shape } = raised.graph.outputs.find((output) => output.name === name)!;
    expect(shape).toEqual([...before[name]!.dims]);
  }
}

const feeds = (dims: number[]): Feeds => ({
  x: floats(
    waves(dims.reduce((a, b) => a * b, 1)).map((value) => value + 1.5),
    dims,
  ),
  rois: floats([0, 0, 2, 2, 1, 1, 3, 3], [2, 4]),
  batch: new Tensor('int64', BigInt64Array.of(0n, 0n), [2]),
});

describe('models of opsets 13 to 17', () => {
  const reductions = [
    'ReduceMean',
    'ReduceProd',
    'ReduceMax',
    'ReduceMin',
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceSumSquare',
  ];
  it.each(reductions)('%s takes its axes as an input', async (opType) => {
    for (const attribute of [
      [ints('axes', [0, -1])],
      [ints('axes', [1]), int('keepdims', 0)],
      [int('keepdims', 0)],
      [],
    ]) {
      await expectSame(model(13, { opType, attribute }, [2, 3, 4]), feeds([2, 3, 4]));
    }
  });

  it('Split into equal parts says into how many', async () => {
    await expectSame(
      model(13, { opType: 'Split', output: ['a', 'b', 'c'], attribute: [int('axis', 1)] }, [2, 6]),
      feeds([2, 6]),
    );
  });

  it('RoiAlign keeps the sampling points of before opset 16', async () => {
    const roi = {
      opType: 'RoiAlign',
      input: ['x', 'rois', 'batch'],
      attribute: [int('output_height', 2), int('output_width', 2)],
    };
    await expectSame(model(13, roi, [1, 1, 4, 4]), feeds([1, 1, 4, 4]));
    await expectSame(model(17, roi, [1, 1, 4, 4]), feeds([1, 1, 4, 4]));
  });

  it('what did not change is kept', async () => {
    await expectSame(model(15, { opType: 'Softmax', attribute: [int('axis', 1)] }, [2, 3, 4]), feeds([2, 3, 4]));
    await expectSame(model(13, { opType: 'Flatten' }, [2, 3, 4]), feeds([2, 3, 4]));
  });

  it('axes are stored once, under a name that is free', () => {
    const bytes = graphBytes(
      {
        name: 'g',
        input: [valueInfo('axes_1', [2, 3])],
        node: ['a', 'b'].map((name) => ({
          opType: 'ReduceMean',
          input: ['axes_1'],
          output: [name],
          attribute: [ints('axes', [1])],
        })),
        output: [valueInfo('a', [2, 1]), valueInfo('b', [2, 1])],
      },
      13,
    );
    expect([...readModel(bytes).graph.initializers.keys()]).toEqual(['axes_1_1']);
  });

  it('reductions inside a branch are raised too', async () => {
    const branch = (opType: string) => ({
      name: opType,
      node: [{ opType, input: ['x'], output: ['r'], attribute: [ints('axes', [1])] }],
      output: [valueInfo('r', [2, 1])],
    });
    const bytes = graphBytes(
      {
        name: 'g',
        input: [valueInfo('x', [2, 3]), valueInfo('c', [], 9)],
        node: [
          {
            opType: 'If',
            input: ['c'],
            output: ['y'],
            attribute: [
              { name: 'then_branch', type: AttributeType.GRAPH, g: branch('ReduceMean') },
              { name: 'else_branch', type: AttributeType.GRAPH, g: branch('ReduceMax') },
            ],
          },
        ],
        output: [valueInfo('y', [2, 1])],
      },
      13,
    );
    const raised = readModel(bytes);
    for (const value of [true, false]) {
      const input = { x: floats(waves(6), [2, 3]), c: new Tensor('bool', [value], []) };
      expect((await run(raised, input))['y']!.data).toEqual((await run(bytes, input))['y']!.data);
    }
  });

  it('the training form of BatchNormalization of opset 13 is refused by name', () => {
    const node = {
      name: 'norm',
      opType: 'BatchNormalization',
      input: ['x', 's', 's', 's', 's'],
      output: ['y', 'm', 'v'],
    };
    const bytes = graphBytes(
      {
        name: 'g',
        input: [valueInfo('x', [2, 3]), valueInfo('s', [3])],
        node: [node],
        output: [valueInfo('y', [2, 3])],
      },
      13,
    );
    expectVaeError(() => readModel(bytes), 'ERR_VAE_GRAPH', '"norm"', 'opset 13');
  });
});

describe('models of opsets 18 to 26', () => {
  it.each([18, 19, 20, 21, 22, 23, 24, 25, 26])('opset %i is kept', (opset) => {
    const bytes = graphBytes(
      {
        name: 'g',
        input: [valueInfo('x', [2])],
        node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
        output: [valueInfo('y', [2])],
      },
      opset,
    );
    expect(readModel(bytes).opsets.get('')).toBe(opset);
  });
});
