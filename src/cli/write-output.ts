/** Decoded data as files, by the ending of the path. */
import type { Tensor } from 'onnxruntime-common';
import type { Vae, WriteRowsOptions } from '../index.js';
import { count } from './output.js';

/** What the ending of an output path means. */
export const OUTPUT_PATH =
  'file.npy: the array; file.png: one grid of pictures; file.csv, .wav, .y4m: data of that kind; otherwise a folder with a file for each row';

/** As writeRows() does; a path of no ending without a recipe is a folder of PNG files. */
export async function writeDecoded(
  vae: Vae,
  path: string,
  tensor: Tensor,
  options: WriteRowsOptions & { readonly seed?: number },
): Promise<{ files: string[]; summary: string }> {
  const { tableDeviations, writeRows } = await import('../index.js');
  const { recipe } = vae;
  const { seed, ...rest } = options;
  const draw =
    seed !== undefined && recipe?.kind === 'table' ? { seed, deviations: tableDeviations(vae, recipe) } : undefined;
  const files = await writeRows(path, tensor, recipe, { ...rest, ...(draw && { draw }) });
  if (files.length > 1 || files[0] !== path) return { files, summary: `${count(files.length)} files in ${path}` };
  const shape = /\.npy$/i.test(path) ? `, float32 [${tensor.dims.join(', ')}]` : '';
  return { files, summary: `${path}${shape}` };
}
