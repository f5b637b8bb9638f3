/**
 * A model as an HTTP service: what `node-vae serve` runs, and something to start from.
 *
 * @module node-vae/service
 */
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Tensor } from 'onnxruntime-common';
import { isVaeError, VaeError, type VaeErrorCode } from '../../core/errors.js';
import type { TensorLike } from '../../core/tensor.js';
import type { Batcher } from '../../inference/serving/batcher.js';
import type { Vae } from '../../vae/index.js';
import { Archives } from './archives.js';
import { makeObserver } from './observe.js';
import { openApiOf } from './openapi.js';
import { loadFastify } from './optional.js';
import { PICTURE_TYPES, PictureRows } from './pictures.js';
import { type Context, PICTURE_LIST, ROUTES, type Route } from './routes.js';
import { type ServiceOptions, settingsOf } from './settings.js';

export { type ServiceOptions, serviceOptionsFrom } from './settings.js';

export interface Service extends AsyncDisposable {
  /** The server, for routes and hooks of your own; add them before listen(). */
  readonly app: FastifyInstance;
  /** Gathers requests into batches, for routes of your own. */
  readonly batcher: Batcher;
  /**
   * Pictures for the model as its routes read and write them: the bytes of a file, whatever it is called, to a row [1, ...data],
   * and the first row of what the model gives to a PNG. Undefined for models of other data.
   */
  readonly pictures:
    | {
        /** @throws VaeError ERR_VAE_FORMAT, which is answered 415, for what is no picture that the service takes. */
        read(body: unknown, signal?: AbortSignal): Promise<TensorLike>;
        write(tensor: Tensor): Promise<Uint8Array>;
      }
    | undefined;
  /** Warms the model up and takes requests; the address, such as `http://127.0.0.1:3000`. */
  listen(address: { readonly port: number; readonly host?: string }): Promise<string>;
  /**
   * /ready says no; after `drainMs` no connection is taken any more, and requests under way are answered; after
   * `shutdownMs` what is left is cut off. The model stays open. Idempotent.
   */
  close(): Promise<void>;
}

/** The status that goes with an error. */
const STATUS: Partial<Record<VaeErrorCode, number>> = {
  ERR_VAE_BUSY: 503,
  ERR_VAE_DISPOSED: 503,
  ERR_VAE_DATA: 422,
  ERR_VAE_SHAPE: 422,
  ERR_VAE_OPTION: 422,
  ERR_VAE_FORMAT: 415,
  ERR_VAE_IO: 404,
};

/**
 * Makes the service of a model; it begins with listen(). Bodies are pictures (PNG, JPEG, WebP, AVIF, TIFF, GIF) and rows
 * of numbers in JSON, nothing else: no text of a client becomes a path.
 *
 * @param options limits; see serviceOptionsFrom() for those of the environment.
 * @throws VaeError ERR_VAE_OPTION, also where the package fastify is not installed.
 */
