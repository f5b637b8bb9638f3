import type { GraphSession } from './session.js';

interface Entry {
  readonly session: Promise<GraphSession>;
  /** The same, once it is there: waiting for what is there takes time too. */
  opened?: GraphSession;
  users: number;
}

/**
 * Sessions opened when first needed and kept, shared by every owner that holds the pool. Work under
 * way ends with the session it began with; the last owner to let go closes them all.
 */
export class SessionPool<Kind extends string> {
  readonly #open: (kind: Kind) => Promise<GraphSession>;
  readonly #entries = new Map<Kind, Entry>();
  #owners = 1;

  constructor(open: (kind: Kind) => Promise<GraphSession>) {
    this.#open = open;
  }

  /** One more owner: it calls release() once. */
  retain(): this {
    this.#owners += 1;
    return this;
  }

  /** Puts a session in that is open already. */
  add(kind: Kind, session: GraphSession): void {
    this.#entries.set(kind, { session: Promise.resolve(session), users: 0 });
  }

  async use<T>(kind: Kind, work: (session: GraphSession) => Promise<T>): Promise<T> {
    const entry = this.#entry(kind);
    entry.users += 1;
    try {
      entry.opened ??= await entry.session;
      return await work(entry.opened);
    } finally {
      entry.users -= 1;
      if (this.#owners === 0 && entry.users === 0) await close(entry);
    }
  }

  /** Sessions open at this moment. */
  async opened(): Promise<Map<Kind, GraphSession>> {
    const entries = await Promise.all(
      [...this.#entries].map(async ([kind, { session }]) => [kind, await session] as const),
    );
    return new Map(entries);
  }

  /** Lets go. Resolves once sessions that nobody uses any more are closed. */
  async release(): Promise<void> {
    this.#owners -= 1;
    if (this.#owners > 0) return;
    await Promise.all([...this.#entries.values()].filter(({ users }) => users === 0).map(close));
  }

  #entry(kind: Kind): Entry {
    const known = this.#entries.get(kind);
    if (known !== undefined) return known;
    const entry: Entry = { session: this.#open(kind), users: 0 };
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
