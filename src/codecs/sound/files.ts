/** WAV files, part after part, as units of work. */
import { checksumOf, encodeNames } from '../../archive/chunk.js';
import type { Prepared, Unit } from '../../archive/pack.js';
import { digestOf } from '../../archive/verify.js';
import { VaeError } from '../../core/errors.js';
import { WavFile } from '../../data/audio/wav.js';
import type { TreeFile } from '../../data/file-tree.js';
import { type FileKind, listFiles, namedLike } from '../../data/find-files.js';
import { changingError } from '../inputs/changing.js';
import { fileUnits, hexOf, type Stored } from '../inputs/plain-files.js';
import { type FileState, openState, readPart } from '../inputs/read-file.js';
import type { Selection } from '../inputs/selection.js';
import type { Codec } from '../lossless/codec.js';
import { GATHERED_BELOW, gatheredSounds, noteOf } from './gather.js';
import {
  encodeSegment,
  encodeSegmentName,
  isStoredSize,
  MOST_CHANNELS,
  SEGMENT_BYTES,
  type SoundPart,
} from './segment.js';

const WAVS: FileKind = { plural: 'WAV files', endings: ['.wav', '.wave'] };

export function isSound(name: string): boolean {
  return namedLike(name, WAVS);
}

/** The WAV files that the paths name, folders searched through all levels. */
export async function soundPaths(paths: readonly string[]): Promise<(string | Buffer)[]> {
  return (await listFiles(paths)).filter(({ name }) => isSound(name)).map(({ path }) => path);
}

/** Files at once whose headers are looked at. */
const AT_ONCE = 16;

/** Whole files come out again, with everything that stands around the sound. Small ones share a record. */
export async function soundUnits(
  files: readonly TreeFile[],
  selection: Selection,
  codec: Codec,
  stored: Map<TreeFile, Stored>,
): Promise<Unit[]> {
  const parts = new Map<TreeFile, SoundPart | undefined>();
  for (let start = 0; start < files.length; start += AT_ONCE) {
    selection.options.signal?.throwIfAborted();
    const some = files.slice(start, start + AT_ONCE);
    const found = await Promise.all(
      some.map((file) =>
        soundIn(file.path).catch((error: unknown) => {
          if (!(error instanceof VaeError)) throw error;
          return undefined; // What cannot be read is told when its turn comes.
        }),
      ),
    );
    for (const [index, file] of some.entries()) parts.set(file, found[index]);
  }
  const large = files.filter(({ size }) => size >= GATHERED_BELOW);
  const groups = new Map<string, TreeFile[]>();
  for (const file of files) {
    if (file.size >= GATHERED_BELOW) continue;
    const key = formatOf(parts.get(file));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  const plan = {
    recordBytes: SEGMENT_BYTES,
    method: gatheredSounds(codec),
    async noteOf(file: TreeFile, bytes: Uint8Array): Promise<readonly number[]> {
      const part = parts.get(file);
      if (part === undefined) return [];
      const { start, frames, channels, bytesPerSample } = part;
      return start + frames * channels * bytesPerSample > bytes.length ? [] : noteOf(part);
    },
  };
  // A small one by itself has nothing to share a record with.
  const [alone] = [...groups.values()].flat();
  const single = files.length === 1 && alone !== undefined && alone.size > 0 ? [alone] : [];
  return [
    ...[...large, ...single].flatMap((file) => segmentUnits(file, parts.get(file), selection, codec, stored)),
    ...(single.length > 0 ? [] : [...groups.values()].flatMap((group) => fileUnits(group, selection, plan, stored))),
  ];
}

function formatOf(part: SoundPart | undefined): string {
  return part === undefined ? '' : `${part.channels} ${part.bytesPerSample}`;
}

/** The parts of one file, all of the same state of it. */
function segmentUnits(
  file: TreeFile,
  sound: SoundPart | undefined,
  selection: Selection,
  codec: Codec,
  stored: Map<TreeFile, Stored>,
): Unit[] {
  let state: Promise<FileState> | undefined;
  const digests: string[] = [];
  const count = Math.ceil(file.size / SEGMENT_BYTES);
  return Array.from({ length: count }, (_, index) => ({
    items: 1,
    async prepare(signal) {
      signal?.throwIfAborted();
      const [start, end] = [index * SEGMENT_BYTES, Math.min(file.size, (index + 1) * SEGMENT_BYTES)];
      try {
        state ??= openState(file);
        const known = await state;
        const bytes = known.size === file.size ? await readPart(file, known, start, end - start) : undefined;
        if (bytes === undefined) throw changingError(file.shown);
        digests[index] = hexOf(bytes);
        if (index + 1 === count) stored.set(file, { name: file.name, digests, partBytes: SEGMENT_BYTES });
        const name = encodeSegmentName({ file: file.name, index, count });
        return preparedSegment(name, file.name, { start, last: end === file.size }, bytes, (signal_) =>
          encodeSegment(codec, { items: bytes, count: 1, names: [name] }, partWithin(sound, { start, end }), {
            verify: false,
            signal: signal_,
          }),
        );
      } catch (error) {
        signal?.throwIfAborted();
        selection.breakOff(file, error);
        return undefined;
      }
    },
  }));
}

function preparedSegment(
  name: string,
  file: string,
  { start, last }: { start: number; last: boolean },
  bytes: Uint8Array,
  encode: Prepared['encode'],
): Prepared {
  const names = encodeNames([name]);
  return {
    ...{ kind: 'chunk', items: 1, checksum: checksumOf(bytes, names), bytes: bytes.length, encode },
    expected: [{ part: { name: file, offset: start, last }, digest: digestOf(bytes) }],
    content: () => ({ names, data: bytes }),
  };
}

/** Where the file's samples lie; undefined for a file whose sound is not PCM of 8 to 24 bits: it is kept as bytes. */
export async function soundIn(path: string | Buffer): Promise<SoundPart | undefined> {
  let wav: WavFile;
  try {
    wav = await WavFile.open(path, String(path), { acceptTruncated: true });
  } catch (error) {
    if (error instanceof VaeError && error.code === 'ERR_VAE_FORMAT') return undefined;
    throw error;
  }
  try {
    const { channels, bits, float, length, law, bigEndian } = wav.info;
    const bytesPerSample = bits / 8;
    if (float || law || bigEndian || !isStoredSize(bytesPerSample) || channels > MOST_CHANNELS) return undefined;
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