export async function createService(vae: Vae, options: ServiceOptions = {}): Promise<Service> {
  const settings = settingsOf(options);
  const { fastify, LogController } = await loadFastify();
  const batches: { told?: (operation: string, rows: number) => void } = {};
  const batcher = vae.batcher({
    maxBatch: settings.maxBatch,
    maxQueue: settings.maxQueue,
    onBatch: (operation, rows) => batches.told?.(operation, rows),
  });
  const observer = await makeObserver(vae.info.architecture.type, () => batcher.waiting);
  batches.told = observer.batch;
  const archives = settings.archives === undefined ? undefined : new Archives(settings.archives);
  const pictures = PictureRows.of(vae, settings.maxDecodeBytes);
  const context: Context = { vae, batcher, pictures, archives, observer, settings };

  const app = fastify({
    logger: settings.logLevel === 'silent' ? false : { level: settings.logLevel },
    // Of releases before 5.8, by its older name.
    ...(LogController
      ? { logController: new LogController({ disableRequestLogging: true }) }
      : { disableRequestLogging: true }),
    bodyLimit: settings.maxBodyBytes,
    requestTimeout: settings.requestTimeoutMs,
    connectionTimeout: settings.requestTimeoutMs,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    http: {
      headersTimeout: Math.min(settings.headersTimeoutMs, settings.requestTimeoutMs),
      connectionsCheckingInterval: Math.max(100, Math.min(1000, settings.headersTimeoutMs / 4)),
    },
  }) as unknown as FastifyInstance;
  app.server.maxConnections = settings.maxConnections;

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(Object.keys(PICTURE_TYPES), { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => {
    try {
      done(null, JSON.parse(body as string));
    } catch {
      done(Object.assign(new Error('The body is no JSON.'), { statusCode: 400 }));
    }
  });

  let ready = false;
  let closing = false;
  app.addHook('onRequest', async (request) => {
    begun.set(request, performance.now());
  });
  app.addHook('onSend', async (_, reply) => {
    // A client that keeps its connection is told to let go of it.
    if (closing) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const seconds = (performance.now() - (begun.get(request) ?? 0)) / 1000;
    const route = request.routeOptions.url ?? 'unknown';
    observer.answered(route, reply.statusCode, seconds);
    request.log.debug({ route, status: reply.statusCode, seconds }, 'answered');
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const known = isVaeError(error) ? STATUS[error.code] : error.statusCode;
    const status = known ?? 500;
    if (status >= 500 && status !== 503) request.log.error(error);
    if (status === 503) reply.header('retry-after', '1');
    const { code } = error as { code?: string };
    const message = status === 500 ? 'Internal error.' : error.message;
    return reply.code(status).send({ error: message, ...(status < 500 && code !== undefined && { code }) });
  });

  const routes = ROUTES.filter(({ needs }) => needs !== 'archives' || archives !== undefined);
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => handle(route, context, request, reply),
    });
  }
  app.get('/health', async () => ({ status: 'ok', waiting: batcher.waiting }));
  app.get('/ready', async (_, reply) => {
    reply.code(ready ? 200 : 503);
    return { ready };
  });
  app.get('/openapi.json', async () => openApiOf(routes, vae));
  app.get('/metrics', async (_, reply) => {
    const metrics = await observer.metrics();
    if (metrics !== undefined) return reply.type(metrics.type).send(metrics.text);
    return reply.code(501).send({ error: 'Metrics need the package prom-client: npm install prom-client' });
  });

  let closed: Promise<void> | undefined;
  async function finish(): Promise<void> {
    ready = false;
    await sleep(settings.drainMs);
    closing = true;
    const deadline = setTimeout(() => app.server.closeAllConnections(), settings.shutdownMs);
    try {
      await app.close();
    } finally {
      clearTimeout(deadline);
      await batcher.close();
      await archives?.close();
    }
  }
  const close = (): Promise<void> => {
    closed ??= finish();
    return closed;
  };
  return {
    app,
    batcher,
    pictures: pictures && {
      read: (body, signal) => observer.stage('read', () => pictures.readBody(body, signal)),
      write: (tensor) => observer.stage('write', () => pictures.write(tensor)),
    },
    async listen({ port, host = '127.0.0.1' }) {
      if (!vae.dataShape.includes(-1)) await vae.warmUp({ batchSizes: [1, settings.maxBatch] });
      const address = await app.listen({ port, host });
      ready = !closing;
      return address;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** When each request began. */
const begun = new WeakMap<FastifyRequest, number>();

async function handle(
  route: Route,
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  // Whoever hangs up is not computed for.
  const abort = new AbortController();
  const gone = () => {
    if (!reply.raw.writableFinished) abort.abort(new VaeError('ERR_VAE_DISPOSED', 'The client has gone.'));
  };
  reply.raw.once('close', gone);
  const answer = await route.answer(context, {
    body: request.body,
    query: request.query as Record<string, string | undefined>,
    params: request.params as Record<string, string>,
    wantsPicture: wantsPicture(route, request),
    signal: abort.signal,
  });
  if (answer.headers) reply.headers(answer.headers);
  return reply
    .type(answer.type)
    .send(
      answer.body instanceof Uint8Array
        ? Buffer.from(answer.body.buffer, answer.body.byteOffset, answer.body.byteLength)
        : answer.body,
    );
}

/** As Accept says; where that says nothing, in the kind that came. */
function wantsPicture({ gives }: Route, { headers }: FastifyRequest): boolean {
  if (!gives.includes('picture')) return false;
  const accept = headers.accept ?? '*/*';
  if (accept.includes('image/')) return true;
  if (accept.includes('json')) return false;
  return PICTURE_LIST.includes((headers['content-type'] ?? '').split(';')[0]!.trim());
}
