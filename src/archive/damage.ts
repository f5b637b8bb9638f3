/** What is said of chunks that do not decode. */

import type { DamagedChunk } from '../codecs/lossless/item-archive.js';
import { VaeError } from '../core/errors.js';

/** @throws VaeError ERR_VAE_FORMAT naming the chunks, unless they are to be passed over. */
export function refuseDamage(damaged: DamagedChunk[], { salvage }: { readonly salvage: boolean }): void {
  damaged.sort((a, b) => a.chunk - b.chunk);
  if (damaged.length === 0 || salvage) return;
  const list = damaged
    .slice(0, 20)
    .map(({ chunk, firstItem, items }) => `${chunk} (items ${firstItem} to ${firstItem + items - 1})`)
    .join(', ');
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${damaged.length} chunks of the archive are damaged: ${list}${damaged.length > 20 ? ', …' : ''}. ` +
      'The others decode; use salvage (--salvage) to unpack those.',
    { cause: damaged[0]?.reason },
  );
}
