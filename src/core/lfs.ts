/** Files that Git LFS has not fetched: a few lines of text in the place of the data. */
import { VaeError } from './errors.js';

const POINTER = 'version https://git-lfs.github.com/spec/';

/** Whether bytes are the beginning of a pointer. */
export function isPointer(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, POINTER.length)).toString() === POINTER;
}

/** @throws VaeError ERR_VAE_FORMAT for a pointer. */
export function refusePointer(bytes: Uint8Array, name: string): void {
  if (!isPointer(bytes)) return;
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${name}: a pointer of Git LFS, not the data itself. Fetch the data with "git lfs pull" first.`,
  );
}
