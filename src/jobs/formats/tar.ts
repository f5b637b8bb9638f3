/**
 * WebDataset .tar: for each row files of one key, with the endings `mean.npy` and the like, `png` for pictures, `cls`,
 * `txt` and `json`. Through tar-stream.
 */

import { shownName } from '../../core/byte-names.js';
import { importOptional } from '../../core/optional-package.js';
import { formatNpy } from '../../data/npy/write.js';
import { inParallel } from '../../data/parallel.js';
import type { RowNote } from '../rows/piece.js';
import { type Format, labelOf, pieces, type ShardContent } from './format.js';
import { pictureBytes } from './pictures.js';

export const tarFormat: Format = {
  ending: '.tar',
  files: (stem, content) => [{ name: `${stem}.tar`, chunks: tarOf(content) }],
};

type Pack = import('tar-stream').Pack;

async function* tarOf(content: ShardContent): AsyncGenerator<Uint8Array> {
  const { pack } = await importOptional('tar-stream', 'Writing .tar files', () => import('tar-stream'));
  const tar = pack();
  let failed: unknown;
  const writing = fill(tar, content).catch((error: unknown) => {
    failed = error;
    tar.destroy(error as Error);
  });
  try {
    for await (const chunk of tar as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw failed ?? error;
  } finally {
    tar.destroy();
    await writing;
  }
}

async function fill(tar: Pack, content: ShardContent): Promise<void> {
  const keys = new Map<string, number>();
  for await (const { columns, notes } of pieces(content)) {
    const images = await picturesIn(content, columns, notes.length);
    for (const [row, note] of notes.entries()) {
      const key = keyOf(note, content, keys);
      for (const [at, { name, dims }] of content.columns.entries()) {
        const size = dims.reduce((product, dim) => product * dim, 1);
        const data = columns[at]!.slice(row * size, (row + 1) * size);
        if (images !== undefined && at === 0) await add(tar, `${key}.png`, images[row]!);
        else await add(tar, `${key}.${name}.npy`, formatNpy({ data, shape: dims.length === 0 ? [1] : [...dims] }));
      }
      const label = content.labels === undefined ? null : labelOf(note, content.labels);
      if (label !== null) await add(tar, `${key}.cls`, Buffer.from(String(label)));
      if (note.caption !== undefined) await add(tar, `${key}.txt`, Buffer.from(note.caption));
      const own = {
        name: note.name,
        ...(content.parts && { part: note.part ?? 0 }),
        ...(label !== null && { label }),
        ...(note.caption !== undefined && { caption: note.caption }),
      };
      await add(tar, `${key}.json`, Buffer.from(JSON.stringify(own)));
    }
  }
  tar.finalize();
}

/** Rows that are pictures, as files; several are made at once. */
async function picturesIn(
  { pictures, columns }: ShardContent,
  data: readonly Float32Array[],
  rows: number,
): Promise<Uint8Array[] | undefined> {
  const [first] = columns;
  if (!pictures || first?.name !== 'output') return undefined;
  const size = data[0]!.length / rows;
  const numbers = Array.from({ length: rows }, (_, row) => row);
  return inParallel(numbers, (row) => pictureBytes(data[0]!.subarray(row * size, (row + 1) * size), first.dims));
}

/** A name that a .tar can have and that readers do not take apart: no dots but those of endings, nothing that leads elsewhere. */
function keyOf(note: RowNote, { parts }: ShardContent, seen: Map<string, number>): string {
  const shown = shownName(note.name).replaceAll('\\', '_');
  // The ending of a file's name, not the number of a row behind it.
  const stem = shown.replace(/(?<=[^/])\.[a-z0-9]{1,12}$/i, '');
  const clean = stem
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .join('/')
    .replaceAll('.', '_');
  const base = `${clean === '' ? 'item' : clean}${parts && note.part !== undefined ? `-${note.part}` : ''}`;
  const times = seen.get(base) ?? 0;
  seen.set(base, times + 1);
  return times === 0 ? base : `${base}~${times}`;
}

/** The same bytes whoever writes them: no clock, no owner. */
function add(tar: Pack, name: string, bytes: Uint8Array): Promise<void> {
  const header = { name, size: bytes.length, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 };
  return new Promise((resolve, reject) => {
    tar.entry(header, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}
