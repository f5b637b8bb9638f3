/** A shard of encode, decode, reconstruct or score: items to rows, rows through the model, rows to files. */
import { performance } from 'node:perf_hooks';
import { VaeError } from '../../core/errors.js';
import type { Vae } from '../../vae/vae.js';
import type { ShardContent } from '../formats/format.js';
import { ROW_FORMATS } from '../formats/index.js';
import type { PlanItem } from '../inputs/items.js';
import type { Job, PlannedShard } from '../job.js';
import { shardStem } from '../layout.js';
import { ROW_OPERATIONS } from '../operations/index.js';
import { isS3 } from '../places/s3.js';
import type { Plan } from '../plan.js';
import type { ShardRun } from '../shard-run.js';
import { Spool } from '../spool.js';
import { itemError, writeFiles } from '../write-shard.js';
import { batchesOf } from './batches.js';
import type { RowNote } from './piece.js';
import { readOptionsFor } from './read-options.js';
import { readPieces } from './read-pieces.js';
import { runBatch } from './run-batch.js';

/** Values of a batch, at most. */
const BATCH_VALUES = 1 << 21;
const MOST_BATCH = 1024;
/**
 * Pieces that are read at once: enough to keep the decoders busy, and more where each waits for a network. Rows of arrays
 * come a batch at a time.
 */
const WIDTH = { files: 8, rows: 4, s3: 32 };

/** Rows of one batch. Part of what decides the bits that come out, so a matter of the job alone. */
function batchRows(vae: Vae, { options }: Job): number {
  if (options.batch !== undefined) return options.batch;
  const sides = typeof options.size === 'number' ? [options.size, options.size] : options.size;
  const sizeOf = (shape: readonly number[]): number =>
    shape.reduce((product, dim, axis) => product * (dim > 0 ? dim : (sides?.[axis - (shape.length - 2)] ?? 64)), 1);
  const size = Math.max(sizeOf(vae.dataShape), sizeOf(vae.latentShape));
  return Math.max(1, Math.min(MOST_BATCH, Math.floor(BATCH_VALUES / size)));
}

function widthFor(items: readonly PlanItem[]): number {
  if (items.some(({ path }) => isS3(path))) return WIDTH.s3;
  return items.every(({ kind }) => kind === 'rows') ? WIDTH.rows : WIDTH.files;
}

export async function runRows(
  vae: Vae,
  plan: Plan,
  shard: PlannedShard,
  items: readonly PlanItem[],
  run: ShardRun,
): Promise<{ files: Awaited<ReturnType<typeof writeFiles>>; spool: Spool }> {
  const { job } = plan;
  const { signal, onSeconds } = run;
  const operation = ROW_OPERATIONS[job.operation as keyof typeof ROW_OPERATIONS];
  const spool = await Spool.open(run.folder, plan.keyOf(shard));
  try {
    const rows = batchRows(vae, job);
    const pieces = readPieces(items, spool.items, {
      ...readOptionsFor(vae, job, operation.takesLatents),
      rowsAtOnce: rows,
      width: widthFor(items),
      signal,
      onSeconds,
    });
    // The network runs while the next batch is read.
    let running: Promise<void> | undefined;
    try {
      for await (const batch of batchesOf(pieces, rows)) {
        await running;
        running = undefined;
        signal?.throwIfAborted();
        running = through(batch);
        running.catch(() => {});
      }
    } finally {
      // Items in flight are finished, also where the job is to stop.
      await running;
    }
    signal?.throwIfAborted();
    run.onRun();
    const started = performance.now();
    const files = await writeFiles(
      plan.place,
      ROW_FORMATS[job.outputFormat as keyof typeof ROW_FORMATS].files(
        shardStem(shard.number),
        contentOf(vae, plan, spool),
      ),
      signal,
    );
    onSeconds('write', (performance.now() - started) / 1000);
    return { files, spool };
  } catch (error) {
    await spool.close();
    throw error;
  }

  async function through(batch: Parameters<typeof runBatch>[0]): Promise<void> {
    const started = performance.now();
    const draw = (BigInt(shard.number) << 32n) + BigInt(spool.rows);
    const { columns, notes, errors } = await runBatch(batch, (data, own) =>
      operation.run(vae, { rows: data, labels: labelsFor(vae, job, own), draw }, job.options),
    );
    batch.release?.();
    onSeconds('run', (performance.now() - started) / 1000);
    const told = errors.map((one) => itemError(shard.number, one));
    await spool.append({ items: batch.items, bytesIn: batch.bytesIn, columns, notes, errors: told });
    run.onItems(spool.items, spool.bytesIn, spool.errors);
    if (spool.errors.length > run.maxErrors) throw tooMany(spool.errors.length, run.maxErrors, told[0]?.reason);
  }
}

export function tooMany(count: number, most: number, example: string | undefined): VaeError {
  return new VaeError(
    'ERR_VAE_DATA',
    `${count} item${count === 1 ? '' : 's'} could not be used, and at most ${most} may be left out (maxErrors, --max-errors). The last: ${example ?? 'see errors.jsonl'}`,
  );
}

/** Class numbers of rows, for conditional models. */
function labelsFor(vae: Vae, { options }: Job, notes: readonly RowNote[]): readonly number[] | undefined {
  if (vae.info.condition === undefined || options.label !== undefined) return undefined;
  return notes.map(({ label, name }) => {
    if (typeof label === 'number') return label;
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name}: the model takes a class number with each item, and this one has ${label === undefined ? 'no label' : `the label "${label}"`}. ` +
        'Give numbers in the list (label), in .cls files or a column, or one for all (label, --label).',
    );
  });
}

function contentOf(vae: Vae, plan: Plan, spool: Spool): ShardContent {
  const { job, summary } = plan;
  const { recipe, dataShape } = vae;
  const channels = dataShape.length === 3 ? dataShape[0]! : 0;
  const several =
    recipe !== undefined &&
    (recipe.kind === 'audio' ||
      recipe.kind === 'video' ||
      recipe.kind === 'table' ||
      (recipe.kind === 'image' && (recipe.pages === 'all' || recipe.volume !== undefined)));
  return {
    operation: job.operation,
    rows: spool.rows,
    columns: spool.columns.map(({ name, dims }) => ({ name, dims, read: (from, to) => spool.read(name, from, to) })),
    notes: () => spool.notes(),
    labels: summary.labels,
    captions: summary.captions,
    parts: several,
    pictures: [1, 3, 4].includes(channels) && (recipe === undefined || (recipe.kind === 'image' && recipe.depth === 8)),
  };
}
