/** compress() of one array. */

import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import type { PackResult } from '../../archive/pack.js';
import { VaeError } from '../../core/errors.js';
import type { CompressJob, CompressResult } from '../compress-options.js';
import type { ArrayPlan } from '../kind.js';
import { type Appended, archiveToAppend, endsWith } from './append.js';
import { threadsWithin } from './memory.js';
import { writeArchive } from './write-archive.js';

export async function arrayJob(plan: ArrayPlan, job: CompressJob, path: string | undefined): Promise<CompressResult> {
  const started = performance.now();
  const { codec, output, append } = job;
  await refuseOwnInput(path, output);
  const there = append && output !== undefined ? await archiveToAppend(output, plan.header, job) : undefined;
  const header = there === undefined ? plan.header : { ...there.header, model: codec.identity };
  const name = typeof header['name'] === 'string' ? header['name'] : `items.${header.kind}`;
  const threads = threadsWithin('A chunk of these items', plan.chunkMemory, job);
  const units = plan.units(there?.items ?? 0, name);
  // The same command again, after a kill in the moment between its end and its report, does nothing twice.
  if (there !== undefined && !job.force && (await endsWith(output!, units, job)))
    return doneBefore(plan, job, there, started);
  let phase = 0;
  const packed = await writeArchive(
    {
      ...{ header, codec, model: job.embedModel ? codec : undefined, totalItems: plan.count },
      ...{ meaning: async (bytes) => bytes, threads, verify: job.verify, dropPartial: job.dropPartial },
      ...{ signal: job.signal, onProgress: job.onProgress },
      async phase() {
        phase += 1;
        if (phase === 1) return units;
        await plan.checkUnchanged();
        return undefined;
      },
    },
    job,
  );
  return resultOf(plan, job, packed, started);
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

async function doneBefore(
  { count, itemBytes }: ArrayPlan,
  { output, verify }: CompressJob,
  there: Appended,
  started: number,
): Promise<CompressResult> {
  const { size } = await stat(output!);
  return {
    ...{ items: count, bytesIn: count * itemBytes, bytesOut: size, chunks: there.chunks },
    ...{ resumedChunks: there.chunks, already: true, bitsPerDim: (size * 8) / (there.items * itemBytes) },
    ...{ storedFiles: 0, storedBecause: [], leftOut: [], excluded: [], verified: verify },
    notes: [
      `${output} ends with these very ${count} items already: nothing was added. Where they are to be in it twice, say so (force, --force).`,
    ],
    seconds: (performance.now() - started) / 1000,
  };
}

function resultOf(
  { count, itemBytes }: ArrayPlan,
  { append, verify }: CompressJob,
  packed: PackResult,
  started: number,
): CompressResult {
  const { bytesOut, modelBytes, chunks, resumedChunks, already, notes, archive } = packed;
  // Of an archive that was added to, all items.
  const total = (append ? packed.items : count) * itemBytes;
  return {
    ...{ items: count, bytesIn: count * itemBytes, bytesOut, chunks, resumedChunks, already, notes },
    bitsPerDim: ((bytesOut - modelBytes) * 8) / total,
    ...{ storedFiles: 0, storedBecause: [], leftOut: [], excluded: [], verified: verify },
    seconds: (performance.now() - started) / 1000,
    ...(archive && { archive }),
  };
}
