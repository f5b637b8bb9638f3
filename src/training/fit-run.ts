import type { FitProgress, History } from './progress.js';

/**
 * A training run under way: a promise of its history, and an async iterable of its progress.
 *
 * `for await (const progress of vae.fit(data)) …` sees every event and ends, or throws, with the run.
 * Leaving the loop early does not stop the run; abort its signal for that.
 */
export class FitRun implements PromiseLike<History>, AsyncIterable<FitProgress> {
  readonly #done: Promise<History>;
  readonly #listeners = new Set<(event: FitProgress | undefined) => void>();
  #settled = false;

  /** @param start begins at once, and emits nothing before its first await. */
  constructor(start: (emit: (event: FitProgress) => void) => Promise<History>) {
    this.#done = start((event) => this.#tell(event)).finally(() => {
      this.#settled = true;
      this.#tell(undefined);
    });
    // Whoever only iterates gets the error from the iterator; it is not unhandled here.
    this.#done.catch(() => {});
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaitable is this class's purpose
  then<A = History, B = never>(
    fulfilled?: ((history: History) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#done.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<History | B> {
    return this.#done.catch(rejected);
  }

  finally(settled?: (() => void) | null): Promise<History> {
    return this.#done.finally(settled);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FitProgress, History> {
    const queue: FitProgress[] = [];
    let wake: (() => void) | undefined;
    const listener = (event: FitProgress | undefined): void => {
      if (event) queue.push(event);
      wake?.();
    };
    this.#listeners.add(listener);
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift()!;
        if (this.#settled) return await this.#done;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  #tell(event: FitProgress | undefined): void {
    for (const listener of this.#listeners) listener(event);
  }
}
