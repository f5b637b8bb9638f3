/** Spans of OpenTelemetry, with its own SDK. */
import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createService, type Service } from '../../src/entries/service/index.js';
import { Vae } from '../../src/index.js';

const exporter = new InMemorySpanExporter();
let vae: Vae;
let service: Service;
let url: string;

beforeAll(async () => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  vae = await Vae.load('mnist-mlp');
  service = await createService(vae, { logLevel: 'silent', shutdownMs: 500 });
  url = await service.listen({ port: 0 });
}, 60_000);
afterAll(async () => {
  await service?.close();
  await vae?.close();
  trace.disable();
});

const post = (path: string, rows: unknown) =>
  fetch(url + path, { method: 'POST', body: JSON.stringify(rows), headers: { 'content-type': 'application/json' } });
const spans = () => exporter.getFinishedSpans().map(({ name, status, attributes }) => ({ name, status, attributes }));

it('encode, decode and score are spans, with the model', async () => {
  exporter.reset();
  const row = [new Array(784).fill(0.25)];
  expect((await post('/encode', row)).status).toBe(200);
  expect((await post('/decode', [new Array(20).fill(0.5)])).status).toBe(200);
  expect((await post('/score', row)).status).toBe(200);
  const names = spans().map(({ name }) => name);
  for (const name of ['node-vae encode', 'node-vae decode', 'node-vae score']) expect(names).toContain(name);
  for (const { attributes } of spans()) expect(attributes).toMatchObject({ 'node_vae.model': 'mlp' });
});

it('what fails is a span with its error', async () => {
  exporter.reset();
  expect((await post('/encode', [new Array(784).fill(7)])).status).toBe(422);
  const failed = exporter.getFinishedSpans().filter(({ status }) => status.code === 2);
  expect(failed.length).toBeGreaterThan(0);
  expect(failed[0]!.events[0]).toMatchObject({ name: 'exception' });
});
