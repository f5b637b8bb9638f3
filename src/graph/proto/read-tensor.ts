/** Reads tensors in every encoding that the format allows. */
import { TextDecoder } from 'node:util';
import { BYTES_PER_ELEMENT, type DataType } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { constantOf } from '../constants.js';
import { type Folder, printable, resolveExternalData } from '../external-data.js';
import type { Constant } from '../ir.js';
import { dataTypeOf, describeDataType } from './data-types.js';
import { TensorProto_DataLocation as DataLocation, type TensorProto } from './onnx_pb.js';

/** More dimensions than any runtime takes. */
const MAX_RANK = 64;

/** A tensor of the file. Its bytes are borrowed from the file's, or referred to where they are external. */
export function readTensor(tensor: TensorProto, folder: Folder, owner = ''): Constant {
  const place = `Tensor "${printable(tensor.name || owner)}"`;
  const dtype = readElementType(tensor.dataType, place);
  const dims = readDims(tensor.dims, place);
  if (tensor.segment !== undefined) fail(place, 'is cut into segments, which is not supported.');
  const count = countElements(dims, place);
  if (dtype === 'string') return readStrings(tensor, dims, count, place);
  const byteLength = count * BYTES_PER_ELEMENT[dtype];
  if (tensor.dataLocation === DataLocation.EXTERNAL) {
    return { dtype, dims, data: readReference(tensor, folder, byteLength, place) };
  }
  if (tensor.rawData !== undefined && (tensor.rawData.length > 0 || count === 0)) {
    if (tensor.rawData.byteLength !== byteLength) {
      fail(
        place,
        `of type ${dtype} and shape [${dims.join(', ')}] needs ${byteLength} bytes and has ${tensor.rawData.byteLength}.`,
      );
    }
    return { dtype, dims, data: tensor.rawData };
  }
  return { dtype, dims, data: readList(tensor, dtype, count, place) };
}

/** The element type of this number; stops where it is unknown or not supported. */
export function readElementType(code: number, place: string): DataType {
  const dtype = dataTypeOf(code);
  if (dtype === undefined) fail(place, `has the data type ${describeDataType(code)}, which is not supported.`);
  return dtype;
}

function readDims(dims: readonly bigint[], place: string): number[] {
  if (dims.length > MAX_RANK) fail(place, `has ${dims.length} dimensions.`);
  return dims.map((dim) => {
    if (dim < 0n || dim > BigInt(Number.MAX_SAFE_INTEGER)) fail(place, `has a dimension of ${dim}.`);
    return Number(dim);
  });
}

function countElements(dims: readonly number[], place: string): number {
  if (dims.includes(0)) return 0;
  let count = 1;
  for (const dim of dims) {
    count *= dim;
    // 2^49 elements of eight bytes are the last whose byte count is an exact number.
    if (count > 2 ** 49) fail(place, `of shape [${dims.join(', ')}] has too many elements.`);
  }
  return count;
}

function readStrings(tensor: TensorProto, dims: number[], count: number, place: string): Constant {
  if (tensor.stringData.length !== count) fail(place, `needs ${count} strings and has ${tensor.stringData.length}.`);
  return {
    dtype: 'string',
    dims,
    data: new Uint8Array(0),
    strings: tensor.stringData.map((bytes) => readText(bytes, place)),
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text in UTF-8; stops on any other bytes. */
export function readText(bytes: Uint8Array, place: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${place} holds text that is not UTF-8.`, { cause });
  }
}

function readReference(tensor: TensorProto, folder: Folder, byteLength: number, place: string): Constant['data'] {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? fail(place, 'is external and does not say in which file.');
  if (folder === undefined) {
    fail(
      place,
      `lies in the file "${printable(location)}" beside the model, and the model was given as bytes alone. ` +
        'Read the model by its path, or pass { folder }.',
    );
  }
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    if (!/^\d{1,16}$/.test(text)) fail(place, `has the external ${key} "${printable(text, 32)}".`);
    return Number(text);
  };
  return resolveExternalData(
    folder,
    { location, offset: number('offset') ?? 0, length: number('length') },
    byteLength,
    place,
  );
}

/** The typed lists; small integers and the bits of halves share int32_data. */
function readList(tensor: TensorProto, dtype: Exclude<DataType, 'string'>, count: number, place: string): Uint8Array {
  const list = listOf(tensor, dtype);
  if (list.length !== count) {
    fail(
      place,
      `of type ${dtype} and shape [${tensor.dims.join(', ')}] needs ${count} elements and has ${list.length}.`,
    );
  }
  if (dtype === 'float16' || dtype === 'bfloat16' || dtype === 'bool') {
    const limit = dtype === 'bool' ? 1 : 0xffff;
    const bits = (list as readonly number[]).map((value) =>
      value >= 0 && value <= limit ? value : fail(place, `holds ${value} among ${dtype} elements.`),
    );
    const array = dtype === 'bool' ? Uint8Array.from(bits) : Uint16Array.from(bits);
    return new Uint8Array(array.buffer);
  }
  try {
    return constantOf(list, dtype, [count]).data as Uint8Array;
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${place} holds an element that its type ${dtype} cannot hold.`, { cause });
  }
}

function listOf(tensor: TensorProto, dtype: DataType): readonly number[] | readonly bigint[] {
  switch (dtype) {
    case 'float32':
      return tensor.floatData;
    case 'float64':
      return tensor.doubleData;
    case 'int64':
      return tensor.int64Data;
    case 'uint64':
    case 'uint32':
      return tensor.uint64Data;
    default:
      return tensor.int32Data;
  }
}

function fail(place: string, reason: string): never {
  throw new VaeError('ERR_VAE_FORMAT', `${place} ${reason}`);
}
