/** Decoded data as files, by the ending of the path. */
import type { Tensor } from 'onnxruntime-common';
import { count } from './output.js';

/** `.npy` for the array, `.png` for a grid, otherwise a folder with one PNG file for each row. */
export async function writeDecoded(
  path: string,
  tensor: Tensor,
  columns: number | undefined,
): Promise<{ files: string[]; summary: string }> {
  if (/\.npy$/i.test(path)) {
    const { writeNpy } = await import('../index.js');
    await writeNpy(path, tensor);
    return { files: [path], summary: `${path}, float32 [${tensor.dims.join(', ')}]` };
  }
  const { writeImages } = await import('../index.js');
  const images = { data: tensor.data as Float32Array, shape: [...tensor.dims] };
  const files = await writeImages(path, images, columns === undefined ? {} : { columns });
  const summary = files.length === 1 && files[0] === path ? path : `${count(files.length)} PNG files in ${path}`;
  return { files, summary };
}
