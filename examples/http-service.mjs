// A service that takes a picture and answers with its latent, its reconstruction and its anomaly score.
//   node examples/http-service.mjs --model my-model --normal pictures.npy [--port 3000]
//   curl --data-binary @digit.png -H 'content-type: image/png' http://127.0.0.1:3000/pictures
// Concurrent requests are gathered into batches; when too many wait, more are turned away with 503.
import { parseArgs } from 'node:util';
import Fastify from 'fastify';
import { AnomalyDetector, readNpy, Vae } from 'node-vae';
import { readPicture, writePicture } from './lib/pictures.mjs';

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

const app = Fastify({ bodyLimit: 20 * 1024 * 1024, forceCloseConnections: 'idle' });
app.addContentTypeParser(/^image\//, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

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
    picture = await readPicture(request.body, vae.dataShape);
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

// Requests under way are answered, then everything is let go in the order it was made.
async function close() {
  if (closing) return;
  closing = true;
  await app.close();
  await batcher.close();
  await vae.close();
}
process.once('SIGTERM', close);
process.once('SIGINT', close);

console.log(`listening on ${await app.listen({ port: Number(flags.port), host: flags.host })}`);
