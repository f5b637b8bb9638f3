/** Items to be compressed, chunk after chunk, without holding all of them. */

import type { ChunkItems } from '../../archive/chunk.js';
import { VaeError } from '../../core/errors.js';
import type { IMAGES, SourceKind } from './header.js';

export interface ItemSource {
  readonly kind: Exclude<SourceKind, typeof IMAGES>;
  /** File name for what comes out again. */
  readonly name?: string;
  /** Shape of a row as its file has it: [28, 28] where the model says [1, 28, 28]. */
  readonly rowShape: readonly number[];
  readonly count: number;
  readonly byteLength: number;
  /** Items from..from+count, [count, ...rowShape]. */
  read(from: number, count: number, signal?: AbortSignal): Promise<ChunkItems>;
  /** @throws VaeError ERR_VAE_IO where what was read has changed meanwhile. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
}

/** @throws VaeError ERR_VAE_SHAPE unless rows and items are the same but for axes of length 1. */
export function checkFits(rowShape: readonly number[], itemShape: readonly number[], where: string): void {
  const plain = (shape: readonly number[]) => shape.filter((dim) => dim !== 1).join(', ');
  if (plain(rowShape) === plain(itemShape)) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: its items have shape [${rowShape.join(', ')}], the model is for [${itemShape.join(', ')}]. ` +
      'Use a model that was trained on such items.',
  );
}
