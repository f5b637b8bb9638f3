/** Items to be compressed, chunk after chunk, without holding all of them. */

import type { ChunkItems, EncodedRecord } from '../../archive/chunk.js';
import type { SourceKind } from '../../archive/format.js';
import { VaeError } from '../../core/errors.js';
import type { Codec } from './codec.js';

export interface ItemSource {
  readonly kind: SourceKind;
  /** File name for what comes out again; absent for images. */
  readonly name?: string;
  /** Shape of a row as its file has it: [28, 28] where the model says [1, 28, 28]. */
  readonly rowShape: readonly number[];
  readonly count: number;
  readonly byteLength: number;
  /** Items from..from+count, [count, ...rowShape]. */
  read(from: number, count: number, signal?: AbortSignal): Promise<ChunkItems>;
  close(): Promise<void>;
}

/** Sound files: their items are of different lengths, and each is a chunk. */
export interface SoundSource extends Omit<ItemSource, 'kind' | 'name'> {
  readonly kind: 'sounds';
  /** The sound files; `count` is that of their parts. */
  readonly files: number;
  encode(
    codec: Codec,
    index: number,
    chunk: ChunkItems,
    options: { readonly verify: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<EncodedRecord>;
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
