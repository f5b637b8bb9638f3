/** Shards of compress and decompress: an archive of the files of a shard, and the files of archives. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { compressFiles } from '../codecs/compress.js';
import { decompress } from '../codecs/decompress.js';
import type { LeftOut } from '../codecs/inputs/selection.js';
import { compressPictureFiles } from '../codecs/pictures/compress.js';
import { pathOf, shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import { writeFilesAtomically } from '../core/files.js';
import { type TreeFile, walkTree } from '../data/file-tree.js';
import type { NewFile } from './formats/format.js';
import type { PlanItem } from './inputs/items.js';
import type { ItemError, PlannedShard, ShardFile, ShardResult } from './job.js';
import { shardStem, UNPACKED } from './layout.js';
import { storageOf } from './places/index.js';
import { stateOfTime } from './places/local.js';
import type { Place } from './places/place.js';
import { isS3 } from './places/s3.js';
import type { Plan } from './plan.js';
import { refuseChanged } from './rows/read-pieces.js';
import type { ShardRun } from './shard-run.js';
import { itemError, writeFiles } from './write-shard.js';

type Made = Omit<ShardResult, 'shard' | 'key' | 'wasDone' | 'seconds'>;

/** Files that are read or written at once. */
const AT_ONCE = 8;

export async function runCompress(
  model: string | undefined,
  plan: Plan,
  shard: PlannedShard,
  items: readonly PlanItem[],
  run: ShardRun,
): Promise<Made> {
  const { signal, threads } = run;
  const { quality, pixelsOnly, embedModel } = plan.job.options;
  const errors: ItemError[] = [];
  await mkdir(run.folder, { recursive: true });
  const fetched = join(run.folder, 'inputs');
  const files: TreeFile[] = [];
  let bytesIn = 0;
  const start = performance.now();
  for (const [number, item] of items.entries()) {
    signal?.throwIfAborted();
    const found = await fileOf(item, join(fetched, String(number)), signal);
    if (found instanceof VaeError) errors.push(itemError(shard.number, { name: item.name, error: found }));
    else {
      files.push(found);
      bytesIn += found.size;
    }
  }
  run.onSeconds('read', (performance.now() - start) / 1000);
  run.onItems(0, 0, errors);
  const leftOut: LeftOut[] = [];
  const archive = join(run.folder, 'shard.vaez');
  const names = new Set(files.map(({ name }) => name));
  const begun = performance.now();
  if (files.length > 0) {
    const options = {
      output: archive,
      skipBad: true,
      force: true,
      ...(embedModel && { embedModel }),
      ...(signal && { signal }),
    };
    const result =
      quality === undefined
        ? await compressFiles(files, {
            ...options,
            ...{ model: model!, threads, ...(pixelsOnly && { pixelsOnly }) },
            onProgress: (progress) => run.onItems(progress.items, progress.bytesIn, errors),
          })
        : await compressPictureFiles(files, {
            ...options,
            ...{ quality, threads, metrics: false, ...(model !== undefined && { model }) },
            onProgress: ({ pictures }) => run.onItems(pictures, bytesIn, errors),
          });
    leftOut.push(...result.leftOut);
  }
  run.onSeconds('run', (performance.now() - begun) / 1000);
  for (const { name, reason } of leftOut) {
    errors.push(itemError(shard.number, { name, error: { code: 'ERR_VAE_DATA', message: reason } }));
  }
  run.onRun();
  const written = performance.now();
  const name = `${shardStem(shard.number)}.vaez`;
  const file = (): NewFile => ({ name, chunks: createReadStream(archive, { highWaterMark: 1 << 20 }) });
  const made = files.length > 0 ? await writeFiles(plan.place, [file()], signal) : [];
  await rm(archive, { force: true });
  run.onSeconds('write', (performance.now() - written) / 1000);
  const kept = names.size - leftOut.length;
  run.onItems(items.length, bytesIn, errors);
  return { files: made, items: kept, rows: kept, bytesIn, errors };
}

/** A file under the name that it has in the archive; from elsewhere it is fetched first. What is wrong with it, where it is gone. */
async function fileOf(item: PlanItem, target: string, signal: AbortSignal | undefined): Promise<TreeFile | VaeError> {
  const name = innerName(item.name);
  if (item.state === 'link' || item.state === 'missing') {
    return new VaeError(
      'ERR_VAE_IO',
      `${shownName(item.name)}: ${item.state === 'link' ? 'a link that leads nowhere' : 'there is no such file'}.`,
    );
  }
  if (!isS3(item.path)) {
    const info = await stat(pathOf(item.path), { bigint: true }).catch(() => undefined);
    if (info === undefined) return new VaeError('ERR_VAE_IO', `${shownName(item.name)}: the file is gone.`);
    const now = { size: Number(info.size), state: stateOfTime(info.mtimeNs) };
    refuseChanged(item, now);
    const identity = `${info.dev}:${info.ino}`;
    return { path: pathOf(item.path), name, shown: shownName(item.path), size: now.size, identity };
  }
  const { bytes, ...now } = await storageOf(item.path).readWhole(item.path, signal);
  refuseChanged(item, now);
  await writeFilesAtomically([{ path: target, chunks: [bytes] }]);
  return { path: target, name, shown: item.path, size: now.size, identity: item.path };
}

