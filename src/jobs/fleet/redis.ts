/** Redis, as BullMQ takes it: addresses, TLS, and what is asked before anything is put there. */
import { VaeError } from '../../core/errors.js';
import { importOptional } from '../../core/optional-package.js';

export type BullMq = typeof import('bullmq');

/** Begins every key. BullMQ keeps its own below it. */
export const PREFIX = 'node-vae';
const DEFAULT_PORT = 6379;
const PROBE_MS = 5000;

/** Files or bytes of certificates, as Node's tls takes them. */
export interface RedisTls {
  readonly ca?: string | Uint8Array | undefined;
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  readonly servername?: string | undefined;
}

export interface RedisAddress {
  /**
   * `redis://user:password@host:6379/0`, with TLS `rediss://…`; or an object as BullMQ's `connection` takes it: options of
   * ioredis, a cluster, sentinels.
   */
  readonly redis: string | object;
  readonly tls?: RedisTls | undefined;
}

/** What a queue is called in Redis: letters, digits, - and _. */
const QUEUE_NAME = /^[\w-]{1,64}$/;

/** The queues of a name: shards, and the jobs that they are of. */
export function queueNames(name: string): { readonly shards: string; readonly jobs: string } {
  if (!QUEUE_NAME.test(name)) {
    throw new VaeError('ERR_VAE_OPTION', 'A queue is called by 1 to 64 letters, digits, - and _.');
  }
  return { shards: `${name}-shards`, jobs: `${name}-jobs` };
}

/** @throws VaeError ERR_VAE_PACKAGE with the command that installs what is missing. */
export async function loadBullMq(): Promise<BullMq> {
  await importOptional('ioredis', 'A queue of jobs on Redis', () => import('ioredis'));
  return importOptional('bullmq', 'A queue of jobs on Redis', () => import('bullmq'));
}

/** Options of a connection that goes on trying. The address is never part of a message: it may hold a password. */
export function connectionOf({ redis, tls }: RedisAddress): object {
  const endless = { maxRetriesPerRequest: null, ...(tls && { tls: { ...tls } }) };
  if (typeof redis !== 'string') return isPlain(redis) ? { ...redis, ...endless } : redis;
  let url: URL;
  try {
    url = new URL(redis);
  } catch {
    throw wrongAddress();
  }
  const { protocol, hostname, port, username, password, pathname } = url;
  const db = pathname.length > 1 ? Number(pathname.slice(1)) : 0;
  if (!/^rediss?:$/.test(protocol) || hostname === '' || !Number.isInteger(db) || db < 0) throw wrongAddress();
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? DEFAULT_PORT : Number(port),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(db > 0 && { db }),
    ...(protocol === 'rediss:' && { tls: {} }),
    ...endless,
  };
}

function wrongAddress(): VaeError {
  return new VaeError(
    'ERR_VAE_OPTION',
    'The address of Redis should be redis://host:port, with a user redis://user:password@host:port/db, with TLS rediss://…',
  );
}

/** Host and port, for messages and logs. */
function shownAddress(connection: object): string {
  const { host = 'localhost', port = DEFAULT_PORT } = connection as { host?: string; port?: number };
  return `${host}:${port}`;
}

/**
 * Asks Redis whether it is there, before anything waits for it.
 *
 * @returns what should be said of how it is set up.
 * @throws VaeError ERR_VAE_IO where it does not answer, or refuses the user.
 */
export async function probe(connection: object): Promise<string[]> {
  if (!isPlain(connection)) return [];
  const { Redis } = await importOptional('ioredis', 'A queue of jobs on Redis', () => import('ioredis'));
  const client = new Redis({
    ...connection,
    ...{ lazyConnect: true, connectTimeout: PROBE_MS, maxRetriesPerRequest: 0, retryStrategy: () => null },
  });
  let reason: unknown;
  client.on('error', (error) => {
    reason ??= error;
  });
  try {
    await client.connect();
    await client.ping();
    // Some users may not ask; then nothing is said.
    const info = await client.info().catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    const persists = !/^aof_enabled:0/m.test(info);
    return [
      ...(policy !== undefined && policy !== 'noeviction'
        ? [
            `Redis drops keys when its memory is full (maxmemory-policy ${policy}): set it to noeviction, or shards get lost.`,
          ]
        : []),
      ...(persists
        ? []
        : [
            'Redis keeps nothing on disk (appendonly no): where it is restarted, submit the job again; nothing that is done is done twice.',
          ]),
    ];
  } catch (error) {
    const cause = (reason ?? error) as Error & { code?: string };
    const said = cause.message || cause.code || 'no answer';
    throw new VaeError('ERR_VAE_IO', `Redis at ${shownAddress(connection)} cannot be used: ${said}.`, { cause });
  } finally {
    client.disconnect();
  }
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}
