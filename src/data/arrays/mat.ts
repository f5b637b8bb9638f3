/**
 * MATLAB files. Version 5 to 7 by the format that MathWorks documents (MAT-File Format, chapter 1): elements of a tag and
 * data, arrays as miMATRIX, each perhaps compressed by zlib. Version 7.3 is HDF5 and read through h5wasm where it is installed.
 */
import { inflateSync } from 'node:zlib';
import { Tensor } from 'onnxruntime-common';
import { elementCount, type TypedArray } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { refuseOutOfMemory } from '../../core/memory.js';
import { gatherStrided } from '../../core/tensor.js';
import { readDataFile } from '../files.js';
import type { NamedArrays } from './named-arrays.js';

const MATRIX = 14;
const COMPRESSED = 15;
/** Classes of arrays that hold numbers: double, single and the integers. */
const NUMERIC = { first: 6, last: 15 };
const MOST_AXES = 32;
const MOST_BYTES = 2 ** 32;

/** What makes a file of an old kind one that is read. */
const AGAIN =
  "Save it again: save('new.mat', '-v7') in MATLAB or Octave, or scipy.io.savemat('new.mat', scipy.io.loadmat('old.mat')) in Python.";

type NumberArray = (new (buffer: ArrayBuffer) => TypedArray) & { readonly BYTES_PER_ELEMENT: number };

/** How numbers of each type of element are stored. */
const STORED: Readonly<Record<number, NumberArray>> = {
  1: Int8Array,
  2: Uint8Array,
  3: Int16Array,
  4: Uint16Array,
  5: Int32Array,
  6: Uint32Array,
  7: Float32Array,
  9: Float64Array,
  12: BigInt64Array,
  13: BigUint64Array,
};

/** What arrays of each class are. */
const CLASSES: Readonly<
  Record<number, { readonly dtype: Tensor.Type; readonly Type: new (length: number) => TypedArray }>
> = {
  6: { dtype: 'float64', Type: Float64Array },
  7: { dtype: 'float32', Type: Float32Array },
  8: { dtype: 'int8', Type: Int8Array },
  9: { dtype: 'uint8', Type: Uint8Array },
  10: { dtype: 'int16', Type: Int16Array },
  11: { dtype: 'uint16', Type: Uint16Array },
  12: { dtype: 'int32', Type: Int32Array },
  13: { dtype: 'uint32', Type: Uint32Array },
  14: { dtype: 'int64', Type: BigInt64Array },
  15: { dtype: 'uint64', Type: BigUint64Array },
};

