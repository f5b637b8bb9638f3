/** The archive that a job adds to: whole, of the same model and kind, and without the names that are to come. */
import { refuseIncomplete } from '../../archive/archive.js';
import { fileSource } from '../../archive/bytes.js';
import { COMPACT_MAGIC_BYTES, isCompact } from '../../archive/compact.js';
import type { Header } from '../../archive/format.js';
import type { Unit } from '../../archive/pack.js';
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { UNNAMED } from '../by-kind.js';
import type { AnyCodec } from '../models/find.js';
import { NO_MODEL } from '../models/for-archive.js';
import { openAny } from '../open.js';

export interface Appended {
  readonly header: Header;
  /** Items that it holds, and their chunks. */
  readonly items: number;
  readonly chunks: number;
  readonly names: ReadonlySet<string>;
}

/**
 * @param wanted the header that an archive of the job would have.
 * @throws VaeError ERR_VAE_REPRODUCIBILITY for another model, ERR_VAE_SHAPE for another kind, ERR_VAE_FORMAT for an
 *   archive that is damaged or has no end.
 */
export async function archiveToAppend(
  output: string,
  wanted: Header,
  {
    codec,
    verify,
    signal,
  }: { readonly codec: unknown; readonly verify: boolean; readonly signal?: AbortSignal | undefined },
): Promise<Appended> {
  // The model is compared before it is needed.
  const { archive, layout } = await openAny(output, {}, {}).catch((error: unknown) => {
    const other = error instanceof VaeError && error.code === 'ERR_VAE_REPRODUCIBILITY';
    if (other && codec !== UNNAMED) return openAny(output, { model: codec });
    throw error;
  });
  try {
    const { header } = layout;
    refuseIncomplete(layout, archive.recordCount, { salvage: false });
    // A compact archive names no model: any may add to it.
    if (header.model !== undefined && header.model !== wanted.model) {
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `${output} was made with another model: append with that one (model, -m), or make another archive.`,
      );
    }
    if (header.kind !== wanted.kind || String(header.rowShape ?? '') !== String(wanted.rowShape ?? '')) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${output} holds ${header.kind} items; ${wanted.kind} cannot be added to it.`,
      );
    }
    if (verify) {
      const [damage] = await archive.verify(signal);
      if (damage !== undefined) {
        throw new VaeError(
          'ERR_VAE_FORMAT',
          `${output} is damaged (${damage.reason}); nothing is added to it. Make a new archive, or unpack what is whole with salvage (--salvage).`,
        );
      }
    }
    const { records } = await archive.outline();
    return {
      header,
      items: layout.chunks.reduce((sum, { items }) => sum + items, 0),
      chunks: layout.chunks.length,
      names: new Set(records.flat().map(({ name }) => name)),
    };
  } finally {
    await archive.close();
  }
}

/**
 * The model that a job codes with: none where the archive needs none so far. Its header stays as it is, and readers of it
 * look for no model. An archive in a compact form has its header from whatever is added.
 */
export async function codecToAppend(output: string, codec: AnyCodec): Promise<AnyCodec> {
  // What stands in the way is told by archiveToAppend().
  const opened = await openAny(output, { model: NO_MODEL }).catch(() => undefined);
  if (opened === undefined || (await isCompactFile(output))) return codec;
  const { archive, layout, kind } = opened;
  await archive.close();
  const free = kind.write?.unnamed !== undefined && layout.header.model === undefined;
  return free && kind.models.is(codec) ? UNNAMED : codec;
}

async function isCompactFile(path: string): Promise<boolean> {
  const source = await fileSource(path);
  try {
    return isCompact(await source.read(0, Math.min(COMPACT_MAGIC_BYTES, source.length)));
  } finally {
    await source.close();
  }
}

/** @throws VaeError ERR_VAE_DATA naming the first name that is there already. */
export function refuseNames(output: string, { names }: Appended, coming: readonly string[]): void {
  const twice = coming.filter((name) => names.has(name));
  if (twice.length === 0) return;
  const list = twice.slice(0, 5).map((name) => `"${shownName(name)}"`);
  throw new VaeError(
    'ERR_VAE_DATA',
    `${output} holds ${list.join(', ')}${twice.length > 5 ? ` and ${twice.length - 5} more` : ''} already. Nothing was added; leave them out (--exclude) or make another archive.`,
  );
}

/**
 * Whether an archive ends with the very records of these units: then the job that adds them has been done, and was
 * killed at the most before it could say so. The last one is looked at first: other data are told at once.
 */
export async function endsWith(
  output: string,
  units: readonly Unit[],
  { codec, signal }: { readonly codec: unknown; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const { archive } = await openAny(output, { model: codec });
  try {
    const first = archive.chunkCount - units.length;
    if (first < 0) return false;
    for (let index = units.length - 1; index >= 0; index -= 1) {
      signal?.throwIfAborted();
      const checksum = (await units[index]!.prepare(signal))?.checksum;
      if (checksum === undefined || Buffer.compare(checksum, await archive.checksumOf(first + index)) !== 0)
        return false;
    }
    return true;
  } finally {
    await archive.close();
  }
}
