/** What an archive is, and whether all of it is whole. */
import { z } from 'zod';
import type { DamagedChunk } from '../archive/archive.js';
import { signalShape } from '../core/common-options.js';
import { type InputOf, parseOptions } from '../core/options.js';
import type { ModelInput } from './by-kind.js';
import { openAny } from './open.js';

const optionsSchema = z.strictObject({
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<ModelInput>().optional(),
  /** Decode everything, and compare checksums. Default false: only what names the contents is read. */
  decode: z.boolean().default(false),
  ...signalShape,
});

export interface InspectOptions extends InputOf<typeof optionsSchema> {}

export interface ArchiveReport {
  /** `idx`, `npy`, `images`, `sounds` or `pictures`. */
  readonly kind: string;
  /** SHA-256 of the model; absent where none is needed. */
  readonly model?: string;
  readonly embedsModel: boolean;
  readonly bytes: number;
  readonly items: number;
  readonly chunks: number;
  /** Files that come out, by name. */
  readonly files: readonly string[];
  /** False for an archive that lost its end. */
  readonly complete: boolean;
  /** Why the beginning could not be read, where the copy at the end was used. */
  readonly headerLost?: string;
  /** Where another archive begins behind this one in the same file. */
  readonly nextArchive?: number;
  /** Chunks that are damaged: all of them with `decode`, else those whose names cannot be read. */
  readonly damaged: readonly DamagedChunk[];
}

/** Reports on an archive, however damaged. @throws VaeError ERR_VAE_FORMAT for anything that is no archive at all. */
export async function inspectArchive(input: string | Uint8Array, options: InspectOptions = {}): Promise<ArchiveReport> {
  const { decode, signal } = parseOptions(optionsSchema, options, 'inspectArchive()');
  const { archive, layout } = await openAny(input, options.model === undefined ? {} : { model: options.model }, {
    salvage: true,
  });
  try {
    const { records, unreadable } = await archive.outline();
    const damaged = decode ? await archive.verify(signal) : unreadable;
    const { header, headerLost, next } = layout;
    return {
      kind: header.kind,
      ...(header.model !== undefined && { model: header.model }),
      embedsModel: layout.modelOffset !== undefined,
      bytes: archive.byteLength,
      items: layout.chunks.reduce((sum, { items }) => sum + items, 0),
      chunks: archive.recordCount,
      files: [...new Set(records.flat().map(({ name }) => name))],
      complete: archive.complete && next === undefined,
      ...(headerLost !== undefined && { headerLost }),
      ...(next !== undefined && { nextArchive: next }),
      damaged,
    };
  } finally {
    await archive.close();
  }
}
