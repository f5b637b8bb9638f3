import { describe, expect, it } from 'vitest';
import { isVaeError } from '../../src/core/errors.js';
import { constantOf, GraphBuilder, readModel, simplifyModel, writeModel } from '../../src/graph/index.js';
import { AttributeProto_AttributeType as AttributeType } from '../../src/graph/proto/onnx_pb.js';
import { expectVaeError, graphBytes, valueInfo, waves } from './support.js';

/** xorshift32: the same mutations each time. */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % limit;
  }
}

function seeds(): Uint8Array[] {
  const g = new GraphBuilder({ name: 'network' });
  const x = g.input('x', 'float32', ['N', 3, 8, 8]);
  const weight = g.initializer('w', constantOf(waves(4 * 3 * 9), 'float32', [4, 3, 3, 3]));
  const hidden = g.op('Relu', [g.op('Conv', [x, weight], { pads: [1, 1, 1, 1], strides: [2, 2] })]);
  const shape = g.op(
    'Concat',
    [g.op('Slice', [g.op('Shape', [hidden]), g.int64s([0]), g.int64s([1])]), g.int64s([-1])],
    { axis: 0 },
  );
  const flat = g.op('Reshape', [hidden, shape]);
  const [a, b] = g.ops('Split', [flat, g.int64s([32, 32])], { axis: 1 }, { outputs: 2 });
  g.output('y', g.op('Softmax', [g.op('ReduceSum', [g.op('Mul', [a!, b!]), g.int64s([1])])], { axis: -1 }));
  g.output('z', g.op('ConstantOfShape', [g.int64s([2, 3])], { value: constantOf([1.5]) }));

  const branch = (opType: string) => ({
    name: opType,
    node: [{ opType, input: ['x'], output: ['r'] }],
    output: [{ name: 'r' }],
  });
  const functions = [
    { name: 'F', domain: 'local', input: ['a'], output: ['b'], node: [{ opType: 'Neg', input: ['a'], output: ['b'] }] },
  ];
  const control = graphBytes(
    {
      name: 'control',
      input: [valueInfo('x', ['N', 4]), valueInfo('c', [], 9)],
      initializer: [
        { name: 'list', dataType: 7, dims: [2n], int64Data: [3n, -1n] },
        { name: 'halves', dataType: 10, dims: [2n], int32Data: [15360, 16384] },
        { name: 'text', dataType: 8, dims: [1n], stringData: [Uint8Array.of(97)] },
        {
          name: 'outside',
          dataType: 1,
          dims: [4n],
          dataLocation: 1,
          externalData: [{ key: 'location', value: 'x.bin' }],
        },
      ],
      node: [
        { name: 'call', opType: 'F', domain: 'local', input: ['x'], output: ['n'] },
        { opType: 'Resize', input: ['n', '', 'list'], output: ['unused'] },
        {
          name: 'if',
          opType: 'If',
          input: ['c'],
          output: ['y'],
          attribute: [
            { name: 'then_branch', type: AttributeType.GRAPH, g: branch('Exp') },
            { name: 'else_branch', type: AttributeType.GRAPH, g: branch('Abs') },
          ],
        },
      ],
      output: [{ name: 'y' }, valueInfo('n', ['N', 4])],
    },
    13,
    { functions },
  );
  return [writeModel(g.model), control];
}

/** Places of lengths, numbers and text matter most; each mutation damages a few of them. */
function mutate(source: Uint8Array, random: Random): Uint8Array {
  let bytes = Uint8Array.from(source);
  const count = 1 + random.below(4);
  for (let index = 0; index < count; index += 1) {
    const at = random.below(bytes.length);
    switch (random.below(7)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)]!;
        break;
      case 4: {
        const other = random.below(bytes.length);
        const length = random.below(40);
        bytes.set(bytes.slice(other, Math.min(other + length, bytes.length - at + other)), at);
        break;
      }
      case 5:
        bytes = Uint8Array.from([
          ...bytes.subarray(0, at),
          ...bytes.subarray(Math.min(at + random.below(20), bytes.length)),
        ]);
        break;
      default: {
        // A number of ten bytes in the place of a small one.
        const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...huge, ...bytes.subarray(Math.min(at + 1, bytes.length))]);
      }
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

