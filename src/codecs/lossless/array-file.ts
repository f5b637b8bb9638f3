/** Plain IDX and .npy files of bytes, read in pieces: size does not matter. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { handleSource } from '../../archive/bytes.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { readNpyHeader, writeNpyHeader } from '../../data/npy/header.js';
import type { ItemSource } from './item-source.js';

const IDX_UINT8 = 8;
/** More than any header of either format. */
const MOST_HEADER_BYTES = 1 << 17;

export interface ArrayLayout {
  readonly kind: 'idx' | 'npy';
  readonly shape: readonly number[];
  readonly dataStart: number;
}

/** Undefined when the file is neither an IDX nor a .npy file. */
export async function openArrayFile(path: string): Promise<ItemSource | undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw ioError(error, `opening ${path}`);
  });
  try {
    const { size, mtimeMs } = await file.stat();
    const source = handleSource(file, size, path);
    const head = await source.read(0, Math.min(size, MOST_HEADER_BYTES));
    const layout = layoutOf(head, path);
    if (layout === undefined) {
      await file.close();
      return undefined;
    }
    const { kind, shape, dataStart } = layout;
    const [count, ...rowShape] = shape;
    const rowBytes = rowShape.reduce((product, dim) => product * dim, 1);
    if (count === undefined || count === 0 || rowBytes === 0) {
      throw new VaeError('ERR_VAE_DATA', `${path} holds no items: its shape is [${shape.join(', ')}].`);
    }
    if (dataStart + count * rowBytes !== size) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${path}: shape [${shape.join(', ')}] needs ${dataStart + count * rowBytes} bytes in all, the file has ${size}.`,
      );
    }
    return {
      ...{ kind, name: basename(path), rowShape, count, byteLength: size },
      read: async (from, number) => ({
        items: await source.read(dataStart + from * rowBytes, number * rowBytes),
        count: number,
      }),
      async checkUnchanged() {
        const now = await file.stat();
        if (now.size === size && now.mtimeMs === mtimeMs) return;
        throw new VaeError('ERR_VAE_IO', `${path} changed while it was read. Start again once nothing writes to it.`);
      },
      close: () => source.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function layoutOf(head: Uint8Array, path: string): ArrayLayout | undefined {
  if (head[0] === 0x93 && Buffer.from(head.subarray(1, 6)).toString('latin1') === 'NUMPY') {
    const { header, dataStart } = readNpyHeader(head, path);
    if (!/^[|<>=]u1$/.test(header.descr)) throw notBytes(path, header.descr);
    if (header.fortranOrder && header.shape.length > 1) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${path} is in Fortran order; write it in C order (numpy.ascontiguousarray).`,
      );
    }
    return { kind: 'npy', shape: header.shape, dataStart };
  }
  if (head.length < 8 || head[0] !== 0 || head[1] !== 0 || head[3]! < 1 || head[3]! > 8) return undefined;
  if (head[2] !== IDX_UINT8) throw notBytes(path, `IDX type ${head[2]}`);
  const axes = head[3]!;
  const dataStart = 4 + 4 * axes;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { kind: 'idx', shape, dataStart };
}

/** The bytes before the items of a file of this kind and shape. */
export function arrayHeader(kind: 'idx' | 'npy', shape: readonly number[]): Uint8Array {
  if (kind === 'npy') return writeNpyHeader({ descr: '|u1', fortranOrder: false, shape });
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt8(IDX_UINT8, 2);
  header.writeUInt8(shape.length, 3);
  shape.forEach((dim, axis) => {
    header.writeUInt32BE(dim, 4 + 4 * axis);
  });
  return header;
}

function notBytes(path: string, type: string): VaeError {
  return new VaeError('ERR_VAE_DATA', `${path} holds elements of type ${type}; codecs are for bytes (uint8).`);
}
