/** Files that are dropped on the page as rows of a model, read by its recipe from memory. */
import { VaeError } from '../../core/errors.js';
import { rowsOfSound, SoundFramer } from '../../data/audio/frames.js';
import type { AudioRecipe } from '../../data/audio/recipe.js';
import { resampled, type SoundSource } from '../../data/audio/resample.js';
import { WavFile } from '../../data/audio/wav.js';
import { parseNpy } from '../../data/npy/read.js';
import { encodeColumns } from '../../data/table/encode.js';
import { openWithRecipe } from '../../data/table/read.js';
import type { TableRecipe } from '../../data/table/recipe.js';
import { videoRow } from '../../data/video/open.js';
import type { VideoRecipe } from '../../data/video/recipe.js';
import { Y4mFile } from '../../data/video/y4m.js';
import type { Vae } from '../../vae/index.js';
import { PictureRows } from '../service/pictures.js';

/** Rows of one file at most: a sound or a video has many. */
const MOST_ROWS = 64;

export interface UploadedRows {
  /** Natural values, [count, ...row]. */
  readonly data: Float32Array | Uint8Array;
  readonly count: number;
  /** Rows that the file has beyond. */
  readonly leftOut: number;
}

/** @throws VaeError ERR_VAE_FORMAT or ERR_VAE_DATA for what the model does not take. */
export async function readUpload(
  vae: Vae,
  name: string,
  bytes: Uint8Array,
  maxDecodeBytes: number,
  signal: AbortSignal,
): Promise<UploadedRows> {
  const { recipe, dataShape } = vae;
  const size = dataShape.reduce((product, side) => product * side, 1);
  if (Buffer.from(bytes.subarray(0, 6)).toString('latin1') === '\x93NUMPY')
    return fromArray(bytes, name, dataShape, size);
  switch (recipe?.kind) {
    case 'audio':
      return fromSound(bytes, name, recipe, signal);
    case 'video':
      return fromVideo(bytes, name, recipe);
    case 'table':
      return fromTable(bytes, name, recipe, signal);
  }
  const pictures = PictureRows.of(vae, maxDecodeBytes);
  if (pictures === undefined) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${name}: this model takes arrays of shape [${dataShape.join(', ')}]; drop a .npy file of such rows.`,
    );
  }
  const { data } = (await pictures.read(bytes, signal)) as { data: Uint8Array | Float32Array };
  return { data, count: 1, leftOut: 0 };
}

function fromArray(bytes: Uint8Array, name: string, shape: readonly number[], size: number): UploadedRows {
  const { data, dims } = parseNpy(bytes, name);
  const row = dims.join() === shape.join() ? dims : dims.slice(1);
  if (row.reduce((product, side) => product * side, 1) !== size || typeof data[0] !== 'number') {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${name}: expected numbers [N, ${shape.join(', ')}], received [${dims.join(', ')}].`,
    );
  }
  const all = data instanceof Uint8Array ? data : Float32Array.from(data as Float32Array);
  const total = all.length / size;
  const count = Math.min(total, MOST_ROWS);
  return { data: all.subarray(0, count * size), count, leftOut: total - count };
}

async function fromSound(
  bytes: Uint8Array,
  name: string,
  recipe: AudioRecipe,
  signal: AbortSignal,
): Promise<UploadedRows> {
  const wav = await WavFile.fromBytes(bytes, name);
  await wav.checkValues(signal);
  const { sampleRate, channels, length, mask = 0 } = wav.info;
  const source: SoundSource = { sampleRate, channels, length, mask, read: (start, count) => wav.read(start, count) };
  const sound = resampled(source, recipe.sampleRate, recipe.channels);
  const framer = new SoundFramer(recipe);
  return rowsOf(
    rowsOfSound(sound.length, recipe),
    framer.rowSize,
    Float32Array,
    (row) => framer.row(sound, row),
    signal,
  );
}

async function fromVideo(bytes: Uint8Array, name: string, recipe: VideoRecipe): Promise<UploadedRows> {
  const video = await Y4mFile.fromBytes(bytes, name);
  const { frames, hop } = recipe;
  const total = Math.max(1, Math.ceil((video.info.frames - frames) / hop) + 1);
  const size = recipe.frames * recipe.height * recipe.width * (recipe.colour === 'grey' ? 1 : 3);
  return rowsOf(total, size, Uint8Array, (row) => videoRow(video, row, recipe), undefined);
}

async function fromTable(
  bytes: Uint8Array,
  name: string,
  recipe: TableRecipe,
  signal: AbortSignal,
): Promise<UploadedRows> {
  if (!/\.(csv|tsv|jsonl|ndjson|txt|json)$/i.test(name)) {
    throw new VaeError('ERR_VAE_FORMAT', `${name}: rows of a table are taken from .csv, .tsv and .jsonl files.`);
  }
  const { table } = await openWithRecipe(name, recipe, { bytes, signal });
  const data = await encodeColumns(table, recipe, name, signal);
  const size = data.length / table.rows;
  const count = Math.min(table.rows, MOST_ROWS);
  return { data: data.subarray(0, count * size), count, leftOut: table.rows - count };
}

async function rowsOf<T extends Float32Array | Uint8Array>(
  total: number,
  size: number,
  Type: new (length: number) => T,
  read: (row: number) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<UploadedRows> {
  const count = Math.min(total, MOST_ROWS);
  const data = new Type(count * size);
  for (let row = 0; row < count; row += 1) {
    signal?.throwIfAborted();
    data.set(await read(row), row * size);
  }
  return { data, count, leftOut: total - count };
}
