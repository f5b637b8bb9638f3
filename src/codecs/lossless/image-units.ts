/** Pictures of one size as units of work. */
import { extname } from 'node:path';
import { checksumOf } from '../../archive/chunk.js';
import type { Prepared, Unit } from '../../archive/pack.js';
import { digestOf, type Meaning } from '../../archive/verify.js';
import { VaeError } from '../../core/errors.js';
import type { TreeFile } from '../../data/file-tree.js';
import { namedLike } from '../../data/find-files.js';
import { PICTURES } from '../../data/image/formats.js';
import { readPictureHeader } from '../../data/image/pixels.js';
import { hexOf, type Stored } from '../inputs/plain-files.js';
import { readCandidate } from '../inputs/read-candidate.js';
import type { Selection } from '../inputs/selection.js';
import { encodeChunk, encodeItemNames } from './chunk.js';
import type { Codec } from './codec.js';
import { readImage } from './image-files.js';
import { splitExtras } from './png-extras.js';

/** A picture that could be coded, and the name of the PNG file that comes out. */
export interface Candidate {
  readonly file: TreeFile;
  readonly name: string;
}

/**
 * The files that are called like pictures. Where those of other formats become PNG files (`renamed`), with the names of
 * such; where two would come out under one name, or one under that of another file, the picture is passed on.
 */
export function pictureCandidates(
  files: readonly TreeFile[],
  selection: Selection,
  { renamed }: { readonly renamed: boolean },
): Candidate[] {
  const taken = new Set(files.map(({ name }) => name));
  const candidates: Candidate[] = [];
  for (const file of files) {
    if (!namedLike(file.name, PICTURES)) {
      selection.passOn(file, undefined);
      continue;
    }
    const ending = extname(file.name);
    const name =
      !renamed || ending.toLowerCase() === '.png'
        ? file.name
        : `${file.name.slice(0, file.name.length - ending.length)}.png`;
    if (name !== file.name && taken.has(name)) {
      selection.passOn(
        file,
        new VaeError('ERR_VAE_DATA', `${file.shown} would come out as "${name}", which another file is called.`),
      );
      continue;
    }
    taken.add(name);
    candidates.push({ file, name });
  }
  return candidates;
}

interface Read extends Candidate {
  readonly bytes: Uint8Array;
  readonly pixels: Uint8Array;
  readonly extras: string | undefined;
}

/** What the bytes of a PNG file mean to an archive of pictures: pixels, and what stands beside them. */
export function pictureMeaning(itemShape: readonly number[]): Meaning {
  return async (bytes) => meant(await readImage({ bytes, name: 'a picture' }, itemShape), splitExtras(bytes).extras);
}

function meant(pixels: Uint8Array, extras: string | undefined): Uint8Array {
  return Buffer.concat([Buffer.from(`${extras ?? 'own'} `), pixels]);
}

export interface ImagePlan {
  readonly codec: Codec;
  readonly chunkItems: number;
  /** Keep the pixels of pictures although they are not all of the file: profile, EXIF data, format, further frames. */
  readonly pixelsOnly: boolean;
}

export function imageUnits(
  candidates: readonly Candidate[],
  selection: Selection,
  { codec, chunkItems, pixelsOnly }: ImagePlan,
  stored: Map<TreeFile, Stored>,
): Unit[] {
  const units: Unit[] = [];
  for (let start = 0; start < candidates.length; start += chunkItems) {
    const some = candidates.slice(start, start + chunkItems);
    units.push({
      items: some.length,
      async prepare(signal) {
        const read: Read[] = [];
        for (const candidate of some) {
          signal?.throwIfAborted();
          const found = await readPixels(candidate, codec.itemShape, selection, pixelsOnly, signal);
          if (found !== undefined) read.push(found);
        }
        if (read.length === 0) return undefined;
        for (const { file, name, bytes } of read) {
          stored.set(file, { name, digests: [hexOf(bytes)], partBytes: bytes.length });
        }
        return preparedImages(read, codec);
      },
    });
  }
  return units;
}

async function readPixels(
  candidate: Candidate,
  itemShape: readonly number[],
  selection: Selection,
  pixelsOnly: boolean,
  signal: AbortSignal | undefined,
): Promise<Read | undefined> {
  const { file } = candidate;
  return readCandidate(file, selection, signal, async (bytes) => {
    const extras = pixelsOnly ? undefined : await extrasOf(bytes, file);
    const pixels = await readImage({ bytes, name: file.shown }, itemShape);
    return { ...candidate, bytes, pixels, extras };
  });
}

/** @throws VaeError ERR_VAE_DATA for a file that a PNG of the same name and pixels does not stand for. */
async function extrasOf(bytes: Buffer, { name, shown }: TreeFile): Promise<string | undefined> {
  const refuse = (why: string) =>
    new VaeError(
      'ERR_VAE_DATA',
      `${shown} cannot be kept wholly as pixels: ${why}. To keep its pixels alone, say so (pixelsOnly, --pixels-only).`,
    );
  if (bytes.subarray(1, 4).toString('latin1') === 'PNG') {
    if (extname(name).toLowerCase() !== '.png') throw refuse('it is a PNG file that is called otherwise');
    const { extras, refused } = splitExtras(bytes);
    if (refused !== undefined) throw refuse(refused);
    return extras;
  }
  const { format } = await readPictureHeader({ bytes, name: shown });
  throw refuse(`it is a ${format} file`);
}

function preparedImages(read: readonly Read[], codec: Codec): Prepared {
  const items = new Uint8Array(read.length * codec.itemSize);
  for (const [index, { pixels }] of read.entries()) items.set(pixels, index * codec.itemSize);
  const names = read.map(({ name }) => name);
  const extras = read.map((each) => each.extras);
  const block = encodeItemNames(names, extras);
  return {
    ...{ kind: 'chunk', items: read.length, checksum: checksumOf(items, block), bytes: items.length },
    expected: read.map(({ name, pixels, extras: own }) => ({
      part: { name, offset: 0, last: true },
      digest: digestOf(meant(pixels, own)),
    })),
    content: () => ({ names: block, data: items }),
    encode: (signal) => encodeChunk(codec, { items, count: read.length, names, extras }, { verify: false, signal }),
  };
}
