/** The table of formats for rows, and which operations write which. */
import { VaeError } from '../../core/errors.js';
import type { FormatName, OperationName } from '../job.js';
import type { Format } from './format.js';
import { jsonLinesFormat } from './json-lines.js';
import { npyFormat } from './npy.js';
import { npzFormat } from './npz.js';
import { parquetFormat } from './parquet.js';
import { safetensorsFormat } from './safetensors.js';
import { tarFormat } from './tar.js';

export const ROW_FORMATS = {
  npy: npyFormat,
  npz: npzFormat,
  safetensors: safetensorsFormat,
  parquet: parquetFormat,
  jsonl: jsonLinesFormat,
  tar: tarFormat,
} as const satisfies Partial<Record<FormatName, Format>>;

const ROWS = Object.keys(ROW_FORMATS) as FormatName[];

/** What each operation writes; the first is what it writes where nothing is said. */
const WRITTEN: Readonly<Record<OperationName, readonly FormatName[]>> = {
  encode: ['parquet', ...ROWS.filter((name) => name !== 'parquet')],
  decode: ['npy', ...ROWS.filter((name) => name !== 'npy')],
  reconstruct: ['npy', ...ROWS.filter((name) => name !== 'npy')],
  score: ['parquet', ...ROWS.filter((name) => name !== 'parquet')],
  compress: ['vaez'],
  decompress: ['files'],
};

export function defaultFormat(operation: OperationName): FormatName {
  return WRITTEN[operation][0]!;
}

/** @throws VaeError ERR_VAE_OPTION for a format that the operation does not write. */
export function checkFormat(operation: OperationName, format: FormatName): void {
  const known = WRITTEN[operation];
  if (known.includes(format)) return;
  throw new VaeError('ERR_VAE_OPTION', `${operation} writes ${known.join(', ')}; received the format "${format}".`);
}