export async function openMat(path: string): Promise<NamedArrays> {
  const bytes = await readDataFile(path);
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 128)).toString('latin1');
  if (/^MATLAB 7\.3/.test(head) || isHdf5(bytes)) return openHdf5(bytes, path);
  const arrays = new Map<string, Tensor>();
  try {
    if (bytes.length < 128) throw new Error('it is shorter than its header');
    const mark = head.slice(126, 128);
    if (mark !== 'IM' && mark !== 'MI')
      throw new Error(`it has no mark of its byte order, as files of version 4 have none. ${AGAIN}`);
    if (mark === 'MI') throw new Error(`it is big-endian. ${AGAIN}`);
    for (const element of elements(bytes.subarray(128))) {
      for (const inner of element.type === COMPRESSED ? elements(inflate(element.data)) : [element]) {
        if (inner.type !== MATRIX) continue;
        const found = matrixOf(inner.data);
        if (found !== undefined) arrays.set(found.name, found.tensor);
      }
    }
  } catch (error) {
    refuseOutOfMemory(error, path);
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${path}: not a .mat file that can be read: ${(error as Error).message.replace(/\.$/, '')}.`,
      {
        cause: error,
      },
    );
  }
  return { names: [...arrays.keys()], read: async (name) => arrays.get(name)!, close: async () => {} };
}

function inflate(data: Uint8Array): Uint8Array {
  return inflateSync(data, { maxOutputLength: MOST_BYTES });
}

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Elements one after another: a tag of 8 bytes, or of 4 with up to 4 bytes of data behind it. */
function* elements(bytes: Uint8Array): Generator<Element> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 8 <= bytes.length) {
    const word = view.getUint32(at, true);
    const small = word >>> 16;
    if (small !== 0) {
      if (small > 4) throw new Error('an element is longer than its place');
      yield { type: word & 0xffff, data: bytes.subarray(at + 4, at + 4 + small) };
      at += 8;
      continue;
    }
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > bytes.length) throw new Error('it ends inside an element');
    yield { type: word, data: bytes.subarray(at + 8, at + 8 + length) };
    // Compressed elements are not filled up to 8 bytes.
    at += 8 + (word === COMPRESSED ? length : Math.ceil(length / 8) * 8);
  }
}

/** A named array of numbers; undefined for texts, structures, cells, sparse and complex arrays. */
function matrixOf(data: Uint8Array): { name: string; tensor: Tensor } | undefined {
  const [flags, dimensions, name, real] = elements(data);
  if (!flags || !dimensions || !name || !real) return undefined;
  const word = new DataView(flags.data.buffer, flags.data.byteOffset).getUint32(0, true);
  const kind = word & 0xff;
  const isComplex = (word & 0x800) !== 0;
  if (kind < NUMERIC.first || kind > NUMERIC.last || isComplex) return undefined;
  const dims = Array.from(numbersIn(dimensions) as Int32Array, Number);
  if (dims.length > MOST_AXES || dims.some((dim) => dim < 0)) throw new Error('an array has a shape that cannot be');
  const stored = numbersIn(real);
  if (stored.length !== elementCount(dims))
    throw new Error(`an array of [${dims.join(', ')}] has ${stored.length} numbers`);
  const { dtype, Type } = CLASSES[kind]!;
  const values = new Type(stored.length);
  // Stored as small as their values allow.
  for (let index = 0; index < stored.length; index += 1) {
    values[index] = (typeof values[0] === 'bigint' ? BigInt(stored[index]!) : Number(stored[index]!)) as never;
  }
  const text = Buffer.from(name.data).toString('utf8');
  return { name: text, tensor: new Tensor(dtype, fromColumns(values, dims) as Float32Array, dims) };
}

function numbersIn({ type, data }: Element): TypedArray {
  const Type = STORED[type];
  if (Type === undefined) throw new Error(`an array has elements of type ${type}, which are no numbers`);
  return new Type(new Uint8Array(data.subarray(0, data.length - (data.length % Type.BYTES_PER_ELEMENT))).buffer);
}

/** MATLAB stores the first axis one after another. */
function fromColumns(values: TypedArray, dims: readonly number[]): TypedArray {
  let stride = 1;
  const strides = dims.map((dim) => {
    const own = stride;
    stride *= dim;
    return own;
  });
  return gatherStrided(values, dims, strides);
}

function isHdf5(bytes: Uint8Array): boolean {
  // HDF5 begins behind MATLAB's own 512 bytes, or at once.
  return [0, 512].some((at) => Buffer.from(bytes.subarray(at, at + 8)).toString('latin1') === '\x89HDF\r\n\x1a\n');
}

async function openHdf5(bytes: Uint8Array, path: string): Promise<NamedArrays> {
  const loaded = await import('h5wasm/node').catch((cause: unknown) => {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${path}: MATLAB files of version 7.3 are HDF5, read by the package h5wasm, which is not installed. Install it (npm install h5wasm), or ` +
        "save the file as version 7: save('file.mat', 'x', '-v7').",
      { cause },
    );
  });
  const hdf5 = await loaded.ready;
  const name = `/node-vae-${Math.random().toString(36).slice(2)}.mat`;
  hdf5.FS.writeFile(name, bytes);
  const file = new loaded.File(name, 'r');
  const numeric = file.keys().filter((key) => {
    const found = file.get(key);
    return found instanceof loaded.Dataset && ArrayBuffer.isView(found.value);
  });
  return {
    names: numeric,
    async read(key: string): Promise<Tensor> {
      const found = file.get(key) as InstanceType<typeof loaded.Dataset>;
      // HDF5 names the axes the other way round.
      const dims = [...found.shape!].reverse();
      const values = found.value as unknown as TypedArray;
      return new Tensor(fromColumns(values, dims) as Float32Array, dims);
    },
    async close() {
      file.close();
      hdf5.FS.unlink(name);
    },
  };
}