describe('damaged models', () => {
  it.each([1, 2, 3, 4])('give a VaeError or a model that can be written again (seed %i)', (seed) => {
    const sources = seeds();
    const random = new Random(seed * 7919);
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 1500; round += 1) {
      const bytes = mutate(sources[round % sources.length]!, random);
      try {
        const model = readModel(bytes);
        simplifyModel(model);
        readModel(writeModel(model));
        outcomes.read += 1;
      } catch (error) {
        if (!isVaeError(error)) {
          throw new Error(`seed ${seed}, round ${round}: ${(error as Error).stack}`, { cause: error });
        }
        expect(error.message.length).toBeLessThan(2000);
        outcomes.refused += 1;
      }
    }
    // Both happen, or the mutations are too weak or too strong to tell anything.
    expect(outcomes.read).toBeGreaterThan(20);
    expect(outcomes.refused).toBeGreaterThan(500);
  });

  it('are refused wherever they are cut off', () => {
    const [source] = seeds();
    for (let length = 0; length < source!.length; length += 1) {
      try {
        readModel(source!.subarray(0, length));
      } catch (error) {
        expect(error, `cut at ${length}`).toSatisfy(isVaeError);
      }
    }
  });
});

/** One field of a message, by hand. */
function field(number: number, content: Uint8Array): Uint8Array {
  const tag = (number << 3) | 2;
  const prefix = [tag];
  let { length } = content;
  for (; length > 127; length = Math.floor(length / 128)) prefix.push((length % 128) | 128);
  prefix.push(length);
  return Uint8Array.from([...prefix, ...content]);
}

