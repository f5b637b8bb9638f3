import { VaeError } from '../core/errors.js';
import type { Dataset } from './dataset.js';
import { kindOfPath } from './files.js';
import { looksLikeIdx, type ReadIdxOptions, readIdx, readIdxArray } from './idx/read.js';
import type { LabelsInput } from './labels.js';
import { readNpy } from './npy/read.js';
import { datasetFromTensor } from './to-dataset.js';

/** What kind of data a path holds. */
export type DataKind = 'idx' | 'npy';

const NPY_NAME = /\.npy(\.gz)?$/i;

/**
 * Reads data of any kind that this package knows, told by its name: a `.npy` file of [rows, ...], an
 * IDX file, or a folder with the MNIST names. Pictures in a .npy file are [N, channels, height, width].
 *
 * @param options as for `readIdx`; `labels` may be a .npy or an IDX file.
 * @throws VaeError ERR_VAE_IO for what is missing, ERR_VAE_DATA for what is of no known kind, and what
 *   the reader of its kind throws.
 */
export async function readDataset(path: string, options: ReadIdxOptions = {}): Promise<Dataset> {
  if ((await kindOfData(path)) === 'idx') {
    const { labels, ...rest } = options;
    // readIdx finds its own labels; a file of another kind is read here.
    if (!labels || !NPY_NAME.test(labels)) return readIdx(path, options);
    const images = await readIdx(path, { ...rest, labels: false });
    return withLabels(images, await readLabels(labels, options.signal), options);
  }
  const labels = options.labels ? await readLabels(options.labels, options.signal) : undefined;
  return datasetFromTensor(await readNpy(path, options.signal), {
    where: path,
    ...(labels && { labels }),
    ...(options.classes && { classes: options.classes }),
  });
}

/** @throws VaeError ERR_VAE_IO where there is nothing, ERR_VAE_DATA where it is of no known kind. */
export async function kindOfData(path: string): Promise<DataKind> {
  const found = await kindOfPath(path);
  if (found === 'missing') {
    throw new VaeError('ERR_VAE_IO', `There is no file or folder "${path}". Check the path to the data.`);
  }
  if (found === 'file' && NPY_NAME.test(path)) return 'npy';
  if (found === 'folder' || (await looksLikeIdx(path))) return 'idx';
  throw new VaeError(
    'ERR_VAE_DATA',
    `"${path}" is data of no known kind. Known are .npy files, IDX files (named …idx3-ubyte, also .gz) and folders with the MNIST names.`,
  );
}

async function readLabels(path: string, signal?: AbortSignal): Promise<LabelsInput> {
  const { data, shape } = NPY_NAME.test(path)
    ? await readNpy(path, signal).then((tensor) => ({ data: tensor.data, shape: tensor.dims }))
    : await readIdxArray(path, signal);
  if (shape.length === 1) return data as ArrayLike<number>;
  throw new VaeError('ERR_VAE_FORMAT', `${path}: labels have one axis, received shape [${shape.join(', ')}].`);
}

function withLabels(dataset: Dataset, labels: LabelsInput, { classes }: ReadIdxOptions): Dataset {
  const { memory, rowShape, length } = dataset;
  return datasetFromTensor({ data: memory!, shape: [length, ...rowShape] }, { labels, ...(classes && { classes }) });
}
