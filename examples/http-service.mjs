// A service that takes a picture and answers with its latent, its reconstruction and its anomaly score; besides, all that
// `node-vae serve` has: /encode, /reconstruct, /health, /ready, /metrics, limits by the environment (docs/guides/serving.md).
//   npm install fastify prom-client
//   node examples/http-service.mjs --model my-model --normal pictures.npy [--port 3000]
//   curl --data-binary @digit.png -H 'content-type: image/png' http://127.0.0.1:3000/pictures
// Concurrent requests are gathered into batches; when too many wait, more are turned away with 503.
import { parseArgs } from 'node:util';
import { AnomalyDetector, readNpy, Vae } from 'node-vae';
import { createService, serviceOptionsFrom } from 'node-vae/service';

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
const fitted = await AnomalyDetector.fit(vae, await readNpy(flags.normal), { quantile: 0.99 });
const service = await createService(vae, {
  logLevel: 'warn',
  ...serviceOptionsFrom(),
  maxQueue: Number(flags['max-queue']),
});
const { app, batcher, pictures } = service;
// Scores are made in batches too.
const detector = AnomalyDetector.from(batcher, fitted.toJSON());

app.post('/pictures', async (request, reply) => {
  // Whoever hangs up is not computed for.
  const abort = new AbortController();
  reply.raw.once('close', () => reply.raw.writableFinished || abort.abort());
  const { signal } = abort;
  const picture = await pictures.read(request.body, signal);
  const [{ mean, logVariance }, { scores, anomalous }] = await Promise.all([
    batcher.encode(picture, { signal }),
    detector.score(picture, { signal }),
  ]);
  const reconstruction = await batcher.decode(mean, { signal });
  const png = Buffer.from(await pictures.write(reconstruction));
  return {
    latent: { mean: Array.from(mean.data), logVariance: Array.from(logVariance.data) },
    reconstruction: `data:image/png;base64,${png.toString('base64')}`,
    anomaly: { score: scores[0], threshold: detector.threshold, anomalous: anomalous[0] },
  };
});

// Not ready first, so that no more clients are sent here; requests under way are answered; what is not answered by the
// deadline is cut off. Then everything is let go in the order it was made.
async function close() {
  await service.close();
  await vae.close();
}
process.once('SIGTERM', close);
process.once('SIGINT', close);

console.log(`listening on ${await service.listen({ port: Number(flags.port), host: flags.host })}`);
