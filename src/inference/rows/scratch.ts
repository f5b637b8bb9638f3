/** Memory for one piece of rows after another: new memory for each has to be cleared first, and collected afterwards. */

/** Values of an array that is kept for the next call, at most: a run of many rows has 1.6 MB. */
const MOST_KEPT = 1 << 19;
const MOST_IDLE = 2;
const idle: Scratch[] = [];

export class Scratch {
  #values = new Float32Array(0);

  static take(): Scratch {
    return idle.pop() ?? new Scratch();
  }

  /** Nobody uses what was in it. */
  release(): void {
    if (this.#values.length <= MOST_KEPT && idle.length < MOST_IDLE) idle.push(this);
  }

  /** What it held before is overwritten. */
  array(length: number): Float32Array {
    if (this.#values.length < length) this.#values = new Float32Array(length);
    return this.#values.length === length ? this.#values : this.#values.subarray(0, length);
  }
}
