/** What stands already where files of an archive go. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { readFully } from '../core/ranges.js';
import type { OutPart } from './archive.js';

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

/** The bytes of a part of a file that is there; undefined where it has other ones for sure. */
export async function readPart(path: string | Buffer, part: OutPart, whole: boolean): Promise<Uint8Array | undefined> {
  const file = await open(path, constants.O_RDONLY | NO_FOLLOW).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const end = part.bytes === undefined || (whole && part.last) ? size : part.offset + part.bytes;
    const bytes = part.bytes !== undefined && !part.last ? part.bytes : end - part.offset;
    if (part.bytes !== undefined && bytes !== part.bytes) return undefined;
    if (bytes < 0 || part.offset + bytes > size || bytes > 2 ** 30) return undefined;
    return await readFully(file, part.offset, bytes);
  } finally {
    await file.close();
  }
}

export async function holds(path: string | Buffer, part: OutPart, bytes: Uint8Array): Promise<boolean> {
  const file = await open(path, constants.O_RDONLY | NO_FOLLOW);
  try {
    const { size } = await file.stat();
    if (part.offset + bytes.length > size || (part.last && part.offset + bytes.length !== size)) return false;
    return Buffer.compare((await readFully(file, part.offset, bytes.length)) ?? Buffer.of(), bytes) === 0;
  } finally {
    await file.close();
  }
}

export async function sameFiles(left: string | Buffer, right: string | Buffer): Promise<boolean> {
  const files = [await open(left, 'r'), await open(right, 'r').catch(() => undefined)];
  try {
    if (files[1] === undefined) return false;
    const sizes = await Promise.all(files.map(async (file) => (await file!.stat()).size));
    if (sizes[0] !== sizes[1]) return false;
    for (let at = 0; at < sizes[0]!; at += 1 << 20) {
      const length = Math.min(1 << 20, sizes[0]! - at);
      const [a, b] = await Promise.all(files.map((file) => readFully(file!, at, length)));
      if (a === undefined || b === undefined || Buffer.compare(a, b) !== 0) return false;
    }
    return true;
  } finally {
    for (const file of files) await file?.close();
  }
}
