/**
 * A quick look at a small graph of plain tensors, for whoever opens a session and wants to know what the graph is: a few
 * milliseconds less than reading it for changing it, which needs descriptors of every message of ONNX. What it does not
 * know (functions, subgraphs, external and sparse tensors) it does not judge: the answer is undefined then.
 */
import { TextDecoder } from 'node:util';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { BYTES_PER_ELEMENT, type DataType, elementCount } from '../../core/dtype.js';
import type { Attribute, Constant, Dim, Graph, Node, ValueInfo } from '../ir.js';
import { dataTypeOf } from './data-types.js';

/** What a field's reader does with it; fields that have none are passed over. */
type Fields<T> = Readonly<Record<number, (reader: BinaryReader, into: T, wire: WireType) => void>>;

/** Of the graph's parts, what a file holds that is not understood here. */
class NotUnderstood extends Error {}

function refuse(): never {
  throw new NotUnderstood();
}

/** @returns undefined for what is damaged, or holds anything but nodes, whole tensors and simple attributes. */
export function skimGraph(bytes: Uint8Array): Graph | undefined {
  try {
    const model: { graph?: Graph } = {};
    // Buffers would make their subarrays Buffers too.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    readFields(new BinaryReader(plain), plain.length, MODEL, model);
    if (model.graph !== undefined) liftConstants(model.graph);
    return model.graph;
  } catch {
    return undefined;
  }
}

function readFields<T>(reader: BinaryReader, end: number, fields: Fields<T>, into: T): T {
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    const read = fields[number];
    if (read === undefined) reader.skip(wire);
    else read(reader, into, wire);
  }
  if (reader.pos !== end) refuse();
  return into;
}

function message<T>(reader: BinaryReader, fields: Fields<T>, into: T): T {
  const length = reader.uint32();
  return readFields(reader, reader.pos + length, fields, into);
}

/** Numbers one by one, or packed. */
function numbers(reader: BinaryReader, wire: WireType, into: number[], one: () => number): void {
  if (wire !== WireType.LengthDelimited) {
    into.push(one());
    return;
  }
  const length = reader.uint32();
  const end = reader.pos + length;
  while (reader.pos < end) into.push(one());
}

interface TensorParts {
  name: string;
  dims: number[];
  type: number;
  raw: Uint8Array | undefined;
}

const TENSOR: Fields<TensorParts> = {
  1: (reader, into, wire) => numbers(reader, wire, into.dims, () => Number(reader.int64())),
  2: (reader, into) => {
    into.type = reader.int32();
  },
  8: (reader, into) => {
    into.name = reader.string();
  },
  9: (reader, into) => {
    into.raw = reader.bytes();
  },
  // Elements of their own kinds, which small tensors of some exporters have; parts of tensors; other files.
  ...Object.fromEntries([3, 4, 5, 6, 7, 10, 11, 13, 14].map((field) => [field, refuse])),
};

function readTensor(reader: BinaryReader): { name: string; constant: Constant } {
  const parts: TensorParts = { name: '', dims: [], type: 0, raw: undefined };
  const { name, dims, type, raw } = message(reader, TENSOR, parts);
  const dtype = dataTypeOf(type);
  if (dtype === undefined || dtype === 'string' || raw === undefined || !dims.every(Number.isSafeInteger)) refuse();
  if (raw.byteLength !== elementCount(dims) * BYTES_PER_ELEMENT[dtype]) refuse();
  return { name, constant: { dtype, dims, data: raw } };
}

const DIMENSION: Fields<{ value: Dim | undefined }> = {
  1: (reader, into) => {
    into.value = Number(reader.int64());
  },
  2: (reader, into) => {
    into.value = reader.string();
  },
};
const SHAPE: Fields<{ dims: Dim[] }> = {
  1: (reader, into) => {
    const { value } = message(reader, DIMENSION, { value: undefined });
    if (value === undefined || value === '' || (typeof value === 'number' && value < 0)) refuse();
    into.dims.push(value);
  },
};
const TENSOR_TYPE: Fields<{ type: number; shape: Dim[] | undefined }> = {
  1: (reader, into) => {
    into.type = reader.int32();
  },
  2: (reader, into) => {
    into.shape = message(reader, SHAPE, { dims: [] }).dims;
  },
};
const TYPE: Fields<{ dtype: DataType | undefined; shape: Dim[] | undefined }> = {
  1: (reader, into) => {
    const { type, shape } = message(reader, TENSOR_TYPE, { type: 0, shape: undefined });
    into.dtype = dataTypeOf(type);
    into.shape = shape;
  },
};
const VALUE: Fields<{ name: string; dtype: DataType | undefined; shape: Dim[] | undefined }> = {
  1: (reader, into) => {
    into.name = reader.string();
  },
  2: (reader, into) => void message(reader, TYPE, into),
};

