/** Which of several arrays or columns is the data. */
import { VaeError } from '../../../core/errors.js';
import { nearest } from '../../../core/options.js';
import { firstOf, NAMES, type RowFileOptions } from './row-file.js';

/** @throws VaeError ERR_VAE_DATA where it is not clear which is meant. */
export function choose(known: readonly string[], { array, latents }: RowFileOptions, where: string): string {
  if (array !== undefined) {
    if (known.includes(array)) return array;
    const near = nearest(array, known);
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: there is no array "${array}"${near ? `; did you mean "${near}"?` : '.'} It holds ${known.join(', ') || 'none'}.`,
    );
  }
  if (known.length === 1) return known[0]!;
  const found = firstOf(known, latents ? [...NAMES.latents, ...NAMES.data] : NAMES.data);
  if (found !== undefined) return found;
  throw new VaeError(
    'ERR_VAE_DATA',
    known.length === 0
      ? `${where}: holds no array of numbers.`
      : `${where}: holds ${known.join(', ')}; say which is the data: array: "${known[0]}" (--array ${known[0]}).`,
  );
}
