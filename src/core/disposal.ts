import './disposal-symbols.js';
import { VaeError } from './errors.js';

/**
 * Counts the work an owner has in flight, so that `close()` can wait for it and whatever comes
 * after it is refused.
 */
export class Lifetime {
  readonly #what: string;
  #active = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws VaeError ERR_VAE_DISPOSED after close(). */
  check(): void {
    if (this.closed) throw new VaeError('ERR_VAE_DISPOSED', `This ${this.#what} was closed and can no longer be used.`);
  }

  /** Runs `work` as work in flight: close() waits for it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    this.#active += 1;
    try {
      return await work();
    } finally {
      this.#active -= 1;
      if (this.#active === 0) this.#idle?.();
    }
  }

  /** Idempotent: every call gets the same promise, settled once work has ended and `release` has run. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#finish(release);
    return this.#closing;
  }

  async #finish(release: () => Promise<void>): Promise<void> {
    if (this.#active > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await release();
  }
}
