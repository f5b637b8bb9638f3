import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { refuseDamage } from '../../archive/damage.js';
import { pathWithin } from '../../archive/safe-path.js';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder } from '../../core/files.js';
import { inOrder } from '../../core/in-order.js';
import type { DecompressResult } from '../decompress.js';
import type { DamagedChunk } from '../lossless/item-archive.js';
import type { CodecInput } from '../models/find.js';
import { type ArchivedSound, openSounds, SoundArchive } from './sound-archive.js';

interface UnpackOptions {
  readonly output: string;
  readonly model: CodecInput | undefined;
  readonly salvage: boolean;
  readonly maxOutputBytes: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { items: number; totalItems: number }) => void) | undefined;
}

/** decompress() of an archive of sounds: the files that went in, under their names. */
export async function unpackSounds(input: string | Uint8Array, options: UnpackOptions): Promise<DecompressResult> {
  const started = performance.now();
  const { model, output, salvage, signal } = options;
  await using archive = await openSounds(input, model === undefined ? {} : { model });
  if (!archive.complete && !salvage) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The archive has no end: it was cut off or never finished. ${archive.chunkCount} whole chunks were found; ` +
        'use salvage (--salvage) to unpack those.',
    );
  }
  const lost = [...archive.unreadable];
  const totals = { bytesOut: 0, resumedChunks: 0, chunksDone: 0 };
  const paths: string[] = [];
  try {
    await makeFolder(output);
    const seen = new Set<string>();
    for (const sound of archive.sounds) {
      signal?.throwIfAborted();
      const key = sound.name.toLowerCase();
      if (seen.has(key)) throw new VaeError('ERR_VAE_FORMAT', `The archive names two sounds "${sound.name}".`);
      seen.add(key);
      paths.push(await pathWithin(output, sound.name));
      await unpackOne({ archive, sound, path: paths.at(-1)!, lost, totals }, options);
    }
    refuseDamage(lost, options);
    return {
      items: archive.sounds.length,
      bytesOut: totals.bytesOut,
      path: paths.length === 1 ? paths[0]! : output,
      damaged: lost,
      complete: archive.complete,
      resumedChunks: totals.resumedChunks,
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError(error, `unpacking into ${output}`);
  }
}

interface Unpacking {
  readonly archive: SoundArchive;
  readonly sound: ArchivedSound;
  readonly path: string;
  readonly lost: DamagedChunk[];
  readonly totals: { bytesOut: number; resumedChunks: number; chunksDone: number };
}

/** One file. Parts that an interrupted run had written are as good as new ones. */
async function unpackOne(work: Unpacking, options: UnpackOptions): Promise<void> {
  const { archive, sound, path, lost, totals } = work;
  const { salvage, threads, signal, maxOutputBytes, onProgress } = options;
  const before = totals.bytesOut;
  const told = () => onProgress?.({ items: totals.chunksDone, totalItems: archive.chunkCount });
  const there = await partsThere(archive, sound, path);
  if (there?.whole) {
    totals.bytesOut += there.bytes;
    totals.resumedChunks += sound.chunks.length;
    totals.chunksDone += sound.chunks.length;
    told();
    return;
  }
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  const done = (await partsThere(archive, sound, partial))?.parts ?? 0;
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o666);
  let missing = false;
  let end = done * SoundArchive.chunkBytes;
  try {
    await file.truncate(end);
    totals.resumedChunks += done;
    totals.chunksDone += done;
    await inOrder(
      sound.chunks.length - done,
      threads,
      async (index) => {
        const chunk = sound.chunks[done + index];
        if (chunk === undefined) return undefined;
        try {
          return await archive.readChunk(chunk, signal);
        } catch (error) {
          signal?.throwIfAborted();
          if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
          lost.push({ chunk, firstItem: chunk, items: 1, reason: error.message });
          return undefined;
        }
      },
      async (bytes, index) => {
        // Of a part that is lost zeros stand there, which is silence.
        missing ||= bytes === undefined;
        const start = (done + index) * SoundArchive.chunkBytes;
        end = start + (bytes?.length ?? SoundArchive.chunkBytes);
        if (before + end > maxOutputBytes) {
          throw new VaeError(
            'ERR_VAE_FORMAT',
            `The archive decodes to more than the limit of ${maxOutputBytes} bytes. If you trust it, raise maxOutputBytes (--max-output).`,
          );
        }
        if (bytes !== undefined && bytes.length < SoundArchive.chunkBytes && done + index + 1 < sound.chunks.length) {
          throw new VaeError('ERR_VAE_FORMAT', `The archive is damaged: a part of "${sound.name}" is too short.`);
        }
        if (bytes !== undefined) await writeAll(file, bytes, start);
        totals.chunksDone += 1;
        told();
      },
    );
    totals.bytesOut = before + end;
    await file.truncate(end);
    await file.sync();
    await file.close();
    // A file with gaps appears only where that was asked for.
    if (missing && !salvage) await rm(partial, { force: true });
    else await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => {});
    // What was unpacked before an interruption is gone on from.
    if (!signal?.aborted) await rm(partial, { force: true });
    throw error;
  }
}

/** How many parts from the first on a file has already, and whether it is all of the sound. */
async function partsThere(
  archive: SoundArchive,
  sound: ArchivedSound,
  path: string,
): Promise<{ parts: number; whole: boolean; bytes: number } | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const { size } = found;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let parts = 0;
    for (const chunk of sound.chunks) {
      const start = parts * SoundArchive.chunkBytes;
      const bytes = Buffer.alloc(Math.min(SoundArchive.chunkBytes, Math.max(0, size - start)));
      if (chunk === undefined || bytes.length === 0) break;
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      if (bytesRead < bytes.length || !(await archive.matches(chunk, bytes))) break;
      parts += 1;
    }
    const whole = parts === sound.chunks.length && size <= parts * SoundArchive.chunkBytes;
    // The last part may be short, and what goes on behind it begins at a whole one.
    return { parts: whole ? parts : Math.min(parts, Math.floor(size / SoundArchive.chunkBytes)), whole, bytes: size };
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
