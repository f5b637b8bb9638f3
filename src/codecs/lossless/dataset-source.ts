import { VaeError } from '../../core/errors.js';
import type { Dataset } from '../../data/dataset.js';
import type { ItemSource } from './item-source.js';

/** A dataset of bytes, in memory or not. Comes out again as a .npy file. */
export function datasetSource(data: Dataset, name = 'items.npy'): ItemSource {
  if (data.dtype !== 'uint8') {
    throw new VaeError(
      'ERR_VAE_DATA',
      `compress(): expected 8-bit items, received ${data.dtype}; codecs are for bytes.`,
    );
  }
  const { rowShape, length: count, names } = data;
  const rowBytes = rowShape.reduce((product, dim) => product * dim, 1);
  return {
    ...{ kind: 'npy', name, rowShape, count, byteLength: count * rowBytes },
    async read(from, number, signal) {
      const rows = Array.from({ length: number }, (_, index) => from + index);
      const items = (data.memory?.subarray(from * rowBytes, (from + number) * rowBytes) ??
        (await data.read(rows, signal))) as Uint8Array;
      return { items, count: number, names: names?.slice(from, from + number) };
    },
    async checkUnchanged() {},
    async close() {},
  };
}
