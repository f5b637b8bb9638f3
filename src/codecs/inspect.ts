/** What an archive is, and whether all of it is whole. */
import { z } from 'zod';
import type { DamagedChunk } from '../archive/archive.js';
import { signalShape } from '../core/common-options.js';
import { VaeError } from '../core/errors.js';
import { type InputOf, parseOptions } from '../core/options.js';
import type { ModelInput } from './by-kind.js';
import { NO_MODEL } from './models/for-archive.js';
import { type OpenedArchive, openAny } from './open.js';

const optionsSchema = z.strictObject({
  /** The codec the archive was made with, for `decode`. Default: the one it embeds, or the package's own. */
  model: z.custom<ModelInput>().optional(),
  /**
   * Decode everything, and compare checksums; without the model, everything that it did not code. Default false: only
   * what names the contents is read, for which no model is needed.
   */
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
  /** Of the archive as it is stored. */
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
  /** With `decode`: chunks that were not tested for want of the model. */
  readonly untested: number;
}

/** Reports on an archive, however damaged. @throws VaeError ERR_VAE_FORMAT for anything that is no archive at all. */
export async function inspectArchive(input: string | Uint8Array, options: InspectOptions = {}): Promise<ArchiveReport> {
  const { decode, signal } = parseOptions(optionsSchema, options, 'inspectArchive()');
  const { archive, layout } = await openFor(input, options.model, decode);
  try {
    const { records, unreadable } = await archive.outline();
    const { damaged, untested } = decode ? await archive.test(signal) : { damaged: unreadable, untested: 0 };
    const { header, headerLost, next } = layout;
    return {
      kind: header.kind,
      ...(header.model !== undefined && { model: header.model }),
      embedsModel: layout.modelOffset !== undefined,
      bytes: archive.storedBytes,
      items: layout.chunks.reduce((sum, { items }) => sum + items, 0),
      chunks: archive.recordCount,
      files: [...new Set(records.flat().map(({ name }) => name))],
      complete: archive.complete && next === undefined,
      ...(headerLost !== undefined && { headerLost }),
      ...(next !== undefined && { nextArchive: next }),
      ...{ damaged, untested },
    };
  } finally {
    await archive.close();
  }
}

async function openFor(
  input: string | Uint8Array,
  model: ModelInput | undefined,
  decode: boolean,
): Promise<OpenedArchive> {
  const reading = { salvage: true };
  if (model !== undefined) return openAny(input, { model }, reading);
  const withoutModel = () => openAny(input, { model: NO_MODEL }, reading);
  if (!decode) return withoutModel();
  return openAny(input, {}, reading).catch((error: unknown) => {
    if (error instanceof VaeError && error.code === 'ERR_VAE_REPRODUCIBILITY') return withoutModel();
    throw error;
  });
}
