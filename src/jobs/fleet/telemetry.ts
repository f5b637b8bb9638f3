import { importOptional } from '../../core/optional-package.js';

/**
 * Spans of queues and workers, as BullMQ makes them, for `telemetry`. The SDK of OpenTelemetry is set up by the program.
 *
 * @throws VaeError ERR_VAE_PACKAGE without bullmq-otel.
 */
export async function loadTelemetry(): Promise<object> {
  const { BullMQOtel } = await importOptional('bullmq-otel', 'OpenTelemetry of a queue', () => import('bullmq-otel'));
  return new BullMQOtel({ tracerName: 'node-vae' });
}
