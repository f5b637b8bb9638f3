/** What a service tells of itself: metrics by prom-client, spans by OpenTelemetry, each where it is installed. */
import { performance } from 'node:perf_hooks';
import { loadMetrics, loadTelemetry } from './optional.js';

export interface Observer {
  /** Times a part of a request, as a metric and as a span. */
  stage<T>(name: Stage, work: () => Promise<T>): Promise<T>;
  /** A request was answered. */
  answered(route: string, status: number, seconds: number): void;
  /** A batch of so many rows was run. */
  batch(operation: string, rows: number): void;
  /** Text in the format of Prometheus; undefined where prom-client is not installed. */
  metrics(): Promise<{ readonly type: string; readonly text: string } | undefined>;
}

export type Stage = 'read' | 'encode' | 'decode' | 'reconstruct' | 'sample' | 'score' | 'write';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export async function makeObserver(model: string, waiting: () => number): Promise<Observer> {
  const [prometheus, telemetry] = await Promise.all([loadMetrics(), loadTelemetry()]);
  const tracer = telemetry?.trace.getTracer('node-vae');
  if (prometheus === undefined) {
    return {
      stage: (name, work) => (tracer === undefined ? work() : traced(name, work)),
      answered() {},
      batch() {},
      metrics: async () => undefined,
    };
  }
  const register = new prometheus.Registry();
  register.setDefaultLabels({ model });
  // The delay of the event loop is told as the time from tick to tick, of which this is a part.
  prometheus.collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 1 });
  const registers = [register];
  const requests = new prometheus.Histogram({
    name: 'node_vae_request_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['route', 'status'],
    buckets: SECONDS,
    registers,
  });
  const stages = new prometheus.Histogram({
    name: 'node_vae_stage_seconds',
    help: 'Time of a part of a request; waiting in the queue is part of encode, decode and reconstruct.',
    labelNames: ['stage'],
    buckets: SECONDS,
    registers,
  });
  const batches = new prometheus.Histogram({
    name: 'node_vae_batch_rows',
    help: 'Rows that were run together.',
    labelNames: ['operation'],
    buckets: ROWS,
    registers,
  });
  new prometheus.Gauge({
    name: 'node_vae_waiting_rows',
    help: 'Rows that wait for a batch.',
    registers,
    collect() {
      this.set(waiting());
    },
  });

  async function timed<T>(name: Stage, work: () => Promise<T>): Promise<T> {
    const from = performance.now();
    try {
      return await work();
    } finally {
      stages.observe({ stage: name }, (performance.now() - from) / 1000);
    }
  }

  function traced<T>(name: Stage, work: () => Promise<T>): Promise<T> {
    return tracer!.startActiveSpan(`node-vae ${name}`, { attributes: { 'node_vae.model': model } }, async (span) => {
      try {
        return await work();
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: telemetry!.SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  }

  return {
    stage: (name, work) => timed(name, () => (tracer === undefined ? work() : traced(name, work))),
    answered: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
    batch: (operation, rows) => batches.observe({ operation }, rows),
    metrics: async () => ({ type: register.contentType, text: await register.metrics() }),
  };
}
