/**
 * Reading and writing safetensors: an 8-byte little-endian header length, a JSON header, then the
 * tensors' bytes. Format: https://github.com/huggingface/safetensors. No kept npm package writes it.
 */
import { TextDecoder } from 'node:util';
import { BYTES_PER_ELEMENT, type DataType, elementCount, type TypedArray } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { refusePointer } from '../core/lfs.js';

export interface SafeTensor {
  readonly dtype: Exclude<DataType, 'string'>;
  readonly dims: readonly number[];
  /** Little-endian elements, row-major. */
  readonly data: Uint8Array;
}

export interface SafeTensors {
  readonly tensors: Map<string, SafeTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const MAX_HEADER_BYTES = 100_000_000;

const NAMES: Readonly<Record<string, SafeTensor['dtype']>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
};
const CODES = new Map(Object.entries(NAMES).map(([code, dtype]) => [dtype, code]));

/** The file as chunks in order; tensor bytes are borrowed. Tensors stand in alphabetical order. */
export function encodeSafeTensors({ tensors, metadata }: SafeTensors): Uint8Array[] {
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header['__metadata__'] = metadata;
  const names = [...tensors.keys()].sort();
  let offset = 0;
  for (const name of names) {
    const { dtype, dims, data } = tensors.get(name)!;
    header[name] = { dtype: CODES.get(dtype), shape: dims, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  let text = JSON.stringify(header);
  // The tensors begin at a multiple of 8 bytes, so that readers can map them.
  text += ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const json = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  return [length, json, ...names.map((name) => tensors.get(name)!.data)];
}

/**
 * Tensors are views into `bytes`, not copies.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything that is not exactly a safetensors file.
 */
export function decodeSafeTensors(bytes: Uint8Array, where: string): SafeTensors {
  const fail = (what: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not a whole safetensors file: ${what}.`);
  };
  refusePointer(bytes, where);
  if (bytes.byteLength < 8) fail(`it has ${bytes.byteLength} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getBigUint64(0, true);
  if (headerLength > BigInt(Math.min(MAX_HEADER_BYTES, bytes.byteLength - 8))) {
    fail(`its header claims ${headerLength} bytes of ${bytes.byteLength - 8}`);
  }
  const start = 8 + Number(headerLength);
  const header = parseHeader(bytes.subarray(8, start), fail);
  const body = bytes.subarray(start);
  const tensors = new Map<string, SafeTensor>();
  let metadata: Readonly<Record<string, string>> = {};
  const spans: [number, number][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isTextRecord(entry)) return fail('its metadata is not text by key');
      metadata = entry;
      continue;
    }
    const { tensor, span } = readEntry(name, entry, body, fail);
    tensors.set(name, { ...tensor, data: body.subarray(span[0], span[1]) });
    spans.push(span);
  }
  // Neither holes nor overlaps, as the format demands: bytes nobody names could hide anything.
  spans.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let end = 0;
  for (const [from, to] of spans) {
    if (from !== end) fail(`its tensors leave a hole or overlap at byte ${end}`);
    end = to;
  }
  if (end !== body.byteLength) fail(`its tensors end at byte ${end} of ${body.byteLength}`);
  return { tensors, metadata };
}

/** Where a tensor lies in a file. */
export interface TensorPlace {
  readonly dtype: SafeTensor['dtype'];
  readonly dims: readonly number[];
  /** Byte of the file at which its elements begin. */
  readonly start: number;
}

/**
 * The tensors of a file by their places, without reading their elements.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything that is not exactly a safetensors file.
 */
export async function readTensorTable(
  read: (offset: number, length: number) => Promise<Uint8Array>,
  size: number,
  where: string,
): Promise<{ readonly tensors: Map<string, TensorPlace>; readonly metadata: Readonly<Record<string, string>> }> {
  const fail = (what: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not a whole safetensors file: ${what}.`);
  };
  if (size < 8) fail(`it has ${size} bytes`);
  const first = await read(0, 8);
  const headerLength = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (headerLength > BigInt(Math.min(MAX_HEADER_BYTES, size - 8))) fail(`its header claims ${headerLength} bytes`);
  const start = 8 + Number(headerLength);
  const header = parseHeader(await read(8, Number(headerLength)), fail);
  const tensors = new Map<string, TensorPlace>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isTextRecord(entry)) return fail('its metadata is not text by key');
      metadata = entry;
      continue;
    }
    const { tensor, span } = readEntry(name, entry, { byteLength: size - start }, fail);
    tensors.set(name, { dtype: tensor.dtype, dims: tensor.dims, start: start + span[0] });
  }
  return { tensors, metadata };
}

/** The elements of a float32 tensor, copied when not aligned. */
export function float32Elements(tensor: SafeTensor, where: string): Float32Array {
  if (tensor.dtype !== 'float32') {
    throw new VaeError('ERR_VAE_FORMAT', `${where}: expected float32, received ${tensor.dtype}.`);
  }
  const { data } = tensor;
  if (data.byteOffset % 4 === 0) return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  // A Buffer's own slice() is a view; this copies.
  return new Float32Array(Uint8Array.from(data).buffer);
}

/** Views a typed array as a float32 tensor's bytes. */
export function float32Tensor(values: Float32Array, dims: readonly number[]): SafeTensor {
  return { dtype: 'float32', dims, data: bytesOf(values) };
}

function bytesOf(array: TypedArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function parseHeader(bytes: Uint8Array, fail: (what: string) => never): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    fail('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) fail('its header is not an object');
  return header as Record<string, unknown>;
}

function readEntry(
  name: string,
  entry: unknown,
  body: { readonly byteLength: number },
  fail: (what: string) => never,
): { tensor: Omit<SafeTensor, 'data'>; span: [number, number] } {
  const { dtype: code, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const dtype = typeof code === 'string' && Object.hasOwn(NAMES, code) ? NAMES[code] : undefined;
  if (dtype === undefined) return fail(`tensor "${name}" has the unknown type ${JSON.stringify(code)}`);
  if (!isCounts(shape)) return fail(`tensor "${name}" has no valid shape`);
  if (!isCounts(offsets) || offsets.length !== 2) return fail(`tensor "${name}" has no valid offsets`);
  const [from, to] = offsets as [number, number];
  const byteLength = elementCount(shape) * BYTES_PER_ELEMENT[dtype];
  if (from > to || to > body.byteLength || to - from !== byteLength) {
    return fail(
      `tensor "${name}" of shape [${shape.join(', ')}] needs ${byteLength} bytes, has ${from}..${to} of ${body.byteLength}`,
    );
  }
  return { tensor: { dtype, dims: shape }, span: [from, to] };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}
