import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;

/** 99th percentile of the event loop's delay, in milliseconds, while calls follow one another. */
export async function eventLoopDelay(durationMs: number, call: () => Promise<unknown>): Promise<number> {
  for (let warm = 0; warm < 5; warm += 1) await call();
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  for (const end = performance.now() + durationMs; performance.now() < end; ) {
    await call();
    // Work that resolves at once would never let the loop turn.
    await new Promise(setImmediate);
  }
  histogram.disable();
  // The histogram holds intervals between ticks, the tick's own length included.
  return Math.max(0, histogram.percentile(99) / 1e6 - RESOLUTION_MS);
}
