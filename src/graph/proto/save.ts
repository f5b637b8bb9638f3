/** Writes models to files, with large tensors beside them where one file cannot hold them. */
import path from 'node:path';
import { writeFilesAtomically } from '../../core/files.js';
import { readExternalRange } from '../external-data.js';
import type { Constant, Model } from '../ir.js';
import { type ExternalPlace, encodeModel } from './write.js';

export interface WriteModelOptions {
  /**
   * Whether tensors go into a file of their own, `<model file>.data`. Default: where they come to
   * more than a gigabyte.
   */
  readonly externalData?: boolean;
}

/** Smaller tensors stay in the model: shapes and scalars that readers want at once. */
const LEAST_EXTERNAL_BYTES = 1024;
const MOST_INTERNAL_BYTES = 2 ** 30;
/** Runtimes map large tensors from the file, which wants them to begin on a page (64 KiB on Windows). */
const LARGE_ALIGNMENT = 65536;
const SMALL_ALIGNMENT = 64;
const LARGE_BYTES = 2 ** 20;

/**
 * The bytes of a model as an ONNX file; or, with a path, writes it there (beside its place first,
 * then renamed) and resolves when it is on the disk.
 *
 * @throws VaeError ERR_VAE_GRAPH for more than 2 GB in one file, ERR_VAE_IO where writing fails.
 */
export function writeModel(model: Model): Uint8Array;
export function writeModel(model: Model, file: string, options?: WriteModelOptions): Promise<void>;
export function writeModel(model: Model, file?: string, options: WriteModelOptions = {}): Uint8Array | Promise<void> {
  if (file === undefined) return encodeModel(model);
  return writeToFile(model, file, options);
}

async function writeToFile(model: Model, file: string, options: WriteModelOptions): Promise<void> {
  // Runtimes look for external data among the initializers of the outer graph only.
  const tensors = [...model.graph.initializers.values()].filter(({ literal }) => literal !== true);
  const total = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (!(options.externalData ?? total > MOST_INTERNAL_BYTES)) {
    await writeFilesAtomically([{ path: file, chunks: [encodeModel(model)] }]);
    return;
  }
  const location = `${path.basename(file)}.data`;
  const places = new Map<Constant, ExternalPlace>();
  let end = 0;
  for (const tensor of new Set(tensors)) {
    const length = tensor.data.byteLength;
    if (length < LEAST_EXTERNAL_BYTES) continue;
    const alignment = length >= LARGE_BYTES ? LARGE_ALIGNMENT : SMALL_ALIGNMENT;
    const offset = Math.ceil(end / alignment) * alignment;
    places.set(tensor, { location, offset, length });
    end = offset + length;
  }
  const bytes = encodeModel(model, (constant) => places.get(constant));
  await writeFilesAtomically([
    { path: path.join(path.dirname(file), location), chunks: dataChunks(places) },
    { path: file, chunks: [bytes] },
  ]);
}

/** Tensors are read and written piece by piece, so that none has to be in memory whole. */
const CHUNK_BYTES = 2 ** 24;

function* dataChunks(places: ReadonlyMap<Constant, ExternalPlace>): Generator<Uint8Array> {
  let end = 0;
  for (const [{ data }, { offset, length }] of places) {
    if (offset > end) yield new Uint8Array(offset - end);
    end = offset + length;
    if (data instanceof Uint8Array) {
      yield data;
      continue;
    }
    for (let start = 0; start < length; start += CHUNK_BYTES) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, length - start));
      readExternalRange(data, start, chunk);
      yield chunk;
    }
  }
}
