// Latents of rows over HTTP: a body of float32 numbers in, float32 numbers out. See examples/http-service.mjs for pictures.
//   curl --data-binary @row.f32 -H 'content-type: application/octet-stream' http://127.0.0.1:3000/encode > latent.f32
import Fastify from 'fastify';
import { loadModel } from 'node-vae/inference';

const model = await loadModel(process.env.MODEL ?? 'mnist-mlp');
await model.warmUp({ batchSizes: [1, 16] });
const batcher = model.batcher({ maxBatch: 64, maxQueue: 256 });
const size = model.dataShape.reduce((product, dim) => product * dim, 1);
let closing = false;

const app = Fastify({ bodyLimit: 4 * size, requestTimeout: 30_000, forceCloseConnections: true });
app.removeAllContentTypeParsers();
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

app.get('/health', (_request, reply) => reply.code(closing ? 503 : 200).send({ ready: !closing }));
app.post('/encode', async (request, reply) => {
  if (request.body?.length !== 4 * size) return reply.code(400).send({ error: `expected ${size} float32 numbers` });
  const row = new Float32Array(request.body.buffer.slice(request.body.byteOffset, request.body.byteOffset + 4 * size));
  try {
    const { mean } = await batcher.encode({ data: row, shape: [1, ...model.dataShape] });
    return reply
      .type('application/octet-stream')
      .send(Buffer.from(mean.data.buffer, mean.data.byteOffset, mean.data.byteLength));
  } catch (error) {
    if (error.code === 'ERR_VAE_BUSY') return reply.code(503).header('retry-after', '1').send({ error: 'busy' });
    if (error.code === 'ERR_VAE_DATA') return reply.code(400).send({ error: error.message });
    throw error;
  }
});

const stop = async () => {
  closing = true;
  setTimeout(() => process.exit(1), 10_000).unref();
  await app.close();
  await batcher.close();
  await model.close();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
await app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 3000) });
