/** A network between workers and Redis that can be cut: a namespace where that is allowed, else a proxy that stops. */
import { spawnSync } from 'node:child_process';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';

export interface Network {
  readonly how: 'namespace' | 'proxy';
  /** Where workers find Redis. */
  readonly url: string;
  /** The program and its first arguments that workers are started by. */
  readonly prefix: readonly string[];
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

const ip = (...args: string[]): boolean => spawnSync('ip', args, { stdio: 'ignore' }).status === 0;

/** @param number tells the networks of a machine apart. */
export async function openNetwork(port: number, number: number): Promise<Network> {
  return (await namespaceNetwork(port, number)) ?? proxyNetwork(port);
}

async function namespaceNetwork(port: number, number: number): Promise<Network | undefined> {
  const name = `vae${process.pid % 100_000}x${number}`;
  const [inner, outer] = [`${name}i`.slice(-15), `${name}o`.slice(-15)];
  const third = (process.pid + number) % 250;
  const [host, guest] = [`10.213.${third}.1`, `10.213.${third}.2`];
  if (!ip('netns', 'add', name)) return undefined;
  const made =
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name) &&
    ip('addr', 'add', `${host}/24`, 'dev', outer) &&
    ip('link', 'set', outer, 'up') &&
    ip('netns', 'exec', name, 'ip', 'addr', 'add', `${guest}/24`, 'dev', inner) &&
    ip('netns', 'exec', name, 'ip', 'link', 'set', inner, 'up') &&
    ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
  const remove = (): void => {
    ip('link', 'del', outer);
    ip('netns', 'del', name);
  };
  if (!made) {
    remove();
    return undefined;
  }
  // Redis listens on the loopback interface alone.
  const relay = await listen(host, port);
  return {
    ...{ how: 'namespace', url: `redis://${host}:${relay.port}`, prefix: ['ip', 'netns', 'exec', name] },
    cut: () => void ip('link', 'set', outer, 'down'),
    mend: () => void ip('link', 'set', outer, 'up'),
    async close() {
      await relay.close();
      remove();
    },
  };
}

async function proxyNetwork(port: number): Promise<Network> {
  const relay = await listen('127.0.0.1', port);
  return {
    ...{ how: 'proxy', url: `redis://127.0.0.1:${relay.port}`, prefix: [], close: relay.close },
    cut: relay.stop,
    mend: relay.go,
  };
}

/** Passes connections on to a port of this machine; stopped, nothing goes through in either direction. */
async function listen(host: string, port: number) {
  const sockets = new Set<Socket>();
  let stopped = false;
  const server: Server = createServer((near) => {
    const far = connectTo(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('data', (bytes) => other.write(bytes));
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      if (stopped) socket.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as { port: number }).port,
    stop() {
      stopped = true;
      for (const socket of sockets) socket.pause();
    },
    go() {
      stopped = false;
      for (const socket of sockets) socket.resume();
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
