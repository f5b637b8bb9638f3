/** Serves a page and what it looks at, over HTTP and one socket. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import type { FastifyInstance } from 'fastify';
import type { WebSocket, WebSocketServer } from 'ws';
import { isVaeError, VaeError } from '../../core/errors.js';
import { decodeFrame, encodeFrame, type Frame } from './frames.js';
import { Guard } from './guard.js';
import { loadExplorerPackage } from './package.js';
import { readPage } from './page-files.js';
import type { Subject } from './subject.js';

/** Bytes of a file that is dropped on the page. */
const MOST_UPLOAD = 64 * 2 ** 20;
/** Bytes of a question over the socket. */
const MOST_QUESTION = 16 * 2 ** 20;
/** Questions of one page under way at once; more wait in the page. */
const MOST_AT_ONCE = 64;
const MOST_PAGES = 16;
const REQUEST_MS = 60_000;
const HEADERS_MS = 10_000;
/** Pages hear of changes this often at most. */
const TELL_MS = 100;

/** Nothing is loaded from elsewhere, and nobody may put the page in a frame. */
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

export interface ServerOptions {
  readonly subject: Subject;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface RunningServer {
  /** What to open, with the token where there is one. */
  readonly address: string;
  /** Cuts every connection. The subject stays. */
  close(): Promise<void>;
}

export async function serve({ subject, host, port }: ServerOptions): Promise<RunningServer> {
  const { fastify, WebSocketServer: Sockets, pageFolder } = await loadExplorerPackage();
  const guard = new Guard(host);
  const files = await readPage(pageFolder);
  const app = fastify({
    logger: false,
    bodyLimit: MOST_UPLOAD,
    requestTimeout: REQUEST_MS,
    connectionTimeout: REQUEST_MS,
    forceCloseConnections: true,
    http: { headersTimeout: HEADERS_MS },
  }) as unknown as FastifyInstance;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    const page = request.method === 'GET' && request.url.split('?')[0] === '/';
    const refusal = guard.check(request.raw, page ? 'page' : 'data');
    if (refusal) return reply.code(refusal.status).send({ error: refusal.message });
    if (page && guard.cookie) reply.header('set-cookie', guard.cookie);
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _, reply) => {
    const status = isVaeError(error) ? (error.code === 'ERR_VAE_BUSY' ? 503 : 422) : (error.statusCode ?? 500);
    return reply.code(status).send({ error: status === 500 ? 'Internal error.' : error.message });
  });
  for (const [path, { type, bytes }] of files) {
    app.get(path, async (_, reply) => reply.type(type).send(bytes));
  }
  app.get('/api/state', async () => subject.state());
  app.get<{ Params: { name: string } }>('/api/part/:name', async ({ params }, reply) => {
    const part = subject.part(params.name);
    // Not there yet, or not at all.
    if (part === undefined) return reply.code(204).send();
    return reply.type('application/octet-stream').send(Buffer.from(encodeFrame(part).buffer));
  });
  app.post<{ Querystring: { name?: string } }>('/api/read', async (request, reply) => {
    const { body, query } = request;
    if (subject.upload === undefined || !(body instanceof Uint8Array))
      throw new VaeError('ERR_VAE_OPTION', 'There is no model here that reads files.');
    const abort = new AbortController();
    reply.raw.once('close', () => abort.abort(new VaeError('ERR_VAE_DISPOSED', 'The page has gone.')));
    const name = (query.name ?? 'file').replace(/[\p{Cc}/\\]/gu, '_').slice(0, 200);
    const frame = await subject.upload(name, body, abort.signal);
    return reply.type('application/octet-stream').send(Buffer.from(encodeFrame(frame).buffer));
  });

  const sockets = new Sockets({ noServer: true, maxPayload: MOST_QUESTION, perMessageDeflate: false });
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = guard.check(request, 'socket');
    const wrong = request.url?.split('?')[0] !== '/api/socket' || sockets.clients.size >= MOST_PAGES;
    if (refusal || wrong) {
      socket.end(`HTTP/1.1 ${refusal?.status ?? 404} Refused\r\nConnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (page) => attend(page, subject, sockets));
  });
  app.server.maxConnections = 256;
  const listening = await app.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    throw new VaeError(
      'ERR_VAE_IO',
      `The explorer cannot listen on ${host}, port ${port}: ${error.message}. Choose another with --port.`,
      { cause: error },
    );
  });
  const used = new URL(listening).port;
  const shown = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  const at = `http://${shown.includes(':') ? `[${shown}]` : shown}:${used}/`;
  return {
    address: guard.token ? `${at}?token=${guard.token}` : at,
    close: async () => {
      for (const page of sockets.clients) page.terminate();
      sockets.close();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

/** One page: tells it of changes, and answers its questions, each of which it may take back. */
function attend(page: WebSocket, subject: Subject, sockets: WebSocketServer): void {
  const under = new Map<number, AbortController>();
  const send = (frame: Frame): void => {
    if (page.readyState === page.OPEN) page.send(encodeFrame(frame));
  };
  let timer: NodeJS.Timeout | undefined;
  const told = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      send({ header: { event: 'state', state: subject.state() }, arrays: {} });
    }, TELL_MS);
  };
  const leave = subject.subscribe(told);
  subject.watched?.(sockets.clients.size);
  told();
  page.on('message', (data: Buffer, isBinary: boolean) => {
    let frame: Frame;
    try {
      if (!isBinary) throw new RangeError('Questions are binary.');
      frame = decodeFrame(data);
    } catch {
      page.close(1003, 'not a question');
      return;
    }
    const { id, op } = frame.header as { id?: unknown; op?: unknown };
    if (typeof id !== 'number' || typeof op !== 'string') return page.close(1003, 'not a question');
    if (op === 'cancel') {
      under.get(id)?.abort(new VaeError('ERR_VAE_DISPOSED', 'Taken back.'));
      return;
    }
    if (under.size >= MOST_AT_ONCE) {
      send({ header: { id, error: 'Too many questions at once.' }, arrays: {} });
      return;
    }
    const abort = new AbortController();
    under.set(id, abort);
    void answer(subject, op, frame, abort.signal)
      .then(({ header, arrays }) => send({ header: { ...header, id }, arrays }))
      .catch((error: Error) => send({ header: { id, error: error.message }, arrays: {} }))
      .finally(() => under.delete(id));
  });
  page.on('error', () => page.terminate());
  page.on('close', () => {
    clearTimeout(timer);
    leave();
    for (const abort of under.values()) abort.abort(new VaeError('ERR_VAE_DISPOSED', 'The page has gone.'));
    subject.watched?.(sockets.clients.size);
  });
}

async function answer(subject: Subject, op: string, { header, arrays }: Frame, signal: AbortSignal): Promise<Frame> {
  return subject.answer({ op, header, arrays, signal });
}
