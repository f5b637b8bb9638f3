/**
 * Small sounds together: one after the other in a record of files, whose samples the model codes as one sound. What
 * stands around the samples of each comes first, then the samples.
 */
import type { FilePart, FilesMethod } from '../../archive/files-record.js';
import { damaged } from '../../archive/format.js';
import type { Codec } from '../lossless/codec.js';
import { decodeSound, encodeSound, SEGMENT_BYTES, type SoundPart } from './segment.js';

/** Files below this are gathered: as chunks of their own, what stands around each would show in the size. */
export const GATHERED_BELOW = 1 << 14;

/** The note of a file: channels, bytes a sample, bytes before the samples, frames. */
export function noteOf({ channels, bytesPerSample, start, frames }: SoundPart): number[] {
  return [channels, bytesPerSample, start, frames];
}

interface Sound {
  readonly from: number;
  readonly bytes: number;
  readonly start: number;
  readonly length: number;
}

/** Where the samples of each file are in the bytes of all; undefined unless they are all of one format. */
function soundsOf(
  parts: readonly FilePart[],
): { format: Pick<SoundPart, 'channels' | 'bytesPerSample'>; sounds: Sound[] } | undefined {
  let format: { channels: number; bytesPerSample: SoundPart['bytesPerSample'] } | undefined;
  let from = 0;
  const sounds: Sound[] = [];
  for (const { bytes, note } of parts) {
    const [channels = 0, bytesPerSample = 0, start = bytes, frames = 0] = note ?? [];
    const length = frames * channels * bytesPerSample;
    if (start + length > bytes) return undefined;
    if (length > 0) {
      format ??= { channels, bytesPerSample: bytesPerSample as SoundPart['bytesPerSample'] };
      if (format.channels !== channels || format.bytesPerSample !== bytesPerSample) return undefined;
    }
    sounds.push({ from, bytes, start, length });
    from += bytes;
  }
  return format === undefined ? undefined : { format, sounds };
}

export function gatheredSounds(codec: Codec): FilesMethod {
  return {
    async encode(parts, bytes, signal) {
      const found = soundsOf(parts);
      if (found === undefined || bytes.length > SEGMENT_BYTES) return undefined;
      const { edges, samples } = split(bytes, found.sounds);
      const { channels, bytesPerSample } = found.format;
      const frames = samples.length / (channels * bytesPerSample);
      const part = { channels, bytesPerSample, start: edges.length, frames };
      return encodeSound(codec, Buffer.concat([edges, samples]), part, { verify: false, signal });
    },
    async decode(parts, data, signal) {
      const found = soundsOf(parts);
      if (found === undefined) throw damaged('small sounds in it are not of one format');
      const bytes = await decodeSound(codec, data, signal);
      const total = parts.reduce((sum, part) => sum + part.bytes, 0);
      if (bytes.length !== total) throw damaged(`small sounds in it have ${bytes.length} bytes, expected ${total}`);
      return join(bytes, found.sounds);
    },
  };
}

function split(bytes: Uint8Array, sounds: readonly Sound[]): { edges: Buffer; samples: Buffer } {
  const edges: Uint8Array[] = [];
  const samples: Uint8Array[] = [];
  for (const { from, bytes: size, start, length } of sounds) {
    edges.push(bytes.subarray(from, from + start), bytes.subarray(from + start + length, from + size));
    samples.push(bytes.subarray(from + start, from + start + length));
  }
  return { edges: Buffer.concat(edges), samples: Buffer.concat(samples) };
}

function join(bytes: Uint8Array, sounds: readonly Sound[]): Buffer {
  const pieces: Uint8Array[] = [];
  let edge = 0;
  let sample = sounds.reduce((sum, { bytes: size, length }) => sum + size - length, 0);
  for (const { bytes: size, start, length } of sounds) {
    const after = size - start - length;
    pieces.push(bytes.subarray(edge, edge + start), bytes.subarray(sample, sample + length));
    pieces.push(bytes.subarray(edge + start, edge + start + after));
    edge += start + after;
    sample += length;
  }
  return Buffer.concat(pieces);
}
