import type { GraphSession } from './session.js';

interface Entry {
  readonly session: Promise<GraphSession>;
  users: number;
  stale: boolean;
}

/**
 * Sessions opened when first needed and kept. `refresh` lets go of all of them, because the
 * parameters changed: work under way ends with the session it began with, later work opens anew.
 */
export class SessionPool<Kind extends string> {
  readonly #open: (kind: Kind) => Promise<GraphSession>;
  #entries = new Map<Kind, Entry>();

  constructor(open: (kind: Kind) => Promise<GraphSession>) {
    this.#open = open;
  }

  async use<T>(kind: Kind, work: (session: GraphSession) => Promise<T>): Promise<T> {
    const entry = this.#entry(kind);
    entry.users += 1;
    try {
      return await work(await entry.session);
    } finally {
      entry.users -= 1;
      if (entry.stale && entry.users === 0) await close(entry);
    }
  }

  async refresh(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    for (const entry of entries) entry.stale = true;
    await Promise.all(entries.filter((entry) => entry.users === 0).map(close));
  }

  #entry(kind: Kind): Entry {
    const known = this.#entries.get(kind);
    if (known !== undefined) return known;
    const entry: Entry = { session: this.#open(kind), users: 0, stale: false };
    this.#entries.set(kind, entry);
    // One that failed to open is tried again by whoever comes next.
    entry.session.catch(() => {
      if (this.#entries.get(kind) === entry) this.#entries.delete(kind);
    });
    return entry;
  }
}

async function close({ session }: Entry): Promise<void> {
  await (await session.catch(() => undefined))?.close();
}
