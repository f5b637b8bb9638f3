/** An array, from a file or in memory, as units of work. */
import { checksumOf } from '../../archive/chunk.js';
import type { Unit } from '../../archive/pack.js';
import { digestOf, type Expected } from '../../archive/verify.js';
import { arrayHeader } from './array-file.js';
import { encodeChunk, encodeItemNames } from './chunk.js';
import type { Codec } from './codec.js';
import type { ItemSource } from './item-source.js';

/** What comes before the items in an array's file, and where items begin that are added to an archive. */
export interface ArrayPlace {
  readonly start: Uint8Array;
  /** Items that are in the archive already. */
  readonly before: number;
  /** The name that the array comes out under. */
  readonly name: string;
}

export function arrayUnits(
  source: ItemSource,
  codec: Codec,
  chunkItems: number,
  { start, before, name }: ArrayPlace,
): Unit[] {
  const count = Math.ceil(source.count / chunkItems);
  return Array.from({ length: count }, (_, index) => {
    const from = index * chunkItems;
    const items = Math.min(chunkItems, source.count - from);
    return {
      items,
      async prepare(signal) {
        signal?.throwIfAborted();
        const chunk = await source.read(from, items, signal);
        const names = encodeItemNames(chunk.names);
        const atStart = before + from === 0;
        const expected: Expected = {
          part: {
            name,
            offset: atStart ? 0 : start.length + (before + from) * codec.itemSize,
            last: from + items === source.count,
          },
          digest: digestOf(atStart ? Buffer.concat([start, chunk.items]) : chunk.items),
        };
        return {
          ...{ kind: 'chunk', items, checksum: checksumOf(chunk.items, names), bytes: chunk.items.length },
          expected: [expected],
          content: () => ({ names, data: chunk.items }),
          encode: (signal_) => encodeChunk(codec, { ...chunk, count: items }, { verify: false, signal: signal_ }),
        };
      },
    };
  });
}

/** The bytes before the items. */
export function arrayStart({ kind, rowShape }: ItemSource, count: number): Uint8Array {
  return arrayHeader(kind === 'idx' ? 'idx' : 'npy', [count, ...rowShape]);
}
