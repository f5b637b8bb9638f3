/** Workers that only wait, in as many processes as they need: what bounds them is Redis and the queue. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface WaitingOptions {
  readonly redis: string;
  /** Folder that workers may use. */
  readonly root: string;
  /** Workers in one process. */
  readonly workers: number;
  /** What a shard takes on average. */
  readonly shardMs: number;
}

/** Shards take so much more or less than their average, at most: pictures are of unequal sizes, and so are machines. */
const SPREAD = 0.2;

/** How long a shard takes: evenly spread, and the same each time. */
export function waitOf(shard: number, shardMs: number): number {
  const at = (Math.imul(shard + 1, 2654435761) >>> 0) / 2 ** 32;
  return shardMs * (1 + SPREAD * (2 * at - 1));
}

/**
 * Seconds that shards take where handing them out costs nothing: each goes to the worker that is free first.
 *
 * @returns until the last is done, and what all workers would need where they ended at once.
 */
export function undisturbed(shards: number, workers: number, shardMs: number): { seconds: number; evenly: number } {
  const free = new Array<number>(workers).fill(0);
  let sum = 0;
  for (let shard = 0; shard < shards; shard += 1) {
    const ms = waitOf(shard, shardMs);
    sum += ms;
    const next = free.indexOf(Math.min(...free));
    free[next]! += ms;
  }
  return { seconds: Math.max(...free) / 1000, evenly: sum / workers / 1000 };
}

/** So many processes of waiting workers. */
export class WaitingFleet {
  readonly #children: ChildProcess[] = [];
  /** When the first shard was begun, by performance.now(). */
  firstBegan: number | undefined;
  #done = 0;
  #late = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #enough: () => void = () => {};

  /** Starts them, and waits until all are on the queue. */
  async start(workers: number, inOneProcess: number, options: Omit<WaitingOptions, 'workers'>): Promise<void> {
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const program = fileURLToPath(new URL('waiting-workers.ts', import.meta.url));
    for (let left = workers; left > 0; left -= inOneProcess) {
      const given: WaitingOptions = { ...options, workers: Math.min(left, inOneProcess) };
      const child = fork(program, [JSON.stringify(given)], { execArgv: ['--import', tsx] });
      this.#children.push(child);
      await new Promise<void>((resolve, reject) => {
        child.on('message', (message: string | { readonly late: number }) => {
          if (message === 'ready') resolve();
          else if (message === 'begun') this.firstBegan ??= performance.now();
          else if (typeof message === 'object') this.#count(message.late);
        });
        child.once('exit', (code, signal) => reject(new Error(`Workers that wait ended: ${code ?? signal}.`)));
      });
    }
  }

  /** Milliseconds that waits took longer than they should, on average: what the simulation itself is late by. */
  get late(): number {
    return this.#late / Math.max(1, this.#done);
  }

  get processes(): number {
    return this.#children.length;
  }

  /** When so many shards are done. */
  whenDone(shards: number): Promise<void> {
    this.#wanted = shards;
    return new Promise((resolve) => {
      this.#enough = resolve;
      if (this.#done >= shards) resolve();
    });
  }

  async stop(): Promise<void> {
    const running = this.#children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(
      running.map(async (child) => {
        const ended = once(child, 'exit');
        child.disconnect();
        await ended;
      }),
    );
  }

  #count(late: number): void {
    this.#done += 1;
    this.#late += late;
    if (this.#done >= this.#wanted) this.#enough();
  }
}
