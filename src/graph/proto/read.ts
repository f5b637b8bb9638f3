/** Turns the bytes of an ONNX file into the graph held in memory, believing nothing unchecked. */
import { fromBinary } from '@bufbuild/protobuf';
import { VaeError } from '../../core/errors.js';
import { type Folder, printable } from '../external-data.js';
import { asLength, canonicalDim } from '../infer/dims.js';
import type { Attribute, Constant, Dim, Graph, Model, Node, TensorType, ValueInfo } from '../ir.js';
import { inlineFunctions } from './functions.js';
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from './onnx_pb.js';
import { readElementType, readTensor, readText } from './read-tensor.js';
import { scanMessage } from './scan.js';
import { standardDomain } from './standard-domain.js';

/** A model as the file has it: types declared but not inferred, opset as it came. */
export interface DecodedModel {
  readonly model: Model;
  /** Types that the file declares for its values. */
  readonly declared: Map<string, TensorType>;
}

/** Larger files than this are not messages that any implementation reads. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
const MAX_RANK = 64;

/**
 * Parses a model and inlines its model-local functions. Tensor data are borrowed from `bytes`.
 *
 * @throws VaeError ERR_VAE_FORMAT for damaged or hostile bytes, ERR_VAE_GRAPH for what cannot be held.
 */
export function decodeModel(bytes: Uint8Array, folder: Folder, what: string): DecodedModel {
  if (bytes.byteLength > MAX_FILE_BYTES) {
    throw new VaeError('ERR_VAE_FORMAT', `${what} is larger than 2 GB, which no ONNX file may be.`);
  }
  scanMessage(ModelProtoSchema, bytes, what);
  let proto: ModelProto;
  try {
    // Buffers would make their subarrays Buffers too, which slice and compare differently.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    proto = fromBinary(ModelProtoSchema, plain, { readUnknownFields: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VaeError('ERR_VAE_FORMAT', `${what} is not a valid ONNX file: ${reason}.`, { cause });
  }
  if (proto.graph === undefined) {
    throw new VaeError('ERR_VAE_FORMAT', `${what} holds no graph; it is not an ONNX model, or a damaged one.`);
  }
  const opsets = readOpsets(proto, what);
  inlineFunctions(proto, opsets);
  const reader = new GraphReader(folder);
  const graph = reader.graph(proto.graph, true);
  return {
    model: {
      irVersion: integer(proto.irVersion ?? 0n, `${what}: ir_version`),
      opsets,
      producer: proto.producerName,
      metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
      graph,
    },
    declared: reader.declared,
  };
}

function readOpsets(proto: ModelProto, what: string): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of proto.opsetImport) {
    const name = standardDomain(domain);
    const number = integer(version, `${what}: the version of operator set "${printable(domain)}"`);
    opsets.set(name, Math.max(number, opsets.get(name) ?? number));
  }
  return opsets;
}

class GraphReader {
  readonly declared = new Map<string, TensorType>();

  constructor(private readonly folder: Folder) {}

