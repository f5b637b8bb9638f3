// The service that one writes first: Fastify, sharp for every picture, onnxruntime-node for every request.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import fastify from 'fastify';
import sharp from 'sharp';

const ort = createRequire(import.meta.url)('onnxruntime-node');
const [folder] = process.argv.slice(2);
const encoder = await ort.InferenceSession.create(join(folder, 'encoder.onnx'));
const decoder = await ort.InferenceSession.create(join(folder, 'decoder.onnx'));
const delay = monitorEventLoopDelay({ resolution: 1 });
const app = fastify();
app.removeAllContentTypeParsers();
app.addContentTypeParser('image/png', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/reconstruct', async (request, reply) => {
  const bytes = await sharp(request.body).resize(28, 28, { fit: 'fill' }).greyscale().raw().toBuffer();
  const input = new ort.Tensor(
    'float32',
    Float32Array.from(bytes, (byte) => byte / 255),
    [1, 1, 28, 28],
  );
  const { mean } = await encoder.run({ [encoder.inputNames[0]]: input });
  const outputs = await decoder.run({ [decoder.inputNames[0]]: mean });
  const values = outputs[decoder.outputNames[0]].data;
  const pixels = Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  const png = await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
    .png()
    .toBuffer();
  return reply.type('image/png').send(png);
});
app.get('/delay', async () => ({ p99Ms: delay.percentile(99) / 1e6 }));
delay.enable();
const address = await app.listen({ port: 0, host: '127.0.0.1' });
console.log(`listening on ${address}`);
process.once('SIGTERM', () => process.exit(0));
