/** The table of files with rows, by their endings. */
import { VaeError } from '../../../core/errors.js';
import type { OpenInput } from '../../places/place.js';
import { arrowRows } from './arrow.js';
import { idxRows } from './idx.js';
import { jsonLinesRows } from './json-lines.js';
import { npyRows } from './npy.js';
import { npzRows } from './npz.js';
import { parquetRows } from './parquet.js';
import type { RowFile, RowFileOptions, RowFormat } from './row-file.js';
import { safetensorsRows } from './safetensors.js';

const FORMATS: readonly RowFormat[] = [npyRows, npzRows, safetensorsRows, parquetRows, arrowRows, jsonLinesRows];

export const ROW_ENDINGS = FORMATS.flatMap(({ endings }) => endings);

/** Opens a file of rows. @throws VaeError ERR_VAE_FORMAT, ERR_VAE_DATA where it is not clear what its data is. */
export async function openRowFile(input: OpenInput, options: RowFileOptions): Promise<RowFile> {
  const lower = input.path.toLowerCase();
  const format = FORMATS.find(({ endings }) => endings.some((ending) => lower.endsWith(ending)));
  if (format !== undefined) return format.open(input, options);
  if (/idx\d-ubyte(\.gz)?$/.test(lower)) return idxRows.open(input, options);
  throw new VaeError('ERR_VAE_DATA', `${input.path}: no file of rows by its name.`);
}
