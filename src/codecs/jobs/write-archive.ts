/** An archive to memory, a file or a stream: what all jobs share. */
import {
  compactRecords,
  encodeCompactFiles,
  encodeCompactItems,
  type KnownModel,
  MOST_COMPACT_BYTES,
} from '../../archive/compact.js';
import { finishedOutput } from '../../archive/finished.js';
import type { Header } from '../../archive/format.js';
import { expandSource } from '../../archive/open-source.js';
import { fileOutput, memoryOutput, openStream, outputKind } from '../../archive/output-file.js';
import { type PackJob, type PackResult, pack, type Written } from '../../archive/pack.js';
import { readLayout } from '../../archive/reader.js';
import { lockFile } from '../../binding/file-lock.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { COMPACT_KINDS, kindOf, readAnyHeader } from '../by-kind.js';
import { NO_MODEL } from '../models/for-archive.js';

export interface WriteOptions {
  readonly output?: string | undefined;
  readonly append: boolean;
  readonly force: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What a job says of the archive; the rest is the same for all. */
export type ArchiveJob = Omit<PackJob, 'read' | 'open' | 'compact'> & {
  /** The model, to unpack with while verifying; undefined where names alone are looked at. */
  readonly codec: { readonly identity: string } | undefined;
};

export async function writeArchive(
  job: ArchiveJob,
  { output, append, force, signal }: WriteOptions,
): Promise<PackResult> {
  const kind = kindOf(job.header);
  const whole: PackJob = {
    ...job,
    read: readAnyHeader,
    compact: (written) => compactOf(job.header, written),
    async open(written) {
      const expanded = await expandSource(written, COMPACT_KINDS);
      const { memorySource } = await import('../../archive/bytes.js');
      const source = expanded === undefined ? written : memorySource(expanded);
      const layout = await readLayout(source, readAnyHeader);
      // A layout that needs no model is given none.
      return kind.open(source, layout, layout.header.model === undefined ? {} : { model: job.codec ?? NO_MODEL });
    },
  };
  try {
    if (output === undefined) return await pack(whole, memoryOutput());
    const target = await outputKind(output);
    if (target === 'stream') {
      if (append) throw new VaeError('ERR_VAE_OPTION', `Nothing can be added to ${output}: it is no file.`);
      return await pack(whole, await openStream(output));
    }
    const known = knownOf(job);
    const expand = (source: Parameters<typeof expandSource>[0]) => expandSource(source, COMPACT_KINDS, known);
    // The same command again, after its end: whoever runs it each night wants to hear that all is well.
    if (target === 'file' && !append && !force) return await pack(whole, await finishedOutput(output, expand));
    return await pack(whole, await fileOutput(output, { lock: lockFile, force, append, expand }));
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError(error, `writing ${output}`);
  }
}

/** What an archive in a compact form, which may name no model, says once there are chunks of one. */
function knownOf({ codec, header }: ArchiveJob): KnownModel {
  const { model = codec?.identity, coding } = header;
  return { ...(model && { model }), ...(typeof coding === 'number' && { coding }) };
}

async function compactOf(header: Header, written: Written): Promise<Uint8Array | undefined> {
  const { sole, entries, byteLength } = written;
  const content = sole?.content();
  if (sole !== undefined && content !== undefined) {
    if (content.data.length > MOST_COMPACT_BYTES) return undefined;
    const whole = { count: sole.items, ...content };
    return sole.kind === 'files' ? encodeCompactFiles(header, whole) : encodeCompactItems(header, whole, COMPACT_KINDS);
  }
  if (byteLength > MOST_COMPACT_BYTES) return undefined;
  const bytes = await written.bytes();
  return bytes && compactRecords(bytes, entries, header, COMPACT_KINDS);
}
