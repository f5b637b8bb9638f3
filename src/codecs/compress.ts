import { VaeError } from '../core/errors.js';
import { parseOptions } from '../core/options.js';
import type { TreeFile } from '../data/file-tree.js';
import type { DatasetInput } from '../data/to-dataset.js';
import { findWritingModel, writersFor } from './by-kind.js';
import { refuseUnused } from './codec-options.js';
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
import type { ArrayInput } from './kind.js';

/**
 * Compresses without loss. Where no model is named: pictures of every size, which come out as PNG files with the very
 * same samples and everything that stood beside them. With a model: what that is for, an IDX or .npy file of bytes,
 * images of one size, WAV files (with a model of sound, such as "sound-codec"), or a dataset in memory. Everything else
 * that is under the inputs is stored as it is.
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
  const { codec, owned } = await findWritingModel(options.model, 'compress()');
  try {
    const unnamed = options.model === undefined;
    refuseUnused(parsed, writersFor(codec), unnamed);
    const job = { codec, unnamed, ...parsed };
    const paths = typeof input === 'string' ? [input] : isPaths(input) ? input : undefined;
    if (paths !== undefined) return await fromPaths(paths, job);
    const result = await arrayWritten({ data: input as DatasetInput }, job);
    if (result !== undefined) return result;
    throw unnamed
      ? new VaeError('ERR_VAE_OPTION', 'compress(): data in memory need option "model", the codec that is for them.')
      : new VaeError('ERR_VAE_DATA', 'compress(): this model is for files; name their paths.');
  } finally {
    if (owned) await codec.close();
  }
}

/** As compress(), of files that were found before, under names of their own. */
export async function compressFiles(files: readonly TreeFile[], options: CompressOptions): Promise<CompressResult> {
  const parsed = parseOptions(compressSchema, options, 'compress()');
  const { codec, owned } = await findWritingModel(options.model, 'compress()');
  try {
    const unnamed = options.model === undefined;
    refuseUnused(parsed, writersFor(codec), unnamed);
    return await filesJob(Selection.ofFiles(files, parsed), { codec, unnamed, ...parsed });
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
  const array = paths.length === 1 ? await arrayWritten({ path: paths[0]! }, job) : undefined;
  if (array !== undefined) return array;
  const { include, exclude, others, skipBad, dereference, signal } = job;
  const selection = await Selection.of(paths, job.output, { include, exclude, others, skipBad, dereference, signal });
  return await filesJob(selection, job);
}

/** Undefined for what is no array, or where the model is not for any. */
async function arrayWritten(input: ArrayInput, job: CompressJob): Promise<CompressResult | undefined> {
  for (const writer of writersFor(job.codec)) {
    const plan = await writer.array?.(input, job.codec, job);
    if (plan === undefined) continue;
    try {
      return await arrayJob(plan, job, 'path' in input ? input.path : undefined);
    } finally {
      await plan.close();
    }
  }
  return undefined;
}
