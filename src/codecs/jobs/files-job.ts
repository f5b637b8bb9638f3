/** compress() of files and folders: those that the model is for, and everything else beside them. */
import { performance } from 'node:perf_hooks';
import type { PhaseControl, Unit } from '../../archive/pack.js';
import { VaeError } from '../../core/errors.js';
import type { TreeFile } from '../../data/file-tree.js';
import { kindOf, writersFor } from '../by-kind.js';
import type { CompressJob, CompressResult } from '../compress-options.js';
import {
  copyUnits,
  FILES_RECORD_BYTES,
  FILES_RECORD_MEMORY,
  fileUnits,
  findCopies,
  folderUnits,
  type Stored,
} from '../inputs/plain-files.js';
import type { Selection } from '../inputs/selection.js';
import type { FilesPlan, Writing } from '../kind.js';
import { archiveToAppend, codecToAppend, refuseNames } from './append.js';
import { threadsWithin } from './memory.js';
import { writeArchive } from './write-archive.js';

export async function filesJob(selection: Selection, job: CompressJob): Promise<CompressResult> {
  const started = performance.now();
  const { output, append, signal } = job;
  const codec = append && output !== undefined ? await codecToAppend(output, job.codec) : job.codec;
  const plan = planOf(selection, { ...job, codec });
  let header = plan.header;
  let names: ReadonlySet<string> = new Set();
  if (append && output !== undefined) {
    const there = await archiveToAppend(output, header, { ...job, codec });
    refuseNames(output, there, plan.names);
    header = { ...there.header, ...(header.model !== undefined && header) };
    names = there.names;
  }
  const memory = Math.max(FILES_RECORD_MEMORY, plan.chunkMemory ?? 0);
  const threads = threadsWithin('A chunk of these pictures', memory, job);
  const stored = new Map<TreeFile, Stored>();
  const phases = new FilePhases(selection, plan, stored, names, signal);
  const packed = await writeArchive(
    {
      ...{
        header,
        codec,
        model: job.embedModel && header.model !== undefined ? codec : undefined,
        totalItems: selection.files.length,
        totalBytes: plan.totalBytes,
      },
      ...{ meaning: plan.meaning, threads, verify: job.verify, dropPartial: job.dropPartial },
      ...{ signal, onProgress: job.onProgress, phase: (control) => phases.next(control) },
    },
    job,
  );
  const { bytesIn, bytesOut, modelBytes, chunks, resumedChunks, already, notes, archive } = packed;
  const items = plan.candidates.filter((file) => phases.isCoded(file)).length;
  const { itemBytes } = plan;
  const total = append && packed.items > 0 && itemBytes !== undefined ? packed.items * itemBytes : bytesIn;
  return {
    ...{ items, bytesIn, bytesOut, chunks, resumedChunks, already, verified: job.verify },
    notes: [...notes, ...(codec === job.codec ? [] : [withoutModel(output!)]), ...(plan.notes?.() ?? [])],
    bitsPerDim: ((bytesOut - modelBytes) * 8) / total,
    storedFiles: phases.plain,
    storedBecause: Array.from(selection.reasons, ([name, reason]) => ({ name, reason })),
    ...{ leftOut: selection.leftOut, excluded: selection.excluded },
    seconds: (performance.now() - started) / 1000,
    ...(archive && { archive }),
  };
}

function withoutModel(output: string): string {
  return `${output} needs no model, and what was added to it was coded without one: all of it in a new archive would be smaller.`;
}

/** First what the model is for, then what was passed on, then files that are the same as others. */
class FilePhases {
  readonly #selection: Selection;
  readonly #plan: FilesPlan;
  readonly #stored: Map<TreeFile, Stored>;
  readonly #signal: AbortSignal | undefined;
  readonly #coded = new Set<TreeFile>();
  readonly #plainFiles = new Set<TreeFile>();
  #copies: (readonly [TreeFile, TreeFile])[] = [];
  #folders: readonly string[];
  #begun = false;

  /** @param there names that are in the archive which is added to. */
  constructor(
    selection: Selection,
    plan: FilesPlan,
    stored: Map<TreeFile, Stored>,
    there: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ) {
    this.#selection = selection;
    this.#folders = selection.emptyFolders.filter((name) => !there.has(name));
    this.#plan = plan;
    this.#stored = stored;
    this.#signal = signal;
  }

  isCoded(file: TreeFile): boolean {
    return this.#coded.has(file);
  }

