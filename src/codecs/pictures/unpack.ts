import { performance } from 'node:perf_hooks';
import { refuseDamage } from '../../archive/damage.js';
import { pathWithin } from '../../archive/safe-path.js';
import { VaeError } from '../../core/errors.js';
import { ioError, makeFolder, writeFilesAtomically } from '../../core/files.js';
import type { DecompressResult } from '../decompress.js';
import type { DamagedChunk } from '../lossless/item-archive.js';
import type { LossyCodecInput } from '../models/find.js';
import type { DecodedPictureChunk } from './chunk.js';
import { openPictures, type PictureArchive } from './picture-archive.js';
import { pictureToPng } from './read-picture.js';

interface UnpackOptions {
  readonly output: string;
  readonly model: LossyCodecInput | undefined;
  readonly salvage: boolean;
  readonly maxOutputBytes: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { items: number; totalItems: number }) => void) | undefined;
}

/** decompress() of an archive of pictures with loss: PNG files under their names. */
export async function unpackPictures(input: string | Uint8Array, options: UnpackOptions): Promise<DecompressResult> {
  const started = performance.now();
  const { model, output, salvage, threads } = options;
  await using archive = await openPictures(input, { threads, ...(model !== undefined && { model }) });
  if (!archive.complete && !salvage) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The archive has no end: it was cut off or never finished. ${archive.chunkCount} whole chunks were found; ` +
        'use salvage (--salvage) to unpack those.',
    );
  }
  const damaged: DamagedChunk[] = [];
  try {
    await makeFolder(output);
    const bytesOut = await unpackAll(archive, options, damaged);
    refuseDamage(damaged, options);
    return {
      ...{ items: archive.length, bytesOut, path: output, damaged, complete: archive.complete, resumedChunks: 0 },
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw ioError(error, `unpacking into ${output}`);
  }
}

/** Bytes of the pixels. */
async function unpackAll(archive: PictureArchive, options: UnpackOptions, damaged: DamagedChunk[]): Promise<number> {
  const { signal, onProgress, output, maxOutputBytes } = options;
  const seen = new Set<string>();
  let bytesOut = 0;
  for (let chunk = 0; chunk < archive.chunkCount; chunk += 1) {
    signal?.throwIfAborted();
    const { firstItem, items } = archive.chunk(chunk);
    let decoded: DecodedPictureChunk;
    try {
      decoded = await archive.readLatents(chunk);
    } catch (error) {
      if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
      damaged.push({ chunk, ...archive.chunk(chunk), reason: error.message });
      continue;
    }
    for (const [index, name] of decoded.names.entries()) {
      signal?.throwIfAborted();
      const key = name.toLowerCase();
      if (seen.has(key)) throw new VaeError('ERR_VAE_FORMAT', `The archive names two pictures "${name}".`);
      seen.add(key);
      const { width, height, channels } = decoded.pictures[index]!.header;
      bytesOut += width * height * channels;
      if (bytesOut > maxOutputBytes) {
        throw new VaeError(
          'ERR_VAE_FORMAT',
          `The archive decodes to more than the limit of ${maxOutputBytes} bytes. If you trust it, raise maxOutputBytes (--max-output).`,
        );
      }
      const path = await pathWithin(output, name);
      const picture = await archive.read(firstItem + index);
      await writeFilesAtomically([{ path, chunks: [await pictureToPng(picture)] }]);
    }
    onProgress?.({ items: firstItem + items, totalItems: archive.length });
  }
  return bytesOut;
}
