/** .safetensors: one tensor is the data; labels, names and captions may stand beside it. */

import { readTensorTable } from '../../../artifacts/safetensors.js';
import { VaeError } from '../../../core/errors.js';
import type { Label } from '../items.js';
import { readRows, rowsIn, type StoredArray } from './arrays.js';
import { choose } from './choose.js';
import { firstOf, NAMES, type RowFormat } from './row-file.js';

const TYPES: Readonly<Record<string, StoredArray['Type']>> = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

export const safetensorsRows: RowFormat = {
  endings: ['.safetensors'],
  async open(input, options) {
    const where = input.path;
    const { tensors, metadata } = await readTensorTable(
      (offset, length) => input.read(offset, length),
      input.size,
      where,
    );
    const stored = (name: string): StoredArray => {
      const { dtype, dims, start } = tensors.get(name)!;
      return { dtype, shape: dims, start, bigEndian: false, fortran: false, Type: TYPES[dtype]! };
    };
    const name = choose([...tensors.keys()], options, where);
    const array = stored(name);
    const rows = rowsIn(array, `${where}, ${name}`);
    const labels = firstOf([...tensors.keys()], NAMES.labels);
    const hasLabels = labels !== undefined && labels !== name && tensors.get(labels)!.dims.join() === String(rows);
    const texts = (key: string): readonly (string | undefined)[] | undefined => {
      const text = metadata[key];
      if (text === undefined) return undefined;
      const list = parseList(text);
      return list?.length === rows ? list.map((one) => (typeof one === 'string' ? one : undefined)) : undefined;
    };
    const names = texts('names');
    const captions = texts('captions');
    const words = texts('labels');
    return {
      rows,
      labels: hasLabels ? 'number' : words ? 'text' : undefined,
      captions: captions !== undefined,
      async read(from, to, signal, lend) {
        const values = await readRows(input, array, from, to, `${where}, ${name}`, signal, lend);
        const numbers = hasLabels
          ? Array.from(
              (await readRows(input, stored(labels), from, to, `${where}, ${labels}`, signal)).data as Float32Array,
              Number,
            )
          : undefined;
        return {
          content: { kind: 'array', array: values },
          names: names?.slice(from, to),
          labels: (numbers ?? words?.slice(from, to)) as readonly (Label | undefined)[] | undefined,
          captions: captions?.slice(from, to),
        };
      },
      async close() {},
    };
  },
};

function parseList(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    throw new VaeError('ERR_VAE_FORMAT', 'The names in the metadata of a .safetensors file are no JSON list.');
  }
}