/** Names in archives are paths below the folder that they are unpacked into. */
function innerName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts.length === 0 ? 'item' : parts.join('/');
}

export async function runDecompress(
  model: string | undefined,
  plan: Plan,
  shard: PlannedShard,
  items: readonly PlanItem[],
  run: ShardRun,
): Promise<Made> {
  const { signal, threads } = run;
  const errors: ItemError[] = [];
  const lines: string[] = [];
  let [bytesIn, rows, done] = [0, 0, 0];
  for (const [number, item] of items.entries()) {
    signal?.throwIfAborted();
    const folder = join(run.folder, String(number));
    const archive = await fileOf(item, join(run.folder, 'inputs', String(number)), signal);
    try {
      if (archive instanceof VaeError) {
        errors.push(itemError(shard.number, { name: item.name, error: archive }));
        continue;
      }
      const begun = performance.now();
      const path = typeof archive.path === 'string' ? archive.path : await copyOf(item, run.folder, signal);
      await decompress(path, {
        output: folder,
        threads,
        ...(model !== undefined && { model }),
        ...(signal && { signal }),
      });
      run.onSeconds('run', (performance.now() - begun) / 1000);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof VaeError) || !ITEM_ERRORS.includes(error.code)) throw error;
      errors.push(itemError(shard.number, { name: item.name, error }));
      await rm(folder, { recursive: true, force: true });
      run.onItems(number + 1, bytesIn, errors);
      continue;
    }
    const started = performance.now();
    for (const file of await publishAll(plan.place, folder, signal)) {
      lines.push(`${JSON.stringify({ ...file, archive: item.name })}\n`);
      rows += 1;
    }
    run.onSeconds('write', (performance.now() - started) / 1000);
    await rm(folder, { recursive: true, force: true });
    bytesIn += item.size;
    done += 1;
    run.onItems(number + 1, bytesIn, errors);
  }
  const list = async function* (): AsyncGenerator<Uint8Array> {
    for (const line of lines) yield Buffer.from(line);
  };
  const files = await writeFiles(
    plan.place,
    [{ name: `${shardStem(shard.number)}.files.jsonl`, chunks: list() }],
    signal,
  );
  return { files, items: done, rows, bytesIn, errors };
}

/** What is wrong with an archive itself. */
const ITEM_ERRORS: readonly string[] = ['ERR_VAE_FORMAT', 'ERR_VAE_DATA', 'ERR_VAE_REPRODUCIBILITY'];

/** For an archive whose path is no text. */
async function copyOf(item: PlanItem, folder: string, signal: AbortSignal | undefined): Promise<string> {
  const { bytes } = await storageOf(item.path).readWhole(item.path, signal);
  const path = join(folder, 'archive.vaez');
  await writeFilesAtomically([{ path, chunks: [bytes] }]);
  return path;
}

/** Puts everything below a folder into the job's. */
async function publishAll(place: Place, folder: string, signal: AbortSignal | undefined): Promise<ShardFile[]> {
  const { files } = await walkTree([folder], { dereference: false, signal });
  const written: ShardFile[] = new Array(files.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < files.length; at = next++) {
      const file = files[at]!;
      const name = `${UNPACKED}/${file.name}`;
      written[at] =
        (await sameThere(place, name, file)) ??
        (await writeFiles(place, [{ name, chunks: createReadStream(file.path) }], signal))[0]!;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return written;
}

/** The same file where it is there already. @throws VaeError ERR_VAE_IO for one with other bytes. */
async function sameThere(place: Place, name: string, file: TreeFile): Promise<ShardFile | undefined> {
  const size = await place.size(name);
  if (size === undefined) return undefined;
  const own = await digestOf(createReadStream(file.path));
  const there =
    size === file.size
      ? createHash('sha256')
          .update((await place.read(name))!)
          .digest('hex')
      : undefined;
  if (own === there) return { name, bytes: size, sha256: own };
  throw new VaeError(
    'ERR_VAE_IO',
    `${place.url}/${shownName(name)} is there with other bytes: two archives hold a file of this name, or it is not from this job. Unpack them into folders of their own.`,
  );
}

async function digestOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}