function readValue(reader: BinaryReader): ValueInfo {
  const { name, dtype, shape } = message(reader, VALUE, { name: '', dtype: undefined, shape: undefined });
  if (name === '' || dtype === undefined || shape === undefined) refuse();
  return { name, dtype, shape };
}

const ATTRIBUTE: Fields<{ name: string; value: Attribute | undefined }> = {
  1: (reader, into) => {
    into.name = reader.string();
  },
  2: (reader, into) => {
    into.value = { kind: 'float', value: reader.float() };
  },
  3: (reader, into) => {
    into.value = { kind: 'int', value: Number(reader.int64()) };
  },
  4: (reader, into) => {
    into.value = { kind: 'string', value: new TextDecoder().decode(reader.bytes()) };
  },
  5: (reader, into) => {
    into.value = { kind: 'tensor', value: readTensor(reader).constant };
  },
  6: refuse,
  7: (reader, into, wire) => {
    const value = into.value?.kind === 'floats' ? [...into.value.value] : [];
    numbers(reader, wire, value, () => reader.float());
    into.value = { kind: 'floats', value };
  },
  8: (reader, into, wire) => {
    const value = into.value?.kind === 'ints' ? [...into.value.value] : [];
    numbers(reader, wire, value, () => Number(reader.int64()));
    into.value = { kind: 'ints', value };
  },
  ...Object.fromEntries([9, 10, 11, 15, 21, 22, 23].map((field) => [field, refuse])),
};

interface NodeParts {
  op: string;
  domain: string;
  name: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
}

const NODE: Fields<NodeParts> = {
  1: (reader, into) => void into.inputs.push(reader.string()),
  2: (reader, into) => void into.outputs.push(reader.string()),
  3: (reader, into) => {
    into.name = reader.string();
  },
  4: (reader, into) => {
    into.op = reader.string();
  },
  5: (reader, into) => {
    const { name, value } = message(reader, ATTRIBUTE, { name: '', value: undefined });
    if (name === '' || value === undefined || Object.hasOwn(into.attributes, name)) refuse();
    into.attributes[name] = value;
  },
  7: (reader, into) => {
    const domain = reader.string();
    into.domain = domain === 'ai.onnx' ? '' : domain;
  },
};

function readNode(reader: BinaryReader): Node {
  const parts: NodeParts = { op: '', domain: '', name: '', inputs: [], outputs: [], attributes: Object.create(null) };
  const node = message(reader, NODE, parts);
  return { ...node, attributes: { ...node.attributes } };
}

const GRAPH: Fields<Graph> = {
  1: (reader, into) => void into.nodes.push(readNode(reader)),
  2: (reader, into) => {
    into.name = reader.string();
  },
  5: (reader, into) => {
    const { name, constant } = readTensor(reader);
    if (name === '' || into.initializers.has(name)) refuse();
    into.initializers.set(name, constant);
  },
  11: (reader, into) => void into.inputs.push(readValue(reader)),
  12: (reader, into) => void into.outputs.push(readValue(reader)),
  15: refuse,
};

const MODEL: Fields<{ graph?: Graph }> = {
  7: (reader, into) => {
    if (into.graph !== undefined) refuse();
    into.graph = message(reader, GRAPH, {
      name: '',
      inputs: [],
      outputs: [],
      initializers: new Map(),
      nodes: [],
      types: new Map(),
    });
  },
  25: refuse,
};

/** Constant nodes stand among the initializers, and initializers no longer among the inputs, as in graphs that are read. */
function liftConstants(graph: Graph): void {
  for (const { op, domain, outputs, attributes } of graph.nodes) {
    if (op !== 'Constant' || domain !== '') continue;
    const value = attributes['value'];
    if (value?.kind !== 'tensor' || outputs.length !== 1) refuse();
    graph.initializers.set(outputs[0]!, { ...value.value, literal: true });
  }
  graph.nodes = graph.nodes.filter(({ op, domain }) => op !== 'Constant' || domain !== '');
  graph.inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
}
