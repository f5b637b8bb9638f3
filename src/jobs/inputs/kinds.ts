/** Which files a job takes, by their endings, and what they are to it. */
import { SOUNDS } from '../../data/audio/open.js';
import { PICTURES } from '../../data/image/formats.js';
import { VIDEOS } from '../../data/video/open.js';
import type { OperationName } from '../job.js';
import { ROW_ENDINGS } from './rows/index.js';

/** What an input file is: items itself, rows, samples, or nothing that the operation takes. */
export type InputKind = 'file' | 'rows' | 'samples' | 'other';

const TEXT_TABLES = ['.csv', '.tsv', '.csv.gz', '.tsv.gz'];
const FILES = [...PICTURES.endings, ...SOUNDS.endings, ...VIDEOS.endings, ...TEXT_TABLES];
/** As MNIST has them: train-images-idx3-ubyte. */
const IDX_NAME = /idx\d-ubyte(\.gz)?$/i;

/** @returns what a file in a folder is to an operation, by its name. */
export function kindOfInput(name: string, operation: OperationName): InputKind {
  const lower = name.toLowerCase();
  const ends = (endings: readonly string[]): boolean => endings.some((ending) => lower.endsWith(ending));
  if (operation === 'compress') return 'file';
  if (operation === 'decompress') return ends(['.vaez']) ? 'file' : 'other';
  if (lower.endsWith('.tar')) return 'samples';
  if (ends(ROW_ENDINGS) || IDX_NAME.test(lower)) return 'rows';
  if (operation === 'decode') return 'other';
  return ends(FILES) ? 'file' : 'other';
}

/** What an operation takes, for messages. */
export function takenBy(operation: OperationName): string {
  if (operation === 'compress') return 'files of every kind';
  if (operation === 'decompress') return 'archives (.vaez)';
  const arrays = `arrays and tables (${ROW_ENDINGS.join(' ')}), IDX files and WebDataset archives (.tar)`;
  return operation === 'decode' ? arrays : `pictures, sound, video, ${arrays}`;
}
