/** Files through a model and back to files: pictures, tables, sound and video. */
import { BYTE_SCALE } from '../architectures/input.js';
import { VaeError } from '../core/errors.js';
import { type RebuildRows, type RebuiltSound, rebuildSound } from '../data/audio/rebuild.js';
import { audioRowShape } from '../data/audio/recipe.js';
import { fileAt } from '../data/find-files.js';
import { psnrOfValues } from '../data/image/psnr.js';
import { cutTo, mirroredTo, readPicture } from '../data/image/rebuild.js';
import type { ImageRecipe } from '../data/image/recipe.js';
import { writeNpy } from '../data/npy/write.js';
import { readDataset } from '../data/read-dataset.js';
import { fillTable } from '../data/table/fill.js';
import { layoutOf } from '../data/table/recipe.js';
import { type RebuiltVideo, rebuildVideo } from '../data/video/rebuild.js';
import { type VideoRecipe, videoRowShape } from '../data/video/recipe.js';
import { type DelayedRows, temporalWindow } from '../data/video/temporal-window.js';
import { writeImages } from '../report/images/write.js';
import type { Vae } from './vae.js';
import { strideOf } from './whole-pictures.js';

export type RebuiltFile =
  | { readonly kind: 'image'; readonly width: number; readonly height: number; readonly psnr: number }
  | { readonly kind: 'array'; readonly rows: number; readonly meanSquaredError: number }
  | { readonly kind: 'table'; readonly rows: number; readonly filled: number }
  | ({ readonly kind: 'audio' } & RebuiltSound)
  | ({ readonly kind: 'video' } & RebuiltVideo);

/** See ReconstructFileOptions. */
/** Of pictures; see ImageOptions. */
interface PictureFileOptions {
  readonly page?: number;
  readonly strict?: boolean;
  readonly maxPixels?: number;
}

interface RebuildRequest {
  readonly page?: number | undefined;
  readonly strict?: boolean | undefined;
  readonly maxPixels?: number | undefined;
  readonly acceptTruncated?: boolean | undefined;
  readonly bits?: 8 | 16 | 24 | 32 | undefined;
  readonly window: number;
  readonly signal?: AbortSignal | undefined;
}

/** Pictures with more pixels than this pass in tiles. */
const MOST_PIXELS = 1 << 20;
const TILE = 512;

/** See Vae.reconstructFile(). */
export async function rebuildFile(
  vae: Vae,
  input: string,
  output: string,
  { signal, window, acceptTruncated, bits, page, strict, maxPixels }: RebuildRequest,
): Promise<RebuiltFile> {
  const { recipe } = vae;
  const call = signal ? { signal } : {};
  const file = fileAt(input);
  const passRows =
    (shape: readonly number[]): RebuildRows =>
    async (rows, count) =>
      (await vae.reconstruct({ data: rows, shape: [count, ...shape] }, call)).data as Float32Array;
  switch (recipe?.kind) {
    case 'image':
      return rebuildImage(vae, input, output, recipe, signal, {
        ...(page !== undefined && { page }),
        ...(strict !== undefined && { strict }),
        ...(maxPixels !== undefined && { maxPixels }),
      });
    case 'audio': {
      const rebuilt = await rebuildSound(file, output, recipe, passRows(audioRowShape(recipe)), {
        ...(acceptTruncated !== undefined && { acceptTruncated }),
        ...(bits !== undefined && { bits }),
        signal,
      });
      return { kind: 'audio', ...rebuilt };
    }
    case 'video': {
      const shape = videoRowShape(recipe);
      if (window === 1) {
        return { kind: 'video', ...(await rebuildVideo(file, output, recipe, passRows(shape), signal)) };
      }
      const { rebuild, finish } = frameWindow(vae, recipe, window, call);
      return { kind: 'video', ...(await rebuildVideo(file, output, recipe, rebuild, signal, finish)) };
    }
    case 'table': {
      const { width } = layoutOf(recipe);
      const filled = await fillTable(input, output, recipe, passRows([width]), { signal });
      return { kind: 'table', ...filled };
    }
    case 'array':
    case undefined:
      return rebuildArray(vae, input, output, signal);
  }
}

