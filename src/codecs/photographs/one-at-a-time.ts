/** Pictures that are held as a whole while their rows are read: of large ones, one at a time. */

/** Less than this is read beside others. */
const LARGE_BYTES = 1 << 25;

export class OneAtATime {
  #last: Promise<void> = Promise.resolve();

  /** Waits until the large ones before this one are done with; call what it gives when this one is. */
  async enter(bytes: number): Promise<() => void> {
    if (bytes < LARGE_BYTES) return () => {};
    const before = this.#last;
    let leave: () => void = () => {};
    this.#last = new Promise((resolve) => {
      leave = resolve;
    });
    await before;
    return leave;
  }
}
