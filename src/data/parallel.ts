/** Work on many items with a few at a time. */

/** Enough to keep the decoders' threads busy while others wait for the disk. */
const DECODERS = 8;

/**
 * Calls `work` for every item, at most `limit` at a time, and gives the results in order. The first
 * failure stops the rest and is thrown.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  limit = DECODERS,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index]!, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
