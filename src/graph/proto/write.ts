/** Writes models as ONNX files. */
import { TextEncoder } from 'node:util';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { VaeError } from '../../core/errors.js';
import { constantBytes, int64Of } from '../constants.js';
import type { Attribute, Constant, Graph, Model, Node, TensorType } from '../ir.js';
import { dataTypeCode } from './data-types.js';
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './onnx_pb.js';

/** Where the bytes of a tensor go when they are not written into the model itself. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Protobuf messages end at two gigabytes, in every implementation. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;
const utf8 = new TextEncoder();

/**
 * The bytes of a model file. Tensors for which `placeOf` names a place are only referred to.
 *
 * @throws VaeError ERR_VAE_GRAPH where the file would be larger than two gigabytes.
 */
export function encodeModel(
  model: Model,
  placeOf: (constant: Constant) => ExternalPlace | undefined = () => undefined,
): Uint8Array {
  let size = 0;
  const measured = (constant: Constant) => {
    const place = placeOf(constant);
    if (place === undefined) size += constant.data.byteLength;
    if (size > MAX_MESSAGE_BYTES) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        'The model has more than 2 GB of weights, which one ONNX file cannot hold; write it to a path with { externalData: true }.',
      );
    }
    return place;
  };
  const opsetImport = [...model.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) }));
  const metadataProps = [...model.metadata].map(([key, value]) => ({ key, value }));
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(model.irVersion),
      producerName: model.producer,
      opsetImport,
      metadataProps,
      graph: graphMessage(model.graph, measured),
    }),
    { writeUnknownFields: false },
  );
}

type PlaceOf = (constant: Constant) => ExternalPlace | undefined;

function graphMessage(graph: Graph, placeOf: PlaceOf): MessageInitShape<typeof GraphProtoSchema> {
  const ends = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const constants = [...graph.initializers];
  const valueInfo = [];
  for (const [name, type] of graph.types) {
    if (!ends.has(name) && !graph.initializers.has(name)) valueInfo.push(valueMessage(name, type));
  }
  return {
    name: graph.name,
    input: graph.inputs.map((info) => valueMessage(info.name, info)),
    output: graph.outputs.map((info) => valueMessage(info.name, info)),
    initializer: constants
      .filter(([, { literal }]) => literal !== true)
      .map(([name, constant]) => tensorMessage(constant, placeOf, name)),
    node: [
      ...constants
        .filter(([, { literal }]) => literal === true)
        .map(([name, constant]) => literalMessage(name, constant, placeOf)),
      ...graph.nodes.map((node) => nodeMessage(node, placeOf)),
    ],
    valueInfo,
  };
}

/** Literals are Constant nodes, so that every initializer of the file is a parameter. */
function literalMessage(name: string, constant: Constant, placeOf: PlaceOf): MessageInitShape<typeof NodeProtoSchema> {
  const value = attributeMessage('value', { kind: 'tensor', value: constant }, placeOf);
  return { opType: 'Constant', output: [name], attribute: [value] };
}

function nodeMessage(node: Node, placeOf: PlaceOf): MessageInitShape<typeof NodeProtoSchema> {
  return {
    name: node.name,
    opType: node.op,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeMessage(name, attribute, placeOf)),
  };
}

function attributeMessage(
  name: string,
  attribute: Attribute,
  placeOf: PlaceOf,
): MessageInitShape<typeof AttributeProtoSchema> {
  switch (attribute.kind) {
    case 'int':
      return { name, type: AttributeType.INT, i: int64Of(attribute.value) };
    case 'float':
      return { name, type: AttributeType.FLOAT, f: attribute.value };
    case 'string':
      return { name, type: AttributeType.STRING, s: utf8.encode(attribute.value) };
    case 'tensor':
      return { name, type: AttributeType.TENSOR, t: tensorMessage(attribute.value, placeOf) };
    case 'graph':
      return { name, type: AttributeType.GRAPH, g: graphMessage(attribute.value, placeOf) };
    case 'ints':
      return { name, type: AttributeType.INTS, ints: attribute.value.map(int64Of) };
    case 'floats':
      return { name, type: AttributeType.FLOATS, floats: [...attribute.value] };
    case 'strings':
      return { name, type: AttributeType.STRINGS, strings: attribute.value.map((text) => utf8.encode(text)) };
  }
}

function tensorMessage(constant: Constant, placeOf: PlaceOf, name = ''): MessageInitShape<typeof TensorProtoSchema> {
  const head = { name, dataType: dataTypeCode(constant.dtype), dims: constant.dims.map(BigInt) };
  if (constant.dtype === 'string') {
    return { ...head, stringData: constant.strings!.map((text) => utf8.encode(text)) };
  }
  const place = placeOf(constant);
  if (place === undefined) return { ...head, rawData: constantBytes(constant) };
  return {
    ...head,
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: 'location', value: place.location },
      { key: 'offset', value: String(place.offset) },
      { key: 'length', value: String(place.length) },
    ],
  };
}

function valueMessage(name: string, type: TensorType): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = type.shape?.map((length) => ({
    value:
      typeof length === 'number'
        ? { case: 'dimValue' as const, value: BigInt(length) }
        : { case: 'dimParam' as const, value: length },
  }));
  return {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: { elemType: dataTypeCode(type.dtype), ...(dim === undefined ? {} : { shape: { dim } }) },
      },
    },
  };
}
