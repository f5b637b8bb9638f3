/** Tensor bytes that lie in a file beside the model: found with suspicion, read only when asked for. */
import {
  closeSync,
  constants as fsConstants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { VaeError } from '../core/errors.js';
import { refusePointer } from '../core/lfs.js';
import type { ExternalData } from './ir.js';

/** Folder that external data must lie in; undefined where the model came as bytes alone. */
export type Folder = string | undefined;

/** Where a model says a tensor's bytes are, before it is believed. */
export interface ExternalReference {
  readonly location: string;
  readonly offset: number;
  /** undefined: as many bytes as the tensor has. */
  readonly length: number | undefined;
}

/**
 * Checks a reference and resolves it inside `folder`: no absolute path, no "..", no link that
 * leads out, and a range that the file really has. `place` names the tensor for the error.
 */
export function resolveExternalData(
  folder: string,
  reference: ExternalReference,
  byteLength: number,
  place: string,
): ExternalData {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${place}: external data at "${printable(reference.location)}" ${reason}`, {
      cause,
    });
  };
  const { location, offset, length } = reference;
  const parts = location.split(/[\\/]/);
  if (location === '' || location.includes('\0')) refuse('has no usable file name.');
  if (path.posix.isAbsolute(location) || path.win32.isAbsolute(location) || /^[A-Za-z]:/.test(location)) {
    refuse("is an absolute path; it must lie in the model's folder.");
  }
  if (parts.includes('..')) refuse('leads out of the model\'s folder with "..".');
  if (!Number.isSafeInteger(offset) || offset < 0) refuse(`has the offset ${offset}.`);
  if (length !== undefined && length !== byteLength) {
    refuse(`has ${length} bytes where the tensor's type and shape need ${byteLength}.`);
  }
  let file = '';
  let size = 0;
  let stamp = '';
  try {
    const root = realpathSync(folder);
    file = realpathSync(path.join(root, ...parts));
    const inside = path.relative(root, file);
    if (inside === '' || inside.startsWith('..') || path.isAbsolute(inside)) {
      refuse("is a link that leads out of the model's folder.");
    }
    const status = statSync(file);
    if (!status.isFile()) refuse('is not a regular file.');
    size = status.size;
    stamp = stampOf(status);
  } catch (error) {
    if (error instanceof VaeError) throw error;
    refuse('cannot be opened; keep the data file beside the model under the name it was exported with.', error);
  }
  if (offset + byteLength > size) {
    if (size < 1024) refusePointer(readFileSync(file), file);
    refuse(`would end at byte ${offset + byteLength}, but the file has ${size}; it is truncated or of another model.`);
  }
  return { path: file, offset, byteLength, stamp };
}

/** Reads the bytes into memory of their own, outside the JavaScript heap. */
export function readExternalData(data: ExternalData): Uint8Array {
  const bytes = new Uint8Array(data.byteLength);
  readExternalRange(data, 0, bytes);
  return bytes;
}

/** Fills `target` from `start` bytes into the tensor. */
export function readExternalRange(data: ExternalData, start: number, target: Uint8Array): void {
  let handle: number | undefined;
  try {
    // The path was resolved when the model was read: a link in its place has been put there since.
    handle = openSync(data.path, fsConstants.O_RDONLY | (fsConstants.O_NOFOLLOW ?? 0));
    const status = fstatSync(handle);
    if (!status.isFile()) throw new Error('not a regular file');
    if (stampOf(status) !== data.stamp)
      throw new Error('it has changed since the model was read; read the model again');
    let done = 0;
    while (done < target.byteLength) {
      const count = readSync(handle, target, done, target.byteLength - done, data.offset + start + done);
      if (count === 0) throw new Error(`the file ends ${target.byteLength - done} bytes early`);
      done += count;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new VaeError('ERR_VAE_IO', `External data "${data.path}" cannot be read: ${reason}.`, { cause: error });
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function stampOf(status: Stats): string {
  return `${status.size} ${status.mtimeMs} ${status.ino}`;
}

/** Text from a file, cut short and without control characters, fit for a message. */
export function printable(text: string, limit = 120): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}
