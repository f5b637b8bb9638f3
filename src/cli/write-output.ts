/** Decoded data as files, by the ending of the path. */
import type { Tensor } from 'onnxruntime-common';
import type { Vae, WriteRowsOptions } from '../index.js';
import { isStdout } from './claim-output.js';
import { count } from './output.js';

/** What the ending of an output path means. */
export const OUTPUT_PATH =
  'file.npy: the array; file.png: one grid of pictures; file.csv, .wav, .y4m: data of that kind; otherwise a folder with a file for each row; -: the array, to standard output';

/**
 * As writeRows() does; a path of no ending without a recipe is a folder of PNG files. Standard output takes the array,
 * as .npy; then what the command says goes to standard error (`onStderr`).
 */
export async function writeDecoded(
  vae: Vae,
  path: string,
  tensor: Tensor,
  options: WriteRowsOptions & { readonly seed?: number },
): Promise<{ files: string[]; summary: string; onStderr: boolean }> {
  const { tableDeviations, writeArray, writeRows } = await import('../index.js');
  const shape = `float32 [${tensor.dims.join(', ')}]`;
  if (isStdout(path)) {
    await writeArray(path, { data: tensor.data as Float32Array, shape: tensor.dims });
    return { files: [path], summary: `${path}, ${shape}`, onStderr: true };
  }
  const { recipe } = vae;
  const { seed, ...rest } = options;
  const draw =
    seed !== undefined && recipe?.kind === 'table' ? { seed, deviations: tableDeviations(vae, recipe) } : undefined;
  const files = await writeRows(path, tensor, recipe, { ...rest, ...(draw && { draw }) });
  const apart = files.length > 1 || files[0] !== path;
  const summary = apart ? `${count(files.length)} files in ${path}` : /\.npy$/i.test(path) ? `${path}, ${shape}` : path;
  return { files, summary, onStderr: false };
}
