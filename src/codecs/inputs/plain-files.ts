/** Files that no codec is for: stored as they are by a general compressor, many small ones together. */
import { createHash } from 'node:crypto';
import { checksumOf } from '../../archive/chunk.js';
import { encodeEntries, encodeFiles, type FilePart, type FilesMethod } from '../../archive/files-record.js';
import type { Prepared, Unit } from '../../archive/pack.js';
import { digestOf } from '../../archive/verify.js';
import type { TreeFile } from '../../data/file-tree.js';
import { changingError } from './changing.js';
import { type FileState, openState, readPart, readWhole } from './read-file.js';
import type { Selection } from './selection.js';

/** What a record of files holds at most; a larger file has several. */
export const FILES_RECORD_BYTES = 1 << 22;
/** Memory that a record of files takes while it is worked on: its bytes several times, and Brotli's window. */
export const FILES_RECORD_MEMORY = 8 * FILES_RECORD_BYTES;
/** Files in a record. */
const MOST_FILES = 4096;

/** How files become records. */
export interface FilesPlan {
  readonly recordBytes: number;
  readonly method?: FilesMethod | undefined;
  /** What the archive's kind wants to know of a file. */
  readonly noteOf?: ((file: TreeFile, bytes: Uint8Array) => Promise<readonly number[] | undefined>) | undefined;
}

/** What is known of a file once it is in the archive: by that another one is found to be the same. */
export interface Stored {
  readonly name: string;
  readonly digests: readonly string[];
  readonly partBytes: number;
}

/** Small files together, in their order; larger ones in parts. */
export function fileUnits(
  files: readonly TreeFile[],
  selection: Selection,
  plan: FilesPlan,
  stored: Map<TreeFile, Stored>,
): Unit[] {
  const units: Unit[] = [];
  let group: TreeFile[] = [];
  let size = 0;
  const flush = (): void => {
    if (group.length > 0) units.push(groupUnit(group, selection, plan, stored));
    group = [];
    size = 0;
  };
  for (const file of files) {
    if (file.size > plan.recordBytes) {
      for (const unit of largeUnits(file, selection, plan, stored)) units.push(unit);
      continue;
    }
    if (size + file.size > plan.recordBytes || group.length >= MOST_FILES) flush();
    group.push(file);
    size += file.size;
  }
  flush();
  return units;
}

function groupUnit(
  files: readonly TreeFile[],
  selection: Selection,
  { method, noteOf }: FilesPlan,
  stored: Map<TreeFile, Stored>,
): Unit {
  return {
    items: files.length,
    fileBytes: files.reduce((sum, { size }) => sum + size, 0),
    async prepare(signal) {
      const parts: FilePart[] = [];
      const pieces: Uint8Array[] = [];
      for (const file of files) {
        try {
          const bytes = await readWhole(file, signal);
          const note = await noteOf?.(file, bytes);
          parts.push({ name: file.name, offset: 0, bytes: bytes.length, total: bytes.length, note });
          pieces.push(bytes);
          stored.set(file, { name: file.name, digests: [hexOf(bytes)], partBytes: bytes.length });
        } catch (error) {
          signal?.throwIfAborted();
          selection.bad(file, error);
        }
      }
      return parts.length === 0 ? undefined : prepared(parts, Buffer.concat(pieces), pieces, method);
    },
  };
}

/** One file in several records, all of the same state of it. */
function largeUnits(
  file: TreeFile,
  selection: Selection,
  { recordBytes, method }: FilesPlan,
  stored: Map<TreeFile, Stored>,
): Unit[] {
  let state: Promise<FileState> | undefined;
  const digests: string[] = [];
  const count = Math.ceil(file.size / recordBytes);
  return Array.from({ length: count }, (_, index) => ({
    items: index === 0 ? 1 : 0,
    fileBytes: file.size / count,
    async prepare(signal) {
      signal?.throwIfAborted();
      try {
        state ??= openState(file);
        const known = await state;
        if (known.size !== file.size) throw changingError(file.shown);
        const offset = index * recordBytes;
        const bytes = await readPart(file, known, offset, Math.min(recordBytes, file.size - offset));
        if (bytes === undefined) throw changingError(file.shown);
        digests[index] = hexOf(bytes);
        if (index + 1 === count) stored.set(file, { name: file.name, digests, partBytes: recordBytes });
        const part = { name: file.name, offset, bytes: bytes.length, total: file.size };
        return prepared([part], bytes, [bytes], method);
      } catch (error) {
        signal?.throwIfAborted();
        selection.breakOff(file, error);
        return undefined;
      }
    },
  }));
}

function prepared(
  parts: readonly FilePart[],
  bytes: Uint8Array,
  pieces: readonly Uint8Array[],
  method: FilesMethod | undefined,
): Prepared {
  const names = encodeEntries(parts);
  return {
    ...{ kind: 'files', items: parts.length, checksum: checksumOf(bytes, names), bytes: bytes.length },
    expected: parts.map(({ name, offset, bytes: length, total }, index) => ({
      part: { name, offset, bytes: length, last: offset + length === total },
      digest: digestOf(pieces[index]!),
    })),
    content: () => ({ names, data: bytes }),
    encode: (signal) => encodeFiles(parts, bytes, method, signal),
  };
}

