/**
 * Does work on several numbered pieces at once and hands the results over in order. No more than
 * `width` pieces are in memory.
 */
export async function inOrder<T>(
  count: number,
  width: number,
  work: (index: number) => Promise<T>,
  take: (result: T, index: number) => Promise<void>,
): Promise<void> {
  const running: Promise<T>[] = [];
  try {
    for (let index = 0; index < count + width; index += 1) {
      if (index >= width && index - width < count) await take(await running.shift()!, index - width);
      if (index < count) {
        const piece = work(index);
        piece.catch(() => {}); // awaited later; until then not unhandled
        running.push(piece);
      }
    }
  } finally {
    await Promise.allSettled(running);
  }
}