  graph(proto: GraphProto, outermost: boolean): Graph {
    const place = `Graph "${printable(proto.name)}"`;
    if (proto.sparseInitializer.length > 0) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `${place} has sparse initializers, which are not supported; store them dense.`,
      );
    }
    const initializers = new Map<string, Constant>();
    for (const tensor of proto.initializer) {
      if (tensor.name === '') throw new VaeError('ERR_VAE_GRAPH', `${place} has an initializer without a name.`);
      if (initializers.has(tensor.name)) {
        throw new VaeError('ERR_VAE_GRAPH', `${place} has two initializers named "${printable(tensor.name)}".`);
      }
      initializers.set(tensor.name, readTensor(tensor, this.folder));
    }
    // Older files list every initializer among the inputs as well; it is the initializer that counts.
    const inputs = proto.input
      .filter(({ name }) => !initializers.has(name))
      .map((info) => this.valueInfo(info, `${place}, input`, !outermost));
    const outputs = proto.output.map((info) => this.valueInfo(info, `${place}, output`, true));
    if (outermost) for (const info of proto.valueInfo) this.declare(info);
    return {
      name: proto.name,
      inputs,
      outputs,
      initializers,
      nodes: proto.node.map((node) => this.node(node)),
      types: new Map(),
    };
  }

  node(proto: NodeProto): Node {
    const place = `Node "${printable(proto.name || (proto.output[0] ?? ''))}" (${printable(proto.opType)})`;
    const attributes: Record<string, Attribute> = Object.create(null);
    for (const attribute of proto.attribute) {
      if (Object.hasOwn(attributes, attribute.name)) {
        throw new VaeError('ERR_VAE_GRAPH', `${place} has attribute "${printable(attribute.name)}" twice.`);
      }
      attributes[attribute.name] = this.attribute(attribute, place);
    }
    const inputs = [...proto.input];
    while (inputs.length > 0 && inputs[inputs.length - 1] === '') inputs.pop();
    const outputs = [...proto.output];
    while (outputs.length > 1 && outputs[outputs.length - 1] === '') outputs.pop();
    return {
      op: proto.opType,
      domain: standardDomain(proto.domain),
      name: proto.name,
      inputs,
      outputs,
      attributes: { ...attributes },
    };
  }

  attribute(proto: AttributeProto, node: string): Attribute {
    const place = `${node}, attribute "${printable(proto.name)}"`;
    switch (proto.type === AttributeType.UNDEFINED ? guessType(proto) : proto.type) {
      case AttributeType.INT:
        return { kind: 'int', value: Number(proto.i ?? 0n) };
      case AttributeType.FLOAT:
        return { kind: 'float', value: proto.f ?? 0 };
      case AttributeType.STRING:
        return { kind: 'string', value: readText(proto.s ?? new Uint8Array(0), place) };
      case AttributeType.INTS:
        return { kind: 'ints', value: proto.ints.map(Number) };
      case AttributeType.FLOATS:
        return { kind: 'floats', value: proto.floats };
      case AttributeType.STRINGS:
        return { kind: 'strings', value: proto.strings.map((bytes) => readText(bytes, place)) };
      case AttributeType.TENSOR:
        if (proto.t === undefined) throw new VaeError('ERR_VAE_FORMAT', `${place} has no value.`);
        return { kind: 'tensor', value: readTensor(proto.t, this.folder, `${proto.name} of ${node}`) };
      case AttributeType.GRAPH:
        if (proto.g === undefined) throw new VaeError('ERR_VAE_FORMAT', `${place} has no value.`);
        return { kind: 'graph', value: this.graph(proto.g, false) };
      default:
        throw new VaeError(
          'ERR_VAE_GRAPH',
          `${place} is of kind ${AttributeType[proto.type] ?? proto.type}, which no supported operator has.`,
        );
    }
  }

  valueInfo(proto: ValueInfoProto, place: string, mayLackType: boolean): ValueInfo {
    const { name } = proto;
    if (name === '') throw new VaeError('ERR_VAE_GRAPH', `${place} has no name.`);
    const type = this.declare(proto);
    if (type !== undefined) return { name, ...type };
    if (mayLackType) return { name, dtype: 'float32', shape: undefined };
    const kind = proto.type?.value.case;
    const reason =
      kind === undefined || kind === 'tensorType'
        ? 'has no type'
        : `is a ${kind.replace('Type', '')}, not a tensor; only tensors are supported`;
    throw new VaeError('ERR_VAE_GRAPH', `${place} "${printable(name)}" ${reason}.`);
  }

  /** Reads a declared type and remembers it; undefined where there is none. */
  declare(proto: ValueInfoProto): TensorType | undefined {
    const value = proto.type?.value;
    if (value?.case !== 'tensorType' || value.value.elemType === 0) return undefined;
    const place = `Value "${printable(proto.name)}"`;
    const dtype = readElementType(value.value.elemType, place);
    const dims = value.value.shape?.dim;
    if (dims !== undefined && dims.length > MAX_RANK) {
      throw new VaeError('ERR_VAE_FORMAT', `${place} has ${dims.length} dimensions.`);
    }
    const shape = dims?.map((dim, axis): Dim => {
      if (dim.value.case === 'dimValue') {
        // Some exporters write -1 for a length that is not known.
        if (dim.value.value >= 0n) return integer(dim.value.value, `${place}: the length of axis ${axis}`);
      } else if (dim.value.case === 'dimParam' && isSymbol(dim.value.value)) {
        const length = asLength(canonicalDim(dim.value.value));
        if (length !== undefined) return length;
      }
      return `${proto.name}_dim${axis}`;
    });
    const type = { dtype, shape };
    this.declared.set(proto.name, type);
    return type;
  }
}

/** Writers of the first format version left the kind out; the field that is filled tells it. */
function guessType(proto: AttributeProto): AttributeType {
  if (proto.i !== undefined) return AttributeType.INT;
  if (proto.f !== undefined) return AttributeType.FLOAT;
  if (proto.s !== undefined) return AttributeType.STRING;
  if (proto.t !== undefined) return AttributeType.TENSOR;
  if (proto.g !== undefined) return AttributeType.GRAPH;
  if (proto.floats.length > 0) return AttributeType.FLOATS;
  if (proto.strings.length > 0) return AttributeType.STRINGS;
  return AttributeType.INTS;
}

/** Symbols end up in messages and in names; a text that is not fit for that is taken as no name at all. */
function isSymbol(text: string): boolean {
  return text !== '' && text.length <= 256 && printable(text, 256) === text;
}

function integer(value: bigint, place: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new VaeError('ERR_VAE_FORMAT', `${place} is ${value}.`);
  }
  return Number(value);
}
