// A service that takes a picture and answers with its latent, its reconstruction and its anomaly score.
//   node examples/http-service.mjs --model my-model --normal pictures.npy [--port 3000]
//   curl --data-binary @digit.png -H 'content-type: image/png' http://127.0.0.1:3000/pictures
// Concurrent requests are gathered into batches; when too many wait, more are turned away with 503.
import { parseArgs } from 'node:util';
import Fastify from 'fastify';
import { AnomalyDetector, readNpy, Vae } from 'node-vae';
import { decodePictureBytes, writePicture } from './lib/pictures.mjs';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    // Examples without anomalies: the threshold is the 99 % quantile of their scores.
    normal: { type: 'string' },
    port: { type: 'string', default: '3000' },
    host: { type: 'string', default: '127.0.0.1' },
    'max-queue': { type: 'string', default: '256' },
  },
});
if (flags.model === undefined || flags.normal === undefined) throw new Error('--model and --normal are needed');

const vae = await Vae.load(flags.model);
await vae.warmUp({ batchSizes: [1, 64] });
const detector = await AnomalyDetector.fit(vae, await readNpy(flags.normal), { quantile: 0.99 });
const batcher = vae.batcher({ maxBatch: 64, maxQueue: Number(flags['max-queue']) });
let closing = false;

// A client that is silent or slow does not hold its connection for ever, and shutting down has a deadline.
const REQUEST_MS = Number(process.env.REQUEST_MS ?? 30_000);
const SHUTDOWN_MS = Number(process.env.SHUTDOWN_MS ?? 10_000);
const PICTURES = /^image\/(png|jpeg|webp|tiff|gif|avif)$/;

const app = Fastify({
  bodyLimit: 20 * 1024 * 1024,
  forceCloseConnections: 'idle',
  requestTimeout: REQUEST_MS,
  connectionTimeout: REQUEST_MS,
  keepAliveTimeout: 5_000,
  http: { headersTimeout: Math.min(10_000, REQUEST_MS), connectionsCheckingInterval: 1_000 },
});
// Bodies are bytes and nothing else: text or JSON of a client must not become a path or an instruction.
app.removeAllContentTypeParsers();
app.addContentTypeParser(PICTURES, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

// While closing, a client that keeps its connection is told to let go of it.
app.addHook('onSend', async (_request, reply) => {
  if (closing) reply.header('connection', 'close');
});

app.get('/health', (_request, reply) => {
  reply.code(closing ? 503 : 200).send({ status: closing ? 'closing' : 'ok', waiting: batcher.waiting });
});

app.post('/pictures', async (request, reply) => {
  // Whoever hangs up is not computed for.
  const abort = new AbortController();
  request.raw.on('aborted', () => abort.abort());
  const { signal } = abort;
  let picture;
  try {
    picture = await decodePictureBytes(request.body, vae.dataShape);
  } catch {
    return reply.code(415).send({ error: 'Send a picture as PNG, JPEG, WebP or TIFF, with its content type.' });
  }
  const { mean, logVariance } = await batcher.encode(picture, { signal });
  const [reconstruction, { scores, anomalous }] = await Promise.all([
    batcher.decode(mean, { signal }),
    detector.score(picture, { signal }),
  ]);
  const png = await writePicture(reconstruction.data, vae.dataShape);
  return {
    latent: { mean: Array.from(mean.data), logVariance: Array.from(logVariance.data) },
    reconstruction: `data:image/png;base64,${png.toString('base64')}`,
    anomaly: { score: scores[0], threshold: detector.threshold, anomalous: anomalous[0] },
  };
});

app.setErrorHandler((error, _request, reply) => {
  if (error.code === 'ERR_VAE_BUSY')
    return reply.code(503).header('retry-after', '1').send({ error: 'Busy; try again.' });
  if (error.code === 'ERR_VAE_DATA' || error.code === 'ERR_VAE_SHAPE')
    return reply.code(422).send({ error: error.message });
  return reply.code(error.statusCode ?? 500).send({ error: error.statusCode ? error.message : 'Internal error.' });
});

// Not ready first, so that no more clients are sent here; requests under way are answered; what is not answered by the
// deadline is cut off. Then everything is let go in the order it was made.
async function close() {
  if (closing) return;
  closing = true;
  const deadline = setTimeout(() => app.server.closeAllConnections(), SHUTDOWN_MS);
  await app.close();
  clearTimeout(deadline);
  await batcher.close();
  await vae.close();
}
process.once('SIGTERM', close);
process.once('SIGINT', close);

console.log(`listening on ${await app.listen({ port: Number(flags.port), host: flags.host })}`);
