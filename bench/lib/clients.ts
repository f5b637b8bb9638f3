/** Concurrent clients, each with one request in flight. */
import { quantile } from './stats.js';

export interface ClientRound {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** All clients send their next request when the last is answered, for so long. */
export async function clientRound(
  clients: number,
  durationMs: number,
  request: (client: number) => Promise<unknown>,
): Promise<ClientRound> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + durationMs;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let now = performance.now(); now < end; ) {
        await request(client);
        const after = performance.now();
        latencies.push(after - now);
        now = after;
      }
    }),
  );
  return {
    perSecond: latencies.length / ((performance.now() - start) / 1000),
    p99Ms: quantile(latencies, 0.99),
  };
}
