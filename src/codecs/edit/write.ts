/** Writes an archive of records of others: resumed, verified and named as all archives are. */
import type { EncodedRecord } from '../../archive/chunk.js';
import type { Header } from '../../archive/format.js';
import type { Prepared, Unit } from '../../archive/pack.js';
import type { AnyArchive } from '../../archive/unpack.js';
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { inOrder } from '../../core/in-order.js';
import { threadsWithin } from '../jobs/memory.js';
import { writeArchive } from '../jobs/write-archive.js';
import type { PlannedRecord } from './plan.js';
import type { Source, Sources } from './sources.js';

export interface EditOptions {
  readonly force: boolean;
  readonly verify: boolean;
  readonly threads?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: EditProgress) => void) | undefined;
}

export interface EditProgress {
  /** Chunks that are written, of all. */
  readonly chunks: number;
  readonly totalChunks: number;
  readonly bytesOut: number;
}

/** A chunk that is not as it was. */
export interface TouchedChunk {
  readonly archive: string;
  /** Its number there, from 0. */
  readonly chunk: number;
  /** Items that it had, and that are left. */
  readonly items: number;
  readonly keptItems: number;
}

export interface EditedArchive {
  readonly path: string;
  readonly bytesOut: number;
  /** Files and empty folders that come out of it. */
  readonly files: number;
  readonly items: number;
  /** Chunks that are byte for byte those they were. */
  readonly copiedChunks: number;
  /** Chunks whose names changed, or of which some items are left; what is left of the latter was coded again. */
  readonly renamedChunks: readonly TouchedChunk[];
  readonly cutChunks: readonly TouchedChunk[];
  /** Chunks that an interrupted run had written before. */
  readonly resumedChunks: number;
  /** Whether all of it was decoded before it got its name. */
  readonly verified: boolean;
  readonly notes: readonly string[];
}

export async function writeEdited(
  plan: readonly PlannedRecord[],
  sources: Sources,
  output: string,
  options: EditOptions,
): Promise<EditedArchive> {
  const { verify, force, signal, onProgress } = options;
  const [first] = sources.all;
  const embeds = sources.all.some(({ layout }) => layout.modelOffset !== undefined);
  const header = headerOf(sources.all);
  const threads = await threadsOf(sources.all, options);
  let begun = false;
  let done = 0;
  const units = plan.map((planned) => unitOf(planned, signal));
  const names = plan.map((each) => each.names);
  try {
    const packed = await writeArchive(
      {
        ...{ header, codec: sources.codec, model: embeds ? await modelOf(sources) : undefined },
        ...{ totalItems: plan.length, threads, verify: true, dropPartial: false, meaning: undefined, signal },
        check: (archive) => checkEdited(archive, names, { verify, threads, signal }),
        onProgress: ({ items, bytesOut }) => {
          done = items;
          onProgress?.({ chunks: done, totalChunks: plan.length, bytesOut });
        },
        async phase() {
          if (begun) {
            await sources.checkUnchanged();
            return undefined;
          }
          begun = true;
          // The lock of the output is ours by now: nobody else changes the archive that it may be.
          await sources.checkUnchanged();
          return units;
        },
      },
      { output, append: false, force, signal },
    );
    const touched = (of: (each: PlannedRecord) => boolean): TouchedChunk[] =>
      plan.filter(of).map(({ source, record, items }) => ({
        ...{ archive: source.path, chunk: record, items: source.archive.itemsOf(record), keptItems: items },
      }));
    return {
      ...{ path: output, bytesOut: packed.bytesOut, files: countFiles(plan, first!), items: packed.items },
      copiedChunks: plan.filter(({ kept }) => kept === undefined).length,
      renamedChunks: touched(({ kept, isCut }) => kept !== undefined && !isCut),
      cutChunks: touched(({ isCut }) => isCut),
      ...{ resumedChunks: packed.resumedChunks, verified: verify, notes: packed.notes },
    };
  } catch (error) {
    throw await namingSource(error, plan, signal);
  }
}

