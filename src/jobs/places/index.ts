/** From a path or URL to where it lies. */
import { resolve } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { localPlace, localStorage } from './local.js';
import type { Place, Storage } from './place.js';
import { isS3, parseS3, s3Place, s3Storage } from './s3.js';

/** What reads this path. */
export function storageOf(path: string): Storage {
  return isS3(path) ? s3Storage : localStorage;
}

/** The folder of a job: an absolute path, or s3://bucket/prefix. */
export function openPlace(url: string): Place {
  return isS3(url) ? s3Place(url) : localPlace(url);
}

/** A path as every machine that has it understands it. @throws VaeError ERR_VAE_OPTION for a URL of another kind. */
export function absolute(path: string): string {
  if (isS3(path)) {
    parseS3(path);
    return path.replace(/(?<=[^/])\/+$/, '');
  }
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(path)?.[1];
  if (scheme !== undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `"${path}": files lie on a file system or at s3://bucket/prefix; ${scheme}: is not read. Copy them first.`,
    );
  }
  if (path.includes('\0')) throw new VaeError('ERR_VAE_OPTION', 'A path may not hold the byte 0.');
  return resolve(path);
}
