import { type ByteSource, fileSource, memorySource } from './bytes.js';
import {
  COMPACT_MAGIC_BYTES,
  type CompactKind,
  expandCompact,
  isCompact,
  type KnownModel,
  MOST_COMPACT_BYTES,
} from './compact.js';
import { damaged } from './format.js';

/** An archive's bytes; those that a compact one stands for. */
export async function openSource(input: string | Uint8Array, kinds: readonly CompactKind[]): Promise<ByteSource> {
  const source = typeof input === 'string' ? await fileSource(input) : memorySource(input);
  try {
    const expanded = await expandSource(source, kinds);
    if (expanded === undefined) return source;
    await source.close();
    return { ...memorySource(expanded), stored: source.length };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The whole archive that a compact one stands for; undefined for one that is whole. */
export async function expandSource(
  source: ByteSource,
  kinds: readonly CompactKind[],
  known?: KnownModel,
): Promise<Uint8Array | undefined> {
  const start = await source.read(0, Math.min(COMPACT_MAGIC_BYTES, source.length));
  if (!isCompact(start)) return undefined;
  // Names may be many times the items; nothing honest is beyond this.
  if (source.length > 64 * MOST_COMPACT_BYTES) throw damaged('it is too long for its form');
  return expandCompact(await source.read(0, source.length), kinds, known);
}
