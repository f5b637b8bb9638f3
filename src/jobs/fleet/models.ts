/** Models that a worker has loaded: one for many shards, and few at a time. */
import type { Job } from '../job.js';
import { ShardWorker } from '../shard.js';

interface Loaded {
  readonly job: Job;
  readonly opened: Promise<ShardWorker>;
  users: number;
  /** Of the last use: the longest unused goes first. */
  used: number;
}

export class Models {
  readonly #most: number;
  readonly #threads: number;
  readonly #loaded: Loaded[] = [];
  /** No longer given to anybody, and closed by who uses them last. */
  readonly #stale = new Set<Loaded>();
  #clock = 0;

  constructor(most: number, threads: number) {
    this.#most = most;
    this.#threads = threads;
  }

  /** Execution providers of what is loaded. */
  async providers(): Promise<string[]> {
    const all = await Promise.all(this.#loaded.map(({ opened }) => opened.catch(() => undefined)));
    return [...new Set(all.flatMap((worker) => worker?.provider ?? []))];
  }

  /** Gives work a model for a job, loaded where it is not. @throws what opening it throws. */
  async with<T>(job: Job, signal: AbortSignal, work: (worker: ShardWorker) => Promise<T>): Promise<T> {
    const loaded = await this.#take(job, signal);
    try {
      return await work(await loaded.opened);
    } finally {
      loaded.users -= 1;
      if (loaded.users === 0 && this.#stale.delete(loaded)) await closed(loaded);
      await this.#dropUnused();
    }
  }

  /** Lets go of what is loaded for a job, once nothing uses it: what it knows of the job may be stale. */
  async forget(job: Job): Promise<void> {
    for (const loaded of [...this.#loaded]) {
      const worker = await loaded.opened.catch(() => undefined);
      if (worker?.accepts(job) !== true || !this.#loaded.includes(loaded)) continue;
      this.#loaded.splice(this.#loaded.indexOf(loaded), 1);
      if (loaded.users === 0) await closed(loaded);
      else this.#stale.add(loaded);
    }
  }

  async close(): Promise<void> {
    for (const loaded of this.#loaded.splice(0)) await closed(loaded);
  }

  async #take(job: Job, signal: AbortSignal): Promise<Loaded> {
    this.#clock += 1;
    for (const loaded of this.#loaded) {
      const worker = await loaded.opened.catch(() => undefined);
      if (worker?.accepts(job) !== true) continue;
      loaded.users += 1;
      loaded.used = this.#clock;
      return loaded;
    }
    // Not by the shard's signal: another shard may wait for the same model.
    signal.throwIfAborted();
    const opened = ShardWorker.open(job, { threads: this.#threads });
    const loaded: Loaded = { job, opened, users: 1, used: this.#clock };
    this.#loaded.push(loaded);
    opened.catch(() => {
      const at = this.#loaded.indexOf(loaded);
      if (at >= 0) this.#loaded.splice(at, 1);
    });
    await opened;
    return loaded;
  }

  async #dropUnused(): Promise<void> {
    while (this.#loaded.length > this.#most) {
      const unused = this.#loaded.filter(({ users }) => users === 0).sort((a, b) => a.used - b.used)[0];
      if (unused === undefined) return;
      this.#loaded.splice(this.#loaded.indexOf(unused), 1);
      await closed(unused);
    }
  }
}

async function closed({ opened }: Loaded): Promise<void> {
  const worker = await opened.catch(() => undefined);
  await worker?.close();
}
