/** Files to rows, as the model's training data were read. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { nameFromBytes, shownName } from '../../core/byte-names.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { decodeItem, itemsOf } from '../../data/image/items.js';
import type { PictureForm } from '../../data/image/pixels.js';
import { openPicture } from '../../data/image/pixels.js';
import { CHANNELS, type Colour, type ImageRecipe, imageRowShape } from '../../data/image/recipe.js';
import { readDataset } from '../../data/read-dataset.js';
import type { Vae } from '../../vae/vae.js';
import type { JobSettings } from '../job.js';
import type { Rows } from './piece.js';

/** Makes rows of a file's bytes: [rows, ...row]. */
export interface FileReader {
  read(bytes: Uint8Array, name: string, signal?: AbortSignal): Promise<Rows>;
}

/** @throws VaeError ERR_VAE_OPTION where it is not known how files become rows of this model. */
export function fileReader(vae: Vae, settings: JobSettings): FileReader {
  const { recipe } = vae;
  const given = settings.size ?? settings.colour ?? settings.fit;
  if (recipe !== undefined && recipe.kind !== 'array' && given !== undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'size, colour and fit are for models that keep no recipe; this one reads files as its training did. Leave them out.',
    );
  }
  if (recipe?.kind === 'image' && !recipe.anySize) return pictureReader(recipe);
  if (recipe !== undefined && recipe.kind !== 'array') return datasetReader(vae);
  return pictureReader(recipeFor(vae.dataShape, settings));
}

/** Pictures for models without a recipe: as their data's shape says, or the options. */
function recipeFor(dataShape: readonly number[], { size, colour, fit = 'cover' }: JobSettings): ImageRecipe {
  const [channels, ...sides] = dataShape.length === 2 ? [1, ...dataShape] : dataShape;
  const named = (Object.keys(CHANNELS) as Colour[]).find((name) => CHANNELS[name] === channels);
  if (sides.length !== 2 || named === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `The model takes rows of [${dataShape.join(', ')}], which are no pictures, and keeps no recipe of how files become rows. Give arrays (.npy, .npz, .safetensors, .parquet).`,
    );
  }
  if (colour !== undefined && CHANNELS[colour] !== channels) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `colour: the model takes ${channels} channels, ${colour} has ${CHANNELS[colour]}.`,
    );
  }
  const wanted = size === undefined ? undefined : typeof size === 'number' ? [size, size] : size;
  const [height, width] = sides.map((side, axis) => (side > 0 ? side : wanted?.[axis]));
  if (height === undefined || width === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `The model takes pictures of any size; say which size they are brought to: size: 512 (--size 512, or --size HEIGHTxWIDTH).`,
    );
  }
  if (wanted !== undefined && (wanted[0] !== height || wanted[1] !== width)) {
    throw new VaeError('ERR_VAE_OPTION', `size: the model takes ${height}×${width}, received ${wanted.join('×')}.`);
  }
  return { kind: 'image', height, width, colour: colour ?? named, depth: 8, values: 'stored', fit, anySize: false };
}

function pictureReader(recipe: ImageRecipe): FileReader {
  const { colour, depth, range, clip, values } = recipe;
  const form: PictureForm = { colour, depth, range, clip, values, size: recipe };
  const rowShape = imageRowShape(recipe);
  const single = recipe.volume === undefined && recipe.pages !== 'all';
  return {
    async read(bytes, name, signal) {
      const source = { bytes, name: shownName(name) };
      const file = { path: name, name: shownName(name), folder: undefined, within: name };
      if (single) {
        const data = await decodeItem({ source, file, page: 0, name }, recipe, form, signal);
        return { data, shape: [1, ...rowShape] };
      }
      const { header } = await openPicture(source, signal);
      const [items = []] = await itemsOf([{ file, header, bytes }], recipe, undefined, undefined);
      const size = elementCount(rowShape);
      let all: Uint8Array | Float32Array | undefined;
      for (const [index, item] of items.entries()) {
        const row = await decodeItem(item, recipe, form, signal);
        all ??= row instanceof Uint8Array ? new Uint8Array(size * items.length) : new Float32Array(size * items.length);
        all.set(row, index * size);
      }
      return { data: all ?? new Uint8Array(0), shape: [items.length, ...rowShape] };
    },
  };
}

/** Sound, video, tables and crops of pictures, by the readers of their kinds, which take paths. */
function datasetReader(vae: Vae): FileReader {
  return {
    async read(bytes, name, signal) {
      const folder = await mkdtemp(join(tmpdir(), 'node-vae-item-'));
      try {
        const path = join(folder, `item${extname(nameFromBytes(Buffer.from(name))).slice(0, 20)}`);
        await writeFile(path, bytes);
        const { recipe } = vae;
        const data = await readDataset(path, { ...(recipe && { recipe }), ...(signal && { signal }) }).catch(
          (error: unknown) => {
            // The file is known by its name, not by that of its copy.
            if (error instanceof VaeError)
              throw new VaeError(error.code, error.message.replaceAll(path, shownName(name)), { cause: error });
            throw error;
          },
        );
        const all = await data.toMemory(signal);
        return { data: all.memory!, shape: [all.length, ...all.rowShape] };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
