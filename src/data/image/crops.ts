/** Random crops of pictures at their own size: rows for models of textures. */
import { VaeError } from '../../core/errors.js';
import type { FoundFile } from '../find-files.js';
import { inParallel } from '../parallel.js';
import { Passes, rowDraws } from '../rows/draws.js';
import { allocateRows, type RowArray } from '../values.js';
import { decodePicture, type Picture } from './decode.js';
import type { PictureForm } from './pixels.js';
import { CHANNELS, type ImageRecipe } from './recipe.js';

export interface CropOptions {
  /** Rows for each picture. */
  readonly crops: number;
  /** Crops at random places; otherwise from the middle. */
  readonly random: boolean;
  readonly longestSide: number | undefined;
  readonly seed: number;
  /** Decoded pictures are kept up to this many bytes, those used last. */
  readonly memoryBytes: number;
  /** How its pictures are decoded. */
  readonly form: PictureForm;
}

export class CropSource {
  readonly #files: readonly FoundFile[];
  readonly #recipe: ImageRecipe;
  readonly #options: CropOptions;
  readonly #passes: Passes;
  readonly #kept = new Map<number, Picture>();
  #keptBytes = 0;

  constructor(files: readonly FoundFile[], recipe: ImageRecipe, options: CropOptions) {
    this.#files = files;
    this.#recipe = recipe;
    this.#options = options;
    this.#passes = new Passes(files.length * options.crops);
  }

  /** Row i is a crop of picture ⌊i / crops⌋. */
  readonly read = async (rows: ArrayLike<number>, signal?: AbortSignal, pass?: number): Promise<RowArray> => {
    const { crops, random, seed } = this.#options;
    const { height, width, colour, depth } = this.#recipe;
    const rowSize = CHANNELS[colour] * height * width;
    const out = allocateRows(depth === 8 ? 'uint8' : 'float32', rows.length * rowSize);
    const byPicture = new Map<number, number[]>();
    for (let index = 0; index < rows.length; index += 1) {
      const picture = Math.floor(rows[index]! / crops);
      byPicture.set(picture, [...(byPicture.get(picture) ?? []), index]);
    }
    await inParallel([...byPicture], async ([number, wanted]) => {
      const picture = await this.#picture(number, signal);
      for (const index of wanted) {
        const row = rows[index]!;
        const draw = random ? rowDraws(seed, row, pass ?? this.#passes.next(row)) : () => 0.5;
        const top = Math.floor(draw() * (picture.height - height + 1));
        const left = Math.floor(draw() * (picture.width - width + 1));
        cut(picture, top, left, height, width, out.subarray(index * rowSize, (index + 1) * rowSize));
      }
    });
    return out;
  };

  async #picture(number: number, signal: AbortSignal | undefined): Promise<Picture> {
    const kept = this.#kept.get(number);
    if (kept) {
      // Moved to the end: the order of a Map is that of insertion.
      this.#kept.delete(number);
      this.#kept.set(number, kept);
      return kept;
    }
    const { height, width } = this.#recipe;
    const file = this.#files[number]!;
    const { longestSide, form } = this.#options;
    const picture = await decodePicture(file, { ...form, longestSide }, signal);
    if (picture.height < height || picture.width < width) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${file.name}: ${picture.width}×${picture.height} pixels are too few for crops of ${width}×${height}.`,
      );
    }
    if (!this.#kept.has(number)) {
      this.#kept.set(number, picture);
      this.#keptBytes += picture.data.byteLength;
    }
    for (const [oldest, { data }] of this.#kept) {
      if (this.#keptBytes <= this.#options.memoryBytes || this.#kept.size === 1) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= data.byteLength;
    }
    return picture;
  }
}

function cut(from: Picture, top: number, left: number, height: number, width: number, into: RowArray): void {
  for (let channel = 0; channel < from.channels; channel += 1) {
    for (let y = 0; y < height; y += 1) {
      const start = (channel * from.height + top + y) * from.width + left;
      into.set(from.data.subarray(start, start + width), (channel * height + y) * width);
    }
  }
}