describe('hostile models', () => {
  it('of many messages in each other are refused', () => {
    // Graph → node → attribute → graph …, as deep as a file of a few hundred kilobytes can go.
    let graph: Uint8Array = Uint8Array.of();
    for (let level = 0; level < 2000; level += 1) graph = field(1, field(5, field(6, graph)));
    expectVaeError(() => readModel(field(7, graph)), 'ERR_VAE_FORMAT', 'deep');
  });

  it('of loops within loops, whose bodies change their shape each turn, are refused', () => {
    const value = (name: string, elemType: number) => ({
      name,
      type: { value: { case: 'tensorType' as const, value: { elemType } } },
    });
    let body: object = {};
    for (let level = 0; level < 28; level += 1) {
      const inner =
        level === 0
          ? []
          : [
              {
                opType: 'Loop',
                input: ['m', 'c', 'x'],
                output: ['z'],
                attribute: [{ name: 'body', type: AttributeType.GRAPH, g: body }],
              },
            ];
      body = {
        name: `level${level}`,
        input: [value('i', 7), value('k', 9), value('x', 1)],
        node: [
          ...inner,
          {
            opType: 'Concat',
            input: ['x', 'x'],
            output: ['y'],
            attribute: [{ name: 'axis', type: AttributeType.INT, i: 0n }],
          },
        ],
        output: [value('k', 9), value('y', 1)],
      };
    }
    const bytes = graphBytes({
      name: 'g',
      input: [valueInfo('m', [], 7), valueInfo('c', [], 9), valueInfo('v', [2])],
      node: [
        {
          name: 'outer',
          opType: 'Loop',
          input: ['m', 'c', 'v'],
          output: ['y'],
          attribute: [{ name: 'body', type: AttributeType.GRAPH, g: body }],
        },
      ],
      output: [value('y', 1)],
    });
    const start = performance.now();
    expectVaeError(() => readModel(bytes), 'ERR_VAE_GRAPH', 'repeat too many nodes');
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it('that would take far more memory than they are long are refused', () => {
    // Three million empty nodes in six megabytes.
    const nodes = new Uint8Array(6_000_000);
    for (let at = 0; at < nodes.length; at += 2) nodes[at] = (1 << 3) | 2;
    const length = [
      (nodes.length & 127) | 128,
      ((nodes.length >> 7) & 127) | 128,
      ((nodes.length >> 14) & 127) | 128,
      nodes.length >> 21,
    ];
    const bytes = new Uint8Array(5 + nodes.length);
    bytes.set([(7 << 3) | 2, ...length]);
    bytes.set(nodes, 5);
    const before = process.memoryUsage().heapUsed;
    expectVaeError(() => readModel(bytes), 'ERR_VAE_FORMAT', 'memory');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50e6);
  });

  it('that ask for huge tensors are read without making them', () => {
    const huge = graphBytes({
      name: 'g',
      initializer: [{ name: 's', dataType: 7, dims: [3n], int64Data: [2n ** 20n, 2n ** 20n, 2n ** 10n] }],
      node: [
        { opType: 'ConstantOfShape', input: ['s'], output: ['zeros'] },
        { opType: 'Shape', input: ['zeros'], output: ['y'] },
        { opType: 'Size', input: ['zeros'], output: ['n'] },
      ],
      output: [{ name: 'y' }, { name: 'n' }],
    });
    const model = readModel(huge);
    simplifyModel(model);
    expect(model.graph.types.get('y')).toEqual({ dtype: 'int64', shape: [3] });
    expect(model.graph.nodes).toEqual([]);
  });

  it.each<[string, object, object[]]>([
    ['a Range without end', { opType: 'Range', input: ['zero', 'big', 'one'], output: ['y'] }, []],
    ['a Tile of everything', { opType: 'Tile', input: ['list', 'bigs'], output: ['y'] }, []],
    ['an Expand to more than there is', { opType: 'Expand', input: ['list', 'bigs'], output: ['y'] }, []],
    [
      'a RandomNormal of any size',
      {
        opType: 'RandomNormal',
        output: ['y'],
        attribute: [{ name: 'shape', type: AttributeType.INTS, ints: [2n ** 40n, 2n ** 40n] }],
      },
      [],
    ],
    [
      'a Transpose of nonsense',
      {
        opType: 'Transpose',
        input: ['list'],
        output: ['y'],
        attribute: [{ name: 'perm', type: AttributeType.INTS, ints: [2n ** 60n] }],
      },
      [],
    ],
    [
      'a Conv with huge pads',
      {
        opType: 'MaxPool',
        input: ['image'],
        output: ['y'],
        attribute: [
          { name: 'kernel_shape', type: AttributeType.INTS, ints: [2n ** 62n, 2n ** 62n] },
          { name: 'pads', type: AttributeType.INTS, ints: [2n ** 62n, 0n, 2n ** 62n, 0n] },
        ],
      },
      [],
    ],
    [
      'a Reshape to a thousand axes',
      { opType: 'Reshape', input: ['list', 'deep'], output: ['y'] },
      [{ name: 'deep', dataType: 7, dims: [1000n], int64Data: new Array(1000).fill(1n) }],
    ],
    [
      'an Unsqueeze of a thousand axes',
      { opType: 'Unsqueeze', input: ['list', 'deep'], output: ['y'] },
      [
        {
          name: 'deep',
          dataType: 7,
          dims: [1000n],
          int64Data: Array.from({ length: 1000 }, (_, index) => BigInt(index)),
        },
      ],
    ],
  ])('with %s cost no time', (_, node, more) => {
    const bytes = graphBytes({
      name: 'g',
      input: [valueInfo('image', [1, 1, 4, 4])],
      initializer: [
        { name: 'zero', dataType: 7, dims: [], int64Data: [0n] },
        { name: 'one', dataType: 7, dims: [], int64Data: [1n] },
        { name: 'big', dataType: 7, dims: [], int64Data: [2n ** 53n] },
        { name: 'bigs', dataType: 7, dims: [1n], int64Data: [2n ** 52n] },
        { name: 'list', dataType: 7, dims: [2n], int64Data: [1n, 2n] },
        ...more,
      ],
      node: [node],
      output: [{ name: 'y' }],
    });
    const start = performance.now();
    try {
      simplifyModel(readModel(bytes));
    } catch (error) {
      expect(error).toSatisfy(isVaeError);
    }
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('keep their control characters out of messages', () => {
    const bytes = graphBytes({
      name: 'g',
      node: [{ name: '\u001b[2J\n', opType: 'Bad\u0007', output: [`y${'z'.repeat(5000)}`] }],
      output: [{ name: 'y' }],
    });
    try {
      readModel(bytes);
      expect.unreachable();
    } catch (error) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect((error as Error).message).not.toMatch(/[\u0000-\u001f]/);
      expect((error as Error).message.length).toBeLessThan(600);
    }
  });
});