/** Of models of arrays: .npy in, .npy out. */
async function rebuildArray(
  vae: Vae,
  input: string,
  output: string,
  signal: AbortSignal | undefined,
): Promise<RebuiltFile> {
  if (!/\.npy$/i.test(output)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `This model was trained on arrays, which are written as .npy: expected a path that ends in .npy, received "${output}".`,
    );
  }
  const call = signal ? { signal } : {};
  // As the file has them: the model scales what it has to, and gives it back as it was.
  const data = await readDataset(input, call);
  const rebuilt = await vae.reconstruct(data, call);
  await writeNpy(output, rebuilt);
  const original = await data.toMemory(signal);
  // Bytes stand for fractions of 255, unless the recipe takes them as they are.
  const scale = data.dtype === 'uint8' && vae.recipe === undefined ? BYTE_SCALE : 1;
  const values = rebuilt.data as Float32Array;
  let squares = 0;
  for (let index = 0; index < values.length; index += 1) {
    squares += (values[index]! - original.memory![index]! * scale) ** 2;
  }
  return { kind: 'array', rows: data.length, meanSquaredError: squares / values.length };
}

/** @throws VaeError ERR_VAE_OPTION for a window that is no odd number, and for models of clips. */
function frameWindow(
  vae: Vae,
  recipe: VideoRecipe,
  window: number,
  call: { readonly signal?: AbortSignal },
): DelayedRows {
  if (!Number.isInteger(window) || window < 1 || window % 2 === 0 || window > 255) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `reconstructFile(), window: expected an odd number of frames from 1 to 255, received ${window}.`,
    );
  }
  if (recipe.frames !== 1) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `reconstructFile(), window: this model takes clips of ${recipe.frames} frames, which overlap by themselves; a window is ` +
        'for models of single frames (trained with frames: 1).',
    );
  }
  const frame = videoRowShape(recipe);
  return temporalWindow(window, {
    encode: async (data, count) =>
      (await vae.encode({ data, shape: [count, ...frame] }, call)).mean.data as Float32Array,
    decode: async (data, count) =>
      (await vae.decode({ data, shape: [count, ...vae.latentShape] }, call)).data as Float32Array,
  });
}

async function rebuildImage(
  vae: Vae,
  input: string,
  output: string,
  recipe: ImageRecipe,
  signal: AbortSignal | undefined,
  pictures: PictureFileOptions,
): Promise<RebuiltFile> {
  const call = signal ? { signal } : {};
  if (!recipe.anySize) {
    const data = await vae.read(input, { ...call, images: pictures });
    if (data.length > 1) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${input}: holds ${data.length} pictures, and one is written. Say which with page (--page N), or use read() and reconstruct().`,
      );
    }
    if (data.rowShape.length !== 3 || recipe.depth === 32) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${input}: ${recipe.depth === 32 ? 'values that are no colours' : 'a volume'} cannot be written as PNG. Use read(), reconstruct() and writeNpy().`,
      );
    }
    const original = await data.read([0], signal);
    const rebuilt = await vae.reconstruct({ data: original, shape: [1, ...data.rowShape] }, call);
    await writePicture(output, rebuilt.data as Float32Array, data.rowShape);
    const psnr = psnrOfValues(original, rebuilt.data as Float32Array, recipe.depth === 8 ? 255 : 1, 1);
    return { kind: 'image', width: recipe.width, height: recipe.height, psnr };
  }
  const picture = await readPicture(input, recipe, signal, pictures);
  const { channels, height, width } = picture;
  // A map of latents has a place for so many pixels of each side.
  const padded = mirroredTo(strideOf(vae, recipe), picture);
  const tiled = padded.height * padded.width > MOST_PIXELS;
  await using sized = vae.resized(
    tiled ? { height: TILE, width: TILE } : { height: padded.height, width: padded.width },
  );
  const rebuilt = await sized.reconstruct(
    { data: padded.data, shape: [1, channels, padded.height, padded.width] },
    { ...call, ...(tiled && { tiling: true }) },
  );
  const values = cutTo(picture, rebuilt.data as Float32Array, padded);
  await writePicture(output, values, [channels, height, width]);
  return { kind: 'image', width, height, psnr: psnrOfValues(picture.data, values, recipe.depth === 8 ? 255 : 1, 1) };
}

async function writePicture(path: string, data: Float32Array, shape: readonly number[]): Promise<void> {
  if (!/\.png$/i.test(path)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `Pictures are written as PNG: expected a path that ends in .png, received "${path}".`,
    );
  }
  await writeImages(path, { data, shape: [1, ...shape] });
}
