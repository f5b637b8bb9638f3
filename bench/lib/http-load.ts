/** Clients of an HTTP service: connections that are kept, each with its next request when it has the last answer. */
import { connect, type Socket } from 'node:net';

export interface HttpRound {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers other than 200. */
  readonly refused: number;
}

/** One request, whole. */
export function requestOf(path: string, type: string, body: Uint8Array): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

export async function httpRound(
  port: number,
  connections: number,
  milliseconds: number,
  requests: readonly Buffer[],
): Promise<HttpRound> {
  const latencies: number[] = [];
  let refused = 0;
  const from = performance.now();
  const end = from + milliseconds;
  await Promise.all(
    Array.from({ length: connections }, async (_, client) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      try {
        for (let next = client; performance.now() < end; next += connections) {
          const sent = performance.now();
          socket.write(requests[next % requests.length]!);
          if ((await answer(socket)) !== 200) refused += 1;
          latencies.push(performance.now() - sent);
        }
      } finally {
        socket.destroy();
      }
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: (latencies.length - refused) / seconds,
    p50Ms: latencies[latencies.length >> 1]!,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)]!,
    refused,
  };
}

/** The status of the answer, once it is there whole. */
function answer(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const done = (act: () => void) => {
      socket.off('data', onData).off('error', onError).off('close', onClose);
      act();
    };
    const onError = (error: Error) => done(() => reject(error));
    const onClose = () => done(() => reject(new Error('the connection was closed before the answer')));
    const onData = (piece: Buffer) => {
      received = received.length === 0 ? piece : Buffer.concat([received, piece]);
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const text = received.toString('latin1', 0, head);
      const length = Number(/content-length: *(\d+)/i.exec(text)?.[1]);
      if (received.length >= head + 4 + length) done(() => resolve(Number(text.slice(9, 12))));
    };
    socket.on('data', onData).on('error', onError).on('close', onClose);
  });
}
