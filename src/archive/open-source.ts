import { type ByteSource, fileSource, memorySource } from './bytes.js';
import { COMPACT_MAGIC_BYTES, expandCompact, isCompact, MOST_COMPACT_BYTES } from './compact.js';
import { damaged } from './format.js';

/** An archive's bytes; those that a compact one stands for. */
export async function openSource(input: string | Uint8Array): Promise<ByteSource> {
  const source = typeof input === 'string' ? await fileSource(input) : memorySource(input);
  try {
    const start = await source.read(0, Math.min(COMPACT_MAGIC_BYTES, source.length));
    if (!isCompact(start)) return source;
    // Names may be many times the items; nothing honest is beyond this.
    if (source.length > 64 * MOST_COMPACT_BYTES) throw damaged('it is too long for its form');
    const expanded = await expandCompact(await source.read(0, source.length));
    await source.close();
    return memorySource(expanded);
  } catch (error) {
    await source.close();
    throw error;
  }
}
