/** What a service allows, from options or from the environment. */
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';

const milliseconds = z.number().min(0).max(3_600_000);

const serviceSchema = z.strictObject({
  /** Bytes of a request's body. Default 8 MiB. */
  maxBodyBytes: z
    .int()
    .positive()
    .default(8 * 2 ** 20),
  /** Bytes that decoding one picture may hold, and all that are decoded at once. Default: as readImages() has it. */
  maxDecodeBytes: z.int().positive().optional(),
  /** Rows of one request, of numbers or of a sample. Default 256. */
  maxRows: z.int().positive().default(256),
  /** Rows of one run. Default 64. */
  maxBatch: z.int().positive().default(64),
  /** Rows that may wait; more are answered 503. Default 1024. */
  maxQueue: z.int().positive().default(1024),
  /** Connections at once; more are closed. Default 4096. */
  maxConnections: z.int().positive().default(4096),
  /** A request has to be there whole, and its answer read, within this time. Default 30,000 ms. */
  requestTimeoutMs: milliseconds.default(30_000),
  /** The head of a request has to be there within this time. Default 10,000 ms. */
  headersTimeoutMs: milliseconds.default(10_000),
  /** A connection without a request is closed after this time. Default 5,000 ms. */
  keepAliveTimeoutMs: milliseconds.default(5_000),
  /** From SIGTERM on, /ready says no for this long before connections are refused. Default 0 ms. */
  drainMs: milliseconds.default(0),
  /** From then on, requests under way have this long; their connections are then closed. Default 10,000 ms. */
  shutdownMs: milliseconds.default(10_000),
  /** A folder whose archives (*.vaez) may be read. Default: none. */
  archives: z.string().min(1).optional(),
  /** What is logged, by pino. Default `info`. */
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

export interface ServiceOptions extends InputOf<typeof serviceSchema> {}
export type Settings = z.output<typeof serviceSchema>;

/** @throws VaeError ERR_VAE_OPTION. */
export function settingsOf(options: ServiceOptions): Settings {
  return parseOptions(serviceSchema, options, 'createService()');
}

/** Variables of the environment and the option that each sets. */
const VARIABLES: Readonly<Record<string, keyof ServiceOptions>> = {
  NODE_VAE_MAX_BODY_BYTES: 'maxBodyBytes',
  NODE_VAE_MAX_DECODE_BYTES: 'maxDecodeBytes',
  NODE_VAE_MAX_ROWS: 'maxRows',
  NODE_VAE_MAX_BATCH: 'maxBatch',
  NODE_VAE_MAX_QUEUE: 'maxQueue',
  NODE_VAE_MAX_CONNECTIONS: 'maxConnections',
  NODE_VAE_REQUEST_TIMEOUT_MS: 'requestTimeoutMs',
  NODE_VAE_HEADERS_TIMEOUT_MS: 'headersTimeoutMs',
  NODE_VAE_KEEP_ALIVE_TIMEOUT_MS: 'keepAliveTimeoutMs',
  NODE_VAE_DRAIN_MS: 'drainMs',
  NODE_VAE_SHUTDOWN_MS: 'shutdownMs',
  NODE_VAE_ARCHIVES: 'archives',
  NODE_VAE_LOG_LEVEL: 'logLevel',
};

/** Options as the environment has them: what `node-vae serve` starts from. */
export function serviceOptionsFrom(env: NodeJS.ProcessEnv = process.env): ServiceOptions {
  const found: Record<string, string | number> = {};
  for (const [variable, option] of Object.entries(VARIABLES)) {
    const text = env[variable];
    if (text === undefined || text === '') continue;
    const isText = option === 'archives' || option === 'logLevel';
    const value = isText ? text : Number(text);
    const checked = serviceSchema.shape[option].safeParse(value);
    if (!checked.success) {
      const why = checked.error.issues[0]?.message ?? 'not allowed';
      throw new VaeError('ERR_VAE_OPTION', `The environment variable ${variable} is "${text}": ${why}.`);
    }
    found[option] = value;
  }
  return found as ServiceOptions;
}
