/** Options that everything about a queue has. */
import { z } from 'zod';
import type { RedisTls } from './redis.js';

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

export const fleetShape = {
  /**
   * `redis://user:password@host:6379/0`, with TLS `rediss://…`; or an object as BullMQ's `connection` takes it: options of
   * ioredis, a cluster, sentinels.
   */
  redis: z.union([z.string().min(1), z.custom<object>(isObject)]),
  /** Certificates of a Redis with TLS. */
  tls: z.custom<RedisTls>(isObject).optional(),
  /** Which queue of that Redis. Default `default`. */
  queue: z.string().optional(),
  /** What BullMQ reports spans to: `new BullMQOtel({ tracerName: 'node-vae' })` of the package bullmq-otel. */
  telemetry: z.custom<object>(isObject).optional(),
};
