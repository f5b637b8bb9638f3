import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { parseOptions } from '../core/options.js';
import { isGlob, namedLike } from '../data/find-files.js';
import { PICTURES } from '../data/image/formats.js';
import { readIdx } from '../data/index.js';
import { type DatasetInput, toDataset } from '../data/to-dataset.js';
import {
  type CompressInput,
  type CompressJob,
  type CompressOptions,
  type CompressResult,
  compressSchema,
} from './compress-options.js';
import { Selection } from './inputs/selection.js';
import { spooled } from './inputs/spool.js';
import { arrayJob } from './jobs/array-job.js';
import { filesJob } from './jobs/files-job.js';
import { openArrayFile } from './lossless/array-file.js';
import { datasetSource } from './lossless/dataset-source.js';
import { checkFits, type ItemSource } from './lossless/item-source.js';
import { findCodec } from './models/find.js';
import { isSound } from './sound/files.js';

/**
 * Compresses items without loss: an IDX or .npy file of bytes, images, WAV files (with a model of sound,
 * such as "sound-codec"), or a dataset in memory. Everything else that is under the inputs is stored as it is.
 *
 * An interrupted run leaves `.NAME.partial` beside the output; the same call again goes on from there.
 *
 * @throws VaeError ERR_VAE_OPTION, ERR_VAE_SHAPE or ERR_VAE_DATA for what was given, ERR_VAE_IO where
 *   something cannot be read or written or another job writes the same archive, ERR_VAE_RUNTIME when the archive would
 *   not give back what went in, the signal's reason when aborted.
 */
export async function compress(input: CompressInput, options: CompressOptions): Promise<CompressResult> {
  const parsed = parseOptions(compressSchema, options, 'compress()');
  if (parsed.append && (parsed.output === undefined || parsed.output === '-')) {
    throw new VaeError('ERR_VAE_OPTION', 'compress(): option "append" needs "output", the archive to add to.');
  }
  const { codec, owned } = await findCodec(options.model, 'compress()');
  try {
    const job = { codec, ...parsed };
    const paths = typeof input === 'string' ? [input] : isPaths(input) ? input : undefined;
    if (paths !== undefined) return await fromPaths(paths, job);
    const where = { where: 'compress()', rowShape: codec.itemShape, ...(parsed.signal && { signal: parsed.signal }) };
    return await fromArray(datasetSource(await toDataset(input as DatasetInput, where)), job, undefined);
  } finally {
    if (owned) await codec.close();
  }
}

function isPaths(input: CompressInput): input is readonly string[] {
  return Array.isArray(input) && input.every((each) => typeof each === 'string');
}

async function fromPaths(given: readonly string[], job: CompressJob): Promise<CompressResult> {
  await using inputs = await spooled(given);
  const { paths } = inputs;
  const array = paths.length === 1 ? await arrayAt(paths[0]!, job) : undefined;
  if (array !== undefined) return fromArray(array, job, paths[0]);
  const { include, exclude, others, skipBad, dereference, signal } = job;
  const selection = await Selection.of(paths, job.output, { include, exclude, others, skipBad, dereference, signal });
  return filesJob(selection, job);
}

/** A file that is an array, by what it begins with; undefined for anything else. */
async function arrayAt(path: string, { signal }: CompressJob): Promise<ItemSource | undefined> {
  const info = await stat(path).catch((error: unknown) => {
    if (isGlob(path)) return undefined;
    throw ioError(error, `reading ${path}`);
  });
  if (!info?.isFile() || isSound(path) || namedLike(path, PICTURES)) return undefined;
  const array = await openArrayFile(path);
  if (array !== undefined || !/\.gz$/.test(path)) return array;
  const data = await readIdx(path, { labels: false, ...(signal && { signal }) });
  return datasetSource(data, `${basename(path, '.gz')}.npy`);
}

async function fromArray(source: ItemSource, job: CompressJob, path: string | undefined): Promise<CompressResult> {
  try {
    checkFits(source.rowShape, job.codec.itemShape, 'compress()');
    return await arrayJob(source, job, path);
  } finally {
    await source.close();
  }
}
