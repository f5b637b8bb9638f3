/** compress() of one array. */

import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import type { Header } from '../../archive/format.js';
import type { PackResult } from '../../archive/pack.js';
import { VaeError } from '../../core/errors.js';
import type { CompressJob, CompressResult } from '../compress-options.js';
import { arrayStart, arrayUnits } from '../lossless/array-units.js';
import type { ItemSource } from '../lossless/item-source.js';
import { archiveToAppend } from './append.js';
import { chunkSize } from './chunk-size.js';
import { writeArchive } from './write-archive.js';

export async function arrayJob(
  source: ItemSource,
  job: CompressJob,
  path: string | undefined,
): Promise<CompressResult> {
  const started = performance.now();
  const { codec, output, append } = job;
  await refuseOwnInput(path, output);
  const wanted = headerOf(source, job);
  const there = append && output !== undefined ? await archiveToAppend(output, wanted, job) : undefined;
  const before = there?.items ?? 0;
  const header = there === undefined ? wanted : { ...there.header, model: codec.identity };
  const name = typeof header.name === 'string' ? header.name : `items.${header.kind}`;
  const place = { start: arrayStart(source, before + source.count), before, name };
  const units = arrayUnits(source, codec, chunkSize(job), place);
  let phase = 0;
  const packed = await writeArchive(
    {
      ...{ header, codec, model: job.embedModel ? codec : undefined, resumable: true, totalItems: source.count },
      ...{ meaning: async (bytes) => bytes, threads: job.threads, verify: job.verify, dropPartial: job.dropPartial },
      ...{ signal: job.signal, onProgress: job.onProgress },
      async phase() {
        phase += 1;
        if (phase === 1) return units;
        await source.checkUnchanged();
        return undefined;
      },
    },
    job,
  );
  return resultOf(source, job, packed, started);
}

function headerOf({ kind, name, rowShape }: ItemSource, { codec }: CompressJob): Header {
  return {
    model: codec.identity,
    itemShape: [...codec.itemShape],
    ...{ dtype: 'uint8', kind },
    ...(name !== undefined && { name: lastBytes(name) }),
    rowShape: [...rowShape],
  };
}

/** The end of a name that is too long for a header. */
function lastBytes(name: string): string {
  return name.length <= 255 ? name : name.slice(-255);
}

/** @throws VaeError ERR_VAE_OPTION where the archive would take the place of the array itself. */
async function refuseOwnInput(path: string | undefined, output: string | undefined): Promise<void> {
  if (path === undefined || output === undefined || output === '-') return;
  const [input, target] = await Promise.all([
    stat(path, { bigint: true }),
    stat(output, { bigint: true }).catch(() => undefined),
  ]);
  if (target === undefined || input.ino !== target.ino || input.dev !== target.dev) return;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `${output} is the input itself (${path}): the archive would take the place of its own original. Name another output.`,
  );
}

function resultOf(
  source: ItemSource,
  { codec, append, verify }: CompressJob,
  packed: PackResult,
  started: number,
): CompressResult {
  const { bytesOut, modelBytes, chunks, resumedChunks, notes, archive } = packed;
  // Of an archive that was added to, all items.
  const total = (append ? packed.items : source.count) * codec.itemSize;
  return {
    ...{ items: source.count, bytesIn: source.count * codec.itemSize, bytesOut, chunks, resumedChunks, notes },
    bitsPerDim: ((bytesOut - modelBytes) * 8) / total,
    ...{ storedFiles: 0, storedBecause: [], leftOut: [], excluded: [], verified: verify },
    seconds: (performance.now() - started) / 1000,
    ...(archive && { archive }),
  };
}
