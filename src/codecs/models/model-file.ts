/** Files of codec models: as they are, or packed by Brotli, as those of this package are. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { refuseOutOfMemory } from '../../core/memory.js';

/** Ending of those that are packed. */
export const PACKED = '.br';
/** Larger files are refused before they are read. */
const MAX_CODEC_BYTES = 2 ** 30;
const unpack = promisify(brotliDecompress);

/** The path of `file` or `file.br` within a folder; undefined where there is neither. */
export async function modelFileIn(folder: string, file: string): Promise<string | undefined> {
  for (const name of [file, file + PACKED]) {
    const path = join(folder, name);
    if (await isFile(path)) return path;
  }
  return undefined;
}

/**
 * The bytes of a model: those of `path`, or of `file` or `file.br` in that folder.
 *
 * @throws VaeError ERR_VAE_IO where it cannot be read, ERR_VAE_FORMAT for one that is too long.
 */
export async function readModelFile(path: string, file: string): Promise<{ bytes: Uint8Array; path: string }> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    const found = isFolder ? ((await modelFileIn(path, file)) ?? join(path, file)) : path;
    const { size } = await stat(found);
    if (size > MAX_CODEC_BYTES) throw tooLong(found, size);
    const bytes = await readFile(found);
    return { path: found, bytes: found.endsWith(PACKED) ? await unpacked(bytes, found) : bytes };
  } catch (error) {
    throw ioError(error, `reading the codec model ${path}`);
  }
}

export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

async function unpacked(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    return await unpack(bytes, { maxOutputLength: MAX_CODEC_BYTES });
  } catch (cause) {
    refuseOutOfMemory(cause, path);
    throw new VaeError('ERR_VAE_FORMAT', `${path} is not a codec model packed by Brotli: it is damaged.`, { cause });
  }
}

function tooLong(path: string, size: number): VaeError {
  return new VaeError('ERR_VAE_FORMAT', `${path} has ${size} bytes, more than any codec model.`);
}

/** SHA-256 of a codec model's file, in hexadecimal. */
export function identityOf(file: Uint8Array): string {
  return createHash('sha256').update(file).digest('hex');
}
