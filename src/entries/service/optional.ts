/** Packages that only a service needs, found when installed. */
import { VaeError } from '../../core/errors.js';

type Fastify = Awaited<ReturnType<typeof importFastify>>;
type Metrics = typeof import('prom-client');
type Telemetry = typeof import('@opentelemetry/api');

/** @throws VaeError ERR_VAE_OPTION with the command that installs it. */
export async function loadFastify(): Promise<Fastify> {
  const found = await ifInstalled(importFastify);
  if (found !== undefined) return found;
  throw new VaeError('ERR_VAE_OPTION', 'A service needs the package fastify; install it with: npm install fastify');
}

export const loadMetrics = (): Promise<Metrics | undefined> => ifInstalled(() => import('prom-client'));

export const loadTelemetry = (): Promise<Telemetry | undefined> => ifInstalled(() => import('@opentelemetry/api'));

async function ifInstalled<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function importFastify() {
  return import('fastify');
}
