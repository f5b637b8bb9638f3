import { z } from 'zod';
import { refuseDamage } from '../../archive/archive.js';
import type { Method } from '../../archive/format.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { NO_MODEL } from '../models/for-archive.js';
import { openAny } from '../open.js';

const schema = z.strictObject({});

export interface ListOptions extends InputOf<typeof schema> {}

/** How a file's bytes are kept; `same`: they are those of another one. */
export type ArchivedCoder = 'model' | 'brotli' | 'stored' | 'same' | 'folder';

export interface ArchivedFile {
  readonly name: string;
  /** Bytes of what is kept of it: of pictures their samples; undefined where that is known once it is decoded. */
  readonly bytes: number | undefined;
  /** What it takes of the archive: its share of its chunks, by items, or by bytes where files lie together as they are. */
  readonly storedBytes: number;
  /** Those of its parts, where they differ. */
  readonly coders: readonly ArchivedCoder[];
  /** The number of its first chunk, and of its item within the archive. Absent for files that are kept as they are. */
  readonly chunk: number;
  readonly item?: number;
  readonly sameAs?: string;
}

const CODERS: Readonly<Record<Method, ArchivedCoder>> = { coded: 'model', brotli: 'brotli', stored: 'stored' };

/**
 * The files of an archive of any kind, with their sizes and how each is coded. Nothing is decoded, and no model is needed.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything that is no archive, and naming chunks whose names cannot be read.
 */
export async function listArchive(input: string | Uint8Array, options: ListOptions = {}): Promise<ArchivedFile[]> {
  parseOptions(schema, options, 'listArchive()');
  const { archive, layout } = await openAny(input, { model: NO_MODEL });
  try {
    const { records, unreadable } = await archive.outline();
    refuseDamage([...unreadable], { salvage: false });
    const files = new Map<string, { -readonly [K in keyof ArchivedFile]: ArchivedFile[K] }>();
    for (const [record, parts] of records.entries()) {
      const { method, bytes: size } = await archive.codingOf(record);
      const isChunk = record < archive.chunkCount;
      const total = parts.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
      for (const [index, { name, bytes, sameAs, folder }] of parts.entries()) {
        const share = isChunk || total === 0 ? size / parts.length : (size * (bytes ?? 0)) / total;
        const coder: ArchivedCoder = folder ? 'folder' : sameAs === undefined ? CODERS[method] : 'same';
        const own = bytes ?? (isChunk && layout.itemSize > 0 ? layout.itemSize : undefined);
        const before = files.get(name);
        if (before !== undefined) {
          before.storedBytes += share;
          before.bytes = before.bytes === undefined || own === undefined ? undefined : before.bytes + own;
          if (!before.coders.includes(coder)) before.coders = [...before.coders, coder];
          continue;
        }
        files.set(name, {
          ...{ name, bytes: own, storedBytes: share, coders: [coder], chunk: record },
          ...(isChunk && { item: archive.chunk(record).firstItem + (archive.itemsAreNamed ? index : 0) }),
          ...(sameAs !== undefined && { sameAs }),
        });
      }
    }
    for (const file of files.values()) {
      if (file.sameAs !== undefined) file.bytes = files.get(file.sameAs)?.bytes;
      file.storedBytes = Math.round(file.storedBytes);
    }
    return [...files.values()];
  } finally {
    await archive.close();
  }
}
