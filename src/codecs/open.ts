/** Archives opened for reading: any item, sound or picture of them. */
import { sliceSource } from '../archive/bytes.js';
import { openSource } from '../archive/open-source.js';
import { type ArchiveLayout, type ReadOptions, readLayout } from '../archive/reader.js';
import type { AnyArchive } from '../archive/unpack.js';
import { VaeError } from '../core/errors.js';
import { COMPACT_KINDS, kindOf, readAnyHeader } from './by-kind.js';
import type { Kind } from './kind.js';
import { KINDS } from './kinds.js';
import type { Archive, OpenArchiveOptions } from './lossless/item-archive.js';
import type { PhotographArchive } from './photographs/photograph-archive.js';
import type { OpenPicturesOptions, PictureArchive } from './pictures/picture-archive.js';
import type { OpenSoundsOptions, SoundArchive } from './sound/sound-archive.js';

/** An archive of whatever kind, and how it lies in its file. */
export interface OpenedArchive {
  readonly archive: AnyArchive;
  readonly layout: ArchiveLayout;
  readonly kind: Kind;
}

/**
 * Opens an archive of any kind.
 *
 * @param start where it begins in the file: behind another archive.
 * @throws VaeError ERR_VAE_FORMAT for anything that is not an archive, ERR_VAE_REPRODUCIBILITY without its model.
 */
export async function openAny(
  input: string | Uint8Array,
  options: Readonly<Record<string, unknown>> = {},
  reading: ReadOptions & { readonly start?: number } = {},
): Promise<OpenedArchive> {
  const whole = await openSource(input, COMPACT_KINDS);
  const source = reading.start === undefined ? whole : sliceSource(whole, reading.start);
  try {
    const layout = await readLayout(source, readAnyHeader, reading);
    const kind = kindOf(layout.header);
    return { archive: await kind.open(source, layout, options), layout, kind };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openOf<A>(
  kinds: readonly unknown[],
  input: string | Uint8Array,
  options: Readonly<Record<string, unknown>>,
): Promise<A> {
  const source = await openSource(input, COMPACT_KINDS);
  try {
    const layout = await readLayout(source, readAnyHeader);
    const found = kindOf(layout.header);
    if (kinds.includes(found)) return (await found.open(source, layout, options)) as A;
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The archive holds ${found.holds}: open it with ${found.opener}, or unpack it with decompress().`,
    );
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Opens an archive of items of one shape, or of photographs of any size: a path, or its bytes. Of photographs it gives a
 * `PhotographArchive`: `openArchive<PhotographArchive>(...)` says so to TypeScript.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything that is not an archive, ERR_VAE_REPRODUCIBILITY when
 *   the model is another one than it was made with, or cannot be found.
 */
export function openArchive<A extends Archive | PhotographArchive = Archive>(
  input: string | Uint8Array,
  options: OpenArchiveOptions = {},
): Promise<A> {
  return openOf([KINDS.items, KINDS.photographs], input, { ...options });
}

/**
 * Opens an archive of sounds: a path, or its bytes.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything else, ERR_VAE_REPRODUCIBILITY when the model is another
 *   one than it was made with, or cannot be found.
 */
export function openSounds(input: string | Uint8Array, options: OpenSoundsOptions = {}): Promise<SoundArchive> {
  return openOf([KINDS.sounds], input, { ...options });
}

/**
 * Opens an archive of pictures with loss: a path, or its bytes.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything else, ERR_VAE_REPRODUCIBILITY when the model is another
 *   one than it was made with, or cannot be found.
 */
export function openPictures(input: string | Uint8Array, options: OpenPicturesOptions = {}): Promise<PictureArchive> {
  return openOf([KINDS.pictures], input, { ...options });
}