/** Of the first archive, with the model of any, and what is said of that. */
function headerOf(all: readonly Source[]): Header {
  const { model: _, coding: __, ...rest } = all[0]!.layout.header;
  const { model, coding } = (all.find(({ layout }) => layout.header.model !== undefined) ?? all[0]!).layout.header;
  return { ...(model !== undefined && { model }), ...rest, ...(coding !== undefined && { coding }) } as Header;
}

async function modelOf({ codec, all }: Sources): Promise<{ readonly file: Uint8Array }> {
  if (codec !== undefined) return codec;
  return { file: await all.find(({ layout }) => layout.modelOffset !== undefined)!.archive.embeddedModel() };
}

async function threadsOf(all: readonly Source[], options: EditOptions): Promise<number> {
  let most = 1;
  for (const { archive } of all) most = Math.max(most, await archive.recordMemory(options.signal));
  return threadsWithin('The largest chunk of the archives', most, options);
}

function countFiles(plan: readonly PlannedRecord[], first: Source): number {
  const names = new Set(plan.flatMap((each) => each.names ?? []));
  return names.size + Number(plan.some((each) => each.names === undefined) && !first.archive.itemsAreNamed);
}

function unitOf({ source, record, kind, items, kept }: PlannedRecord, signal: AbortSignal | undefined): Unit {
  return {
    items: 1,
    async prepare(): Promise<Prepared> {
      const known = { kind, items, expected: [], bytes: 0, content: () => undefined };
      if (kept === undefined) {
        const stored = await source.archive.recordOf(record);
        return { ...known, checksum: stored.header.checksum, encode: async () => stored };
      }
      const edited: EncodedRecord = await source.archive.editedOf(record, kept, signal);
      return { ...known, checksum: edited.header.checksum, encode: async () => edited };
    },
  };
}

/** Names are those that were planned, record by record, and everything decodes. */
async function checkEdited(
  archive: AnyArchive,
  names: readonly (readonly string[] | undefined)[],
  { verify, threads, signal }: { verify: boolean; threads: number; signal: AbortSignal | undefined },
): Promise<void> {
  const { records, unreadable } = await archive.outline();
  const wrong = (what: string) =>
    new VaeError('ERR_VAE_RUNTIME', `The archive would not be what was asked for: ${what}. It did not get its name.`);
  if (unreadable.length > 0 || records.length !== names.length) throw wrong('its names cannot be read');
  for (const [record, wanted] of names.entries()) {
    if (wanted === undefined) continue;
    const got = records[record]!.map(({ name }) => name);
    const index = wanted.findIndex((name, at) => name !== got[at]);
    if (got.length !== wanted.length || index >= 0) {
      throw wrong(`"${shownName(wanted[Math.max(0, index)]!)}" is "${shownName(got[Math.max(0, index)] ?? '')}" in it`);
    }
  }
  if (!verify) return;
  await inOrder(
    records.length,
    Math.min(threads, archive.mostAtOnce),
    async (record) => {
      signal?.throwIfAborted();
      await archive.check(record, signal);
    },
    async () => {},
  );
}

/** Damage is that of an archive that was read, by its name. */
async function namingSource(
  error: unknown,
  plan: readonly PlannedRecord[],
  signal: AbortSignal | undefined,
): Promise<unknown> {
  if (!(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') return error;
  for (const { source, record } of plan) {
    try {
      await source.archive.check(record, signal);
    } catch (cause) {
      if (!(cause instanceof VaeError) || cause.code !== 'ERR_VAE_FORMAT') continue;
      return new VaeError(
        'ERR_VAE_FORMAT',
        `${source.path} is damaged (${source.archive.damageOf(record, cause).reason}); nothing was written. decompress with salvage (--salvage) gives what is whole.`,
        { cause },
      );
    }
  }
  return error;
}