/** Folders that hold nothing, by their names alone. */
export function folderUnits(names: readonly string[]): Unit[] {
  const units: Unit[] = [];
  for (let start = 0; start < names.length; start += MOST_FILES) {
    const parts = names
      .slice(start, start + MOST_FILES)
      .map((name): FilePart => ({ name, offset: 0, bytes: 0, total: 0, folder: true }));
    const block = encodeEntries(parts);
    units.push({
      items: 0,
      prepare: async () => ({
        ...{ kind: 'files', items: parts.length, checksum: checksumOf(block), bytes: 0 },
        expected: parts.map(({ name }) => ({
          part: { name, offset: 0, bytes: 0, last: true, folder: true },
          digest: undefined,
        })),
        content: () => ({ names: block, data: new Uint8Array(0) }),
        encode: () => encodeFiles(parts, new Uint8Array(0)),
      }),
    });
  }
  return units;
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(checksumOf(bytes)).toString('hex');
}

/**
 * Files of which another one is the very same: their names only. One that is not the same after all is stored as it is.
 */
export function copyUnits(
  copies: readonly (readonly [copy: TreeFile, of: TreeFile])[],
  selection: Selection,
  isItem: (file: TreeFile) => boolean,
  stored: Map<TreeFile, Stored>,
  nameOf: (file: TreeFile) => string = ({ name }) => name,
): Unit[] {
  const units: Unit[] = [];
  for (let start = 0; start < copies.length; start += MOST_FILES) {
    const some = copies.slice(start, start + MOST_FILES);
    units.push({
      items: some.length,
      fileBytes: some.reduce((sum, [copy]) => sum + copy.size, 0),
      async prepare(signal) {
        const parts: FilePart[] = [];
        const kept = new Set<TreeFile>();
        for (const [copy, of] of some) {
          const original = stored.get(of);
          try {
            if (original === undefined || !(await isSameAs(copy, original))) selection.passOn(copy, undefined);
            else {
              const note = isItem(copy) ? [] : undefined;
              stored.set(copy, original);
              // What comes out in another format has another name, and so have its copies.
              const name = original.name === of.name ? copy.name : nameOf(copy);
              kept.add(copy);
              parts.push({ name, offset: 0, bytes: 0, total: 0, sameAs: original.name, note });
            }
          } catch (error) {
            signal?.throwIfAborted();
            selection.bad(copy, error);
          }
        }
        if (parts.length === 0) return undefined;
        const bytes = some.reduce((sum, [copy]) => sum + (kept.has(copy) ? copy.size : 0), 0);
        const names = encodeEntries(parts);
        return {
          ...{ kind: 'files', items: parts.length, checksum: checksumOf(names), bytes },
          expected: parts.map(({ name, sameAs }) => ({
            part: { name, offset: 0, bytes: 0, last: true, sameAs },
            digest: undefined,
          })),
          content: () => undefined,
          encode: () => encodeFiles(parts, new Uint8Array(0)),
        };
      },
    });
  }
  return units;
}

async function isSameAs(file: TreeFile, { digests, partBytes }: Stored): Promise<boolean> {
  const state = await openState(file);
  if (Math.max(1, Math.ceil(state.size / Math.max(1, partBytes))) !== digests.length) return false;
  for (const [index, digest] of digests.entries()) {
    const offset = index * partBytes;
    const bytes = await readPart(file, state, offset, Math.min(partBytes, state.size - offset));
    if (bytes === undefined || hexOf(bytes) !== digest) return false;
  }
  return true;
}

/** Digests of a file that was read another way, by parts. */
export async function digestsOf(file: TreeFile, signal?: AbortSignal): Promise<Omit<Stored, 'name'>> {
  const state = await openState(file);
  const digests: string[] = [];
  for (let at = 0; at === 0 || at < state.size; at += FILES_RECORD_BYTES) {
    signal?.throwIfAborted();
    const bytes = await readPart(file, state, at, Math.min(FILES_RECORD_BYTES, state.size - at));
    if (bytes === undefined) throw changingError(file.shown);
    digests.push(hexOf(bytes));
  }
  return { digests, partBytes: FILES_RECORD_BYTES };
}

/** Pairs of files with the same bytes, the earlier one first; only files of one size are read. */
export async function findCopies(files: readonly TreeFile[], signal?: AbortSignal): Promise<Map<TreeFile, TreeFile>> {
  const bySize = new Map<number, TreeFile[]>();
  for (const file of files) {
    if (file.size === 0) continue;
    const same = bySize.get(file.size);
    if (same === undefined) bySize.set(file.size, [file]);
    else same.push(file);
  }
  const copies = new Map<TreeFile, TreeFile>();
  for (const same of bySize.values()) {
    if (same.length < 2) continue;
    const seen = new Map<string, TreeFile>();
    for (const file of same) {
      signal?.throwIfAborted();
      const hash = await hashOf(file).catch(() => undefined); // What cannot be read is told when its turn comes.
      const first = hash === undefined ? undefined : seen.get(hash);
      if (first !== undefined) copies.set(file, first);
      else if (hash !== undefined) seen.set(hash, file);
    }
  }
  return copies;
}

async function hashOf(file: TreeFile): Promise<string> {
  const state = await openState(file);
  const hash = createHash('sha256');
  for (let at = 0; at < state.size; at += FILES_RECORD_BYTES) {
    const bytes = await readPart(file, state, at, Math.min(FILES_RECORD_BYTES, state.size - at));
    if (bytes === undefined) throw changingError(file.shown);
    hash.update(bytes);
  }
  return hash.digest('hex');
}
