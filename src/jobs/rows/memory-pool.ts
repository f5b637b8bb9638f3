/** Memory that is used again for what is read next. New memory for each batch lives long enough to be expensive to collect. */

/** What was taken for one piece, until it is no longer needed. */
export interface Loan {
  take(length: number): Uint8Array;
  release(): void;
}

export class MemoryPool {
  readonly #idle: Uint8Array[] = [];
  readonly #most: number;

  /** @param most arrays that are kept for the next time. */
  constructor(most: number) {
    this.#most = most;
  }

  borrow(): Loan {
    let lent: Uint8Array[] = [];
    return {
      take: (length) => {
        const memory = this.#take(length);
        lent.push(memory);
        return memory.subarray(0, length);
      },
      release: () => {
        for (const memory of lent) if (this.#idle.length < this.#most) this.#idle.push(memory);
        lent = [];
      },
    };
  }

  /** The smallest that is large enough, if it is not far too large. */
  #take(length: number): Uint8Array {
    let best = -1;
    for (const [at, { length: size }] of this.#idle.entries()) {
      if (size >= length && size <= 2 * length && (best < 0 || size < this.#idle[best]!.length)) best = at;
    }
    if (best >= 0) return this.#idle.splice(best, 1)[0]!;
    // Nothing fits: what is kept was for pieces of another size.
    if (this.#idle.length === this.#most) this.#idle.shift();
    return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  }
}
