/** .npz: a zip file of .npy files, as numpy.savez() and savez_compressed() write it. */
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import type { Tensor } from 'onnxruntime-common';
import type { Entry, ZipFile } from 'yauzl';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { refusePointer } from '../../core/lfs.js';
import { fileAt, startOfFile } from '../find-files.js';
import { parseNpy } from '../npy/read.js';
import type { NamedArrays } from './named-arrays.js';

/** Decompressed data beyond this is refused, so that a small hostile file cannot fill the memory. */
const MOST_BYTES = 8 * 2 ** 30;

/** Opens an archive; arrays are read when asked for. */
export async function openNpz(path: string): Promise<NamedArrays> {
  refusePointer(await startOfFile(fileAt(path), 64), path);
  const { default: yauzl } = await import('yauzl');
  const refuse = (error: Error): VaeError => {
    if ('code' in error) return ioError(error, `reading ${path}`);
    return new VaeError('ERR_VAE_FORMAT', `${path}: not a valid .npz file: ${error.message}.`, { cause: error });
  };
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    yauzl.open(path, { lazyEntries: true, autoClose: false }, (error, file) =>
      error ? reject(refuse(error)) : resolve(file!),
    );
  });
  const entries = new Map<string, Entry>();
  try {
    zip.on('entry', (entry: Entry) => {
      if (/\.npy$/.test(entry.fileName)) entries.set(entry.fileName.replace(/\.npy$/, ''), entry);
      zip.readEntry();
    });
    const end = once(zip, 'end');
    zip.readEntry();
    await end;
  } catch (error) {
    zip.close();
    throw refuse(error as Error);
  }
  return {
    names: [...entries.keys()],
    async read(name: string): Promise<Tensor> {
      const entry = entries.get(name)!;
      if (entry.uncompressedSize > MOST_BYTES) {
        throw new VaeError(
          'ERR_VAE_FORMAT',
          `${path}, ${name}: holds ${entry.uncompressedSize} bytes; at most ${MOST_BYTES} are read.`,
        );
      }
      try {
        const bytes = await new Promise<Buffer>((resolve, reject) => {
          zip.openReadStream(entry, (error, stream) => (error ? reject(error) : buffer(stream!).then(resolve, reject)));
        });
        return parseNpy(bytes, `${path}, ${name}`);
      } catch (error) {
        throw error instanceof VaeError ? error : refuse(error as Error);
      }
    },
    close: async () => zip.close(),
  };
}