  /** Files that are stored as they are. */
  get plain(): number {
    return [...this.#plainFiles].filter((file) => this.#stored.has(file)).length;
  }

  async next(control: PhaseControl): Promise<readonly Unit[] | undefined> {
    const { candidates } = this.#plan;
    if (!this.#begun) {
      this.#begun = true;
      const copies = kindOf(this.#plan.header).itemsAreFiles
        ? await findCopies(candidates, this.#signal)
        : new Map<TreeFile, TreeFile>();
      for (const copy of copies) this.#copies.push(copy);
      return this.#plan.units(
        candidates.filter((file) => !copies.has(file)),
        this.#stored,
      );
    }
    const again = await this.#selection.takeBroken((file) => {
      control.forget(this.#nameOf(file));
      control.forget(file.name);
      this.#stored.delete(file);
    });
    for (const file of candidates) {
      // Those that were passed on are kept as they are, and no items.
      if (this.#stored.has(file) && !this.#plainFiles.has(file)) this.#coded.add(file);
    }
    if (again.length > 0) return this.#again(again);
    if (this.#coded.size === 0 && !this.#plan.others) {
      const reason = this.#selection.firstReason();
      if (reason !== undefined) throw reason;
    }
    const others = this.#selection.takeOthers();
    if (others.length > 0) {
      for (const file of others) this.#plainFiles.add(file);
      const copies = await findCopies(others, this.#signal);
      for (const copy of copies) this.#copies.push(copy);
      const plan = { recordBytes: FILES_RECORD_BYTES };
      return fileUnits(
        others.filter((file) => !copies.has(file)),
        this.#selection,
        plan,
        this.#stored,
      );
    }
    if (this.#copies.length > 0) {
      const copies = this.#copies;
      this.#copies = [];
      const items = new Set(candidates);
      for (const [copy, of] of copies) if (this.#plainFiles.has(of)) this.#plainFiles.add(copy);
      const isItem = (file: TreeFile): boolean => items.has(file) && !this.#plainFiles.has(file);
      return copyUnits(copies, this.#selection, isItem, this.#stored, (file) => this.#nameOf(file));
    }
    const folders = this.#folders;
    this.#folders = [];
    return folders.length > 0 ? folderUnits(folders) : undefined;
  }

  #nameOf(file: TreeFile): string {
    return this.#plan.nameOf?.(file) ?? file.name;
  }

  /** Files that changed while their parts were written: all of each once more. */
  async #again(files: readonly TreeFile[]): Promise<readonly Unit[]> {
    const names = new Set(this.#plan.candidates.map(({ name }) => name));
    const items = files.filter(({ name }) => names.has(name));
    const plain = files.filter(({ name }) => !names.has(name));
    for (const file of plain) this.#plainFiles.add(file);
    return [
      ...(await this.#plan.units(items, this.#stored)),
      ...fileUnits(plain, this.#selection, { recordBytes: FILES_RECORD_BYTES }, this.#stored),
    ];
  }
}

/**
 * @throws VaeError ERR_VAE_SHAPE where the model is not for such files, ERR_VAE_DATA where there are none.
 */
function planOf(selection: Selection, { codec, ...options }: CompressJob): FilesPlan {
  const writers = writersFor(codec);
  let refused: VaeError | undefined;
  for (const writer of writers) {
    const plan = writer.files(selection, codec, options);
    if (plan instanceof VaeError) refused ??= plan;
    else if (plan !== undefined) return plan;
  }
  throw refused ?? (options.unnamed ? noPictures(selection) : nothing(selection, writers));
}

function noPictures(selection: Selection): VaeError {
  const [first] = selection.files;
  if (first === undefined) return nothing(selection, []);
  const what = selection.files.length === 1 ? `${first.shown} is no picture` : 'no picture is among the inputs';
  return new VaeError(
    'ERR_VAE_OPTION',
    `compress(): ${what}. Anything else needs a model (model, -m): "sound-codec" for WAV files, a codec of your own for IDX and .npy files.`,
  );
}

function nothing({ files, excluded }: Selection, writers: readonly Writing[]): VaeError {
  const [first] = files;
  if (first === undefined) {
    const why = excluded.length > 0 ? `; ${excluded.length} are left out by include and exclude` : '';
    return new VaeError('ERR_VAE_DATA', `compress(): there are no files in the inputs${why}.`);
  }
  const takes = writers.flatMap((writer) => writer.takes);
  const known = takes.length === 1 ? `not ${takes[0]}` : `neither ${takes.slice(0, -1).join(', ')} nor ${takes.at(-1)}`;
  return new VaeError(
    'ERR_VAE_DATA',
    `compress(): ${first.shown} is ${known}${files.length > 1 ? `, nor is any of the ${files.length - 1} others` : ''}.`,
  );
}
