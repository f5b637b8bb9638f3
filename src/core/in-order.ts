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

/** Work on what comes, several at once, given in order. */
export async function* inflight<T, R>(
  source: AsyncIterable<T>,
  work: (one: T) => Promise<R>,
  width: number,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  try {
    for await (const one of source) {
      const result = work(one);
      result.catch(() => {}); // awaited later; until then not unhandled
      running.push(result);
      if (running.length >= width) yield await running.shift()!;
    }
    while (running.length > 0) yield await running.shift()!;
  } finally {
    await Promise.allSettled(running);
  }
}
