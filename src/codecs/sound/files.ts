/** WAV files, part after part, as what compress() reads. */
import { open, stat } from 'node:fs/promises';
import { handleSource } from '../../archive/bytes.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { WavFile } from '../../data/audio/wav.js';
import { type FileKind, listFiles, namedLike } from '../../data/find-files.js';
import { isImagePath } from '../lossless/image-files.js';
import type { SoundSource } from '../lossless/item-source.js';
import {
  encodeSegment,
  encodeSegmentName,
  isSampleSize,
  MOST_CHANNELS,
  SEGMENT_BYTES,
  type SoundPart,
} from './segment.js';

const WAVS: FileKind = { plural: 'WAV files', endings: ['.wav', '.wave'] };

/** A file, and the name it comes out under: its path within the folder that was given. */
export interface SoundFile {
  readonly path: string;
  readonly name: string;
}

/**
 * The WAV files that the paths name, folders searched through all levels; undefined where there are none.
 *
 * @throws VaeError ERR_VAE_DATA where there are other inputs beside them, or two of one name.
 */
export async function soundFiles(paths: readonly string[]): Promise<SoundFile[] | undefined> {
  const found: SoundFile[] = [];
  const others: string[] = [];
  for (const path of paths) {
    const all = await listFiles([path]);
    const sounds = all.filter(({ name }) => namedLike(name, WAVS));
    for (const file of sounds) {
      if (typeof file.path === 'string') found.push({ path: file.path, name: file.within });
      else throw new VaeError('ERR_VAE_DATA', `${file.name}: its name is not UTF-8; rename it first.`);
    }
    // Folders may hold notes beside the sounds, but what else could be compressed is not left out in silence.
    const rest = all.filter(({ name }) => isImagePath(name));
    others.push(...(rest.length > 0 ? rest.map(({ name }) => name) : sounds.length === 0 ? [path] : []));
  }
  if (found.length === 0) return undefined;
  if (others.length > 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `compress(): an archive holds WAV files or something else; ${found[0]!.path} is one, and ${others[0]} is not. Make two archives.`,
    );
  }
  const names = found.map(({ name }) => name.toLowerCase());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new VaeError('ERR_VAE_DATA', `Two sounds would come out as "${twice}"; rename one of them.`);
  }
  return found;
}

interface OpenedSound extends SoundFile {
  readonly size: number;
  /** Number of its first part among all. */
  readonly first: number;
  readonly sound: SoundPart | undefined;
}

/** Parts of the files, SEGMENT_BYTES each. Whole files come out again, with everything that stands around the sound. */
export async function openSoundFiles(files: readonly SoundFile[]): Promise<SoundSource> {
  const opened: OpenedSound[] = [];
  let count = 0;
  for (const file of files) {
    const { size } = await stat(file.path);
    if (size === 0) throw new VaeError('ERR_VAE_DATA', `${file.path} is empty (0 bytes).`);
    opened.push({ ...file, size, first: count, sound: await soundIn(file.path) });
    count += Math.ceil(size / SEGMENT_BYTES);
  }
  const fileOf = (index: number): OpenedSound => {
    let [low, high] = [0, opened.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (opened[middle]!.first <= index) low = middle;
      else high = middle;
    }
    return opened[low]!;
  };
  const rangeOf = (file: OpenedSound, index: number) => {
    const start = (index - file.first) * SEGMENT_BYTES;
    return { start, end: Math.min(file.size, start + SEGMENT_BYTES) };
  };
  return {
    ...{ kind: 'sounds', rowShape: [], count, files: opened.length },
    byteLength: opened.reduce((sum, { size }) => sum + size, 0),
    async read(from) {
      const file = fileOf(from);
      const { start, end } = rangeOf(file, from);
      const name = { file: file.name, index: from - file.first, count: Math.ceil(file.size / SEGMENT_BYTES) };
      const handle = await open(file.path, 'r').catch((error: unknown) => {
        throw ioError(error, `opening ${file.path}`);
      });
      try {
        const items = await handleSource(handle, file.size, file.path).read(start, end - start);
        return { items, count: 1, names: [encodeSegmentName(name)] };
      } finally {
        await handle.close();
      }
    },
    encode(codec, index, chunk, options) {
      const file = fileOf(index);
      return encodeSegment(codec, chunk, partWithin(file.sound, rangeOf(file, index)), options);
    },
    async close() {},
  };
}

/** Where the file's samples lie; undefined for a file whose sound is not PCM of 8 to 24 bits: it is kept as bytes. */
export async function soundIn(path: string): Promise<SoundPart | undefined> {
  let wav: WavFile;
  try {
    wav = await WavFile.open(path, path, { acceptTruncated: true });
  } catch (error) {
    if (error instanceof VaeError && error.code === 'ERR_VAE_FORMAT') return undefined;
    throw error;
  }
  try {
    const { channels, bits, float, length } = wav.info;
    const bytesPerSample = bits / 8;
    if (float || !isSampleSize(bytesPerSample) || channels > MOST_CHANNELS) return undefined;
    return { channels, bytesPerSample, start: wav.dataStart, frames: length };
  } finally {
    await wav.close();
  }
}

/** The whole frames within a range of the file. */
function partWithin(
  sound: SoundPart | undefined,
  { start, end }: { start: number; end: number },
): SoundPart | undefined {
  if (sound === undefined) return undefined;
  const frameBytes = sound.channels * sound.bytesPerSample;
  const first = Math.max(0, Math.ceil((start - sound.start) / frameBytes));
  const last = Math.min(sound.frames, Math.floor((end - sound.start) / frameBytes));
  if (last <= first) return undefined;
  return { ...sound, start: sound.start + first * frameBytes - start, frames: last - first };
}
