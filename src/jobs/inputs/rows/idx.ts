/** IDX files as MNIST has them. Compressed ones are unpacked into memory: the format is for small sets. */
import { gunzipSync } from 'node:zlib';
import { elementCount } from '../../../core/dtype.js';
import { VaeError } from '../../../core/errors.js';
import { parseIdx } from '../../../data/idx/format.js';
import { readRows, rowsIn, type StoredArray } from './arrays.js';
import type { RowFormat } from './row-file.js';

/** Unpacked data beyond this is refused. */
const MOST_BYTES = 2 ** 30;

export const idxRows: RowFormat = {
  endings: [],
  async open(input, { signal }) {
    const where = input.path;
    const head = await input.read(0, Math.min(64, input.size), signal);
    if (head[0] === 0x1f && head[1] === 0x8b) {
      let bytes: Uint8Array;
      try {
        bytes = gunzipSync(await input.read(0, input.size, signal), { maxOutputLength: MOST_BYTES });
      } catch (cause) {
        throw new VaeError('ERR_VAE_FORMAT', `${where}: damaged gzip data, or more than ${MOST_BYTES} bytes of it.`, {
          cause,
        });
      }
      const { data, shape } = parseIdx(bytes, where);
      const width = elementCount(shape.slice(1));
      return {
        rows: shape[0]!,
        read: async (from, to) => ({
          content: {
            kind: 'array',
            array: {
              data: data.subarray(from * width, to * width) as Float32Array,
              shape: [to - from, ...shape.slice(1)],
            },
          },
        }),
        async close() {},
      };
    }
    const axes = head[3] ?? 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    if (head.length < 4 + 4 * axes || axes < 1 || axes > 8 || head[0] !== 0 || head[1] !== 0 || head[2] !== 8) {
      throw new VaeError('ERR_VAE_FORMAT', `${where}: not an IDX file of bytes.`);
    }
    const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
    const array: StoredArray = {
      ...{ dtype: 'uint8', shape, start: 4 + 4 * axes, bigEndian: true, fortran: false, Type: Uint8Array },
    };
    if (input.size !== array.start + elementCount(shape)) {
      throw new VaeError('ERR_VAE_FORMAT', `${where}: not a whole IDX file: it has ${input.size} bytes.`);
    }
    return {
      rows: rowsIn(array, where),
      read: async (from, to, abort, lend) => ({
        content: { kind: 'array', array: await readRows(input, array, from, to, where, abort, lend) },
      }),
      async close() {},
    };
  },
};
