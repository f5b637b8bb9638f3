/** How the items of a job become rows of its model. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { SOUNDS } from '../../data/audio/open.js';
import { PICTURES } from '../../data/image/formats.js';
import { parseNpy } from '../../data/npy/read.js';
import { readDataset } from '../../data/read-dataset.js';
import { toRowArray } from '../../data/values.js';
import { VIDEOS } from '../../data/video/open.js';
import type { Vae } from '../../vae/vae.js';
import type { Job } from '../job.js';
import { type FileReader, fileReader } from './files.js';
import type { Rows } from './piece.js';
import type { ReadOptions } from './read-pieces.js';

const LATENTS = ['mean.npy', 'z.npy', 'latent.npy', 'latents.npy', 'npy'];

/** Endings of samples' members that are the data of an operation. */
function membersFor(job: Job): string[] {
  if (job.options.array !== undefined) return [job.options.array, `${job.options.array}.npy`];
  if (job.operation === 'decode') return LATENTS;
  const files = [...PICTURES.endings, ...SOUNDS.endings, ...VIDEOS.endings].map((ending) => ending.slice(1));
  return [...files, 'output.npy', 'npy'];
}

/** @param latents whether items are latents rather than data. */
export function readOptionsFor(
  vae: Vae,
  job: Job,
  latents: boolean,
): Pick<ReadOptions, 'read' | 'readCells' | 'members' | 'layout' | 'rowFile'> {
  const rowShape = latents ? vae.latentShape : vae.dataShape;
  // Made when the first file comes: arrays need none.
  let files: FileReader | undefined;
  return {
    members: membersFor(job),
    layout: job.options.layout,
    rowFile: { array: job.options.array, latents, table: job.options.tableModel ?? false },
    async read(bytes, name, signal) {
      if (/\.npy$/i.test(name)) return oneRow(bytes, name, rowShape);
      files ??= fileReader(vae, job.options);
      return files.read(bytes, name, signal);
    },
    async readCells(rows, signal) {
      const { recipe } = vae;
      const folder = await mkdtemp(join(tmpdir(), 'node-vae-rows-'));
      try {
        const path = join(folder, 'rows.jsonl');
        await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
        const data = await readDataset(path, { ...(recipe && { recipe }), ...(signal && { signal }) });
        const { memory, length, rowShape: shape } = await data.toMemory(signal);
        if (length !== rows.length) throw new VaeError('ERR_VAE_DATA', 'A table gave another number of rows.');
        return { data: memory!, shape: [length, ...shape] };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** A .npy that holds one row, or a few of them. */
function oneRow(bytes: Uint8Array, name: string, rowShape: readonly number[]): Rows {
  const { data, dims, type } = parseNpy(bytes, shownName(name));
  const array = toRowArray(data as Float32Array, type as 'float32');
  const fits = dims.length === rowShape.length && rowShape.every((dim, axis) => dim < 0 || dim === dims[axis]);
  return { data: array, shape: fits ? [1, ...dims] : [...dims] };
}
