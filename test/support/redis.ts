/** A real Redis of a test's own, on a free port of the loopback interface, with its own folder. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Debian: apt-get install redis-server. */
export const HAS_REDIS = spawnSync('redis-server', ['--version']).status === 0;
export const REDIS_MISSING = 'redis-server is not installed (Debian: apt-get install redis-server)';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Ends it, as a kill does. */
  stop(): Promise<void>;
  /** Starts it again on the same port, with what it kept. */
  start(): Promise<void>;
}

/**
 * @param persist whether it keeps everything on disk, as a queue of jobs should.
 * @param tls arguments by which it has TLS alone.
 */
export async function startRedis(
  folder: string,
  { persist = true, tls = [] }: { persist?: boolean; tls?: readonly string[] } = {},
): Promise<TestRedis> {
  mkdirSync(folder, { recursive: true });
  let server: ChildProcess | undefined;
  let port = 0;
  const start = async (): Promise<void> => {
    // A port that was free may be taken meanwhile; one that was ours is tried until it is free again.
    for (let attempt = 0; ; attempt += 1) {
      const wanted = port === 0 ? await freePort() : port;
      const listening = String(wanted);
      const kept = ['--appendonly', persist ? 'yes' : 'no', '--appendfsync', 'always', '--save', ''];
      const place = ['--bind', '127.0.0.1', '--dir', folder, '--logfile', join(folder, 'redis.log')];
      const ports = tls.length > 0 ? ['--port', '0', '--tls-port', listening, ...tls] : ['--port', listening];
      server = spawn('redis-server', [...ports, ...place, ...kept, '--daemonize', 'no'], { stdio: 'ignore' });
      if (await answers(server, wanted, tls.length > 0)) {
        port = wanted;
        return;
      }
      if (attempt > 50) throw new Error(`redis-server does not start; see ${join(folder, 'redis.log')}`);
    }
  };
  const stop = async (): Promise<void> => {
    const ending = server;
    server = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, 'exit');
    ending.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    ...{ start, stop },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Whether it answers before it ends. */
async function answers(server: ChildProcess, port: number, tls: boolean): Promise<boolean> {
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null) return false;
    const { status, stdout } = spawnSync(
      'redis-cli',
      ['-p', String(port), ...(tls ? ['--tls', '--insecure'] : []), 'ping'],
      {
        encoding: 'utf8',
      },
    );
    if (status === 0 && /^PONG|^NOAUTH/.test(stdout)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
